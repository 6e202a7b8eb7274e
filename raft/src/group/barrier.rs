//! Read barriers that share rounds.
//!
//! Whoever asks while a round is under way waits for the next: a round that began earlier says
//! nothing about what was acknowledged since. So there is at most one round at a time, and a
//! waiting reader costs no message of its own.

use std::future::Future;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::ReadError;

type Answer = Result<(), ReadError>;

/// Those who wait for the next round.
#[derive(Default)]
pub(crate) struct Barrier {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: bool,
    waiting: Vec<oneshot::Sender<Answer>>,
}

impl Barrier {
    /// Joins the next round; `true`: the caller must see to it that [`Barrier::run`] runs.
    pub(crate) fn join(&self) -> (oneshot::Receiver<Answer>, bool) {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        state.waiting.push(sender);
        let start = !state.running;
        state.running = true;
        (receiver, start)
    }

    /// Runs rounds until nobody waits.
    pub(crate) async fn run<F, R>(&self, round: F)
    where
        F: Fn() -> R,
        R: Future<Output = Answer>,
    {
        while let Some(waiting) = self.next() {
            let answer = round().await;
            for reader in waiting {
                // A reader that went away needs no answer.
                let _ = reader.send(answer.clone());
            }
        }
    }

    fn next(&self) -> Option<Vec<oneshot::Sender<Answer>>> {
        let mut state = self.state.lock();
        state.running = !state.waiting.is_empty();
        state.running.then(|| std::mem::take(&mut state.waiting))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn those_who_come_during_a_round_share_the_next() {
        let barrier = Arc::new(Barrier::default());
        let rounds = Arc::new(AtomicU32::new(0));
        let gate = Arc::new(Semaphore::new(0));
        let (first, start) = barrier.join();
        assert!(start);
        let run = tokio::spawn({
            let (barrier, rounds, gate) = (barrier.clone(), rounds.clone(), gate.clone());
            async move {
                let round = || async {
                    rounds.fetch_add(1, Ordering::Relaxed);
                    gate.acquire().await.unwrap().forget();
                    Ok(())
                };
                barrier.run(round).await;
            }
        });
        while rounds.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let late: Vec<_> = (0..10).map(|_| barrier.join()).collect();
        assert!(late.iter().all(|(_, start)| !start));
        gate.add_permits(1);
        assert_eq!(first.await.unwrap(), Ok(()));
        gate.add_permits(1);
        for (reader, _) in late {
            assert_eq!(reader.await.unwrap(), Ok(()));
        }
        run.await.unwrap();
        assert_eq!(rounds.load(Ordering::Relaxed), 2);
        assert!(barrier.join().1, "the next one starts anew");
    }
}
