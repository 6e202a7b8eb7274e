//! Writers that remember every acknowledgement, to hold a cluster to its promise later.
//!
//! Every write has a key and value of its own, so that a lost one is seen. Outcomes nobody knows
//! are kept apart: such a write may be there or not. One that was refused as not executed must not
//! be there. Counters are incremented now and then: one that was executed twice is seen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cluster_client::{ClusterClient, Outcome, slot};
use crate::resp::Value;

/// Longer than a node waits for the answer to a forwarded command, which is 5 s.
const REPLY_LIMIT: Duration = Duration::from_secs(8);
/// After a failure, before the next try: short beside the gaps that are measured.
const PAUSE: Duration = Duration::from_millis(5);
/// One command in this many is an INCR.
const INCREMENT_EVERY: u64 = 10;

/// Writers at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    writers: Vec<JoinHandle<Record>>,
}

/// What writers were told.
#[derive(Default)]
pub struct Record {
    /// Keys and values of acknowledged writes.
    pub acknowledged: BTreeMap<String, String>,
    /// Keys and values whose outcome nobody knows.
    pub unknown: BTreeMap<String, String>,
    /// Keys of writes that were certainly not executed, and why.
    pub refused: BTreeMap<String, String>,
    /// Counters: acknowledged and unknown increments.
    pub counters: BTreeMap<String, (i64, i64)>,
    /// When a write to each slot was acknowledged.
    pub successes: Vec<(u16, Instant)>,
}

impl Load {
    /// Starts `clients` writers; each writes with the hash tags in turn, as fast as it is answered.
    /// `name` keeps the keys of several loads apart.
    pub fn start(name: &str, ports: &[u16], clients: usize, tags: &[String]) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let writers = (0..clients)
            .map(|number| {
                let writer = Writer {
                    name: format!("{name}-{number}"),
                    tags: tags.to_vec(),
                    client: ClusterClient::new(ports, REPLY_LIMIT),
                    record: Record::default(),
                };
                let (stop, acknowledged) = (stop.clone(), acknowledged.clone());
                std::thread::spawn(move || writer.run(&stop, &acknowledged))
            })
            .collect();
        Load { stop, acknowledged, writers }
    }

    /// Writes acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until `count` more writes are acknowledged.
    pub fn wait_for_more(&self, count: usize) {
        let wanted = self.acknowledged() + count;
        crate::wait::until_true("more writes", Duration::from_secs(60), || {
            self.acknowledged() >= wanted
        });
    }

    /// Stops the writers; what they were told.
    pub fn stop(self) -> Record {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Record::default();
        for writer in self.writers {
            all.add(writer.join().expect("a writer does not panic"));
        }
        all.successes.sort_by_key(|(_, at)| *at);
        all
    }
}

impl Record {
    /// Adds another record.
    pub fn add(&mut self, other: Record) {
        self.acknowledged.extend(other.acknowledged);
        self.unknown.extend(other.unknown);
        self.refused.extend(other.refused);
        self.counters.extend(other.counters);
        self.successes.extend(other.successes);
    }

    /// The longest time between two successes of the slots that `of` picks: from the last one
    /// before `since` to the last one before `until`.
    pub fn longest_gap(
        &self,
        since: Instant,
        until: Option<Instant>,
        of: impl Fn(u16) -> bool,
    ) -> Duration {
        let times: Vec<Instant> =
            self.successes.iter().filter(|(slot, _)| of(*slot)).map(|(_, at)| *at).collect();
        let first = times.partition_point(|at| *at < since).saturating_sub(1);
        let last = until.map_or(times.len(), |until| times.partition_point(|at| *at < until));
        let pairs = times[first.min(last)..last].windows(2);
        pairs.map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// Reads everything back; what contradicts what the writers were told.
    pub fn contradictions(&self, client: &mut ClusterClient) -> Vec<String> {
        let mut wrong = Vec::new();
        for (key, value) in &self.acknowledged {
            let found = read(client, key);
            if found.as_deref() != Some(value.as_bytes()) {
                wrong.push(format!("{key} was acknowledged and is {}", shown(&found)));
            }
        }
        for (key, reason) in &self.refused {
            let found = read(client, key);
            if found.is_some() {
                wrong.push(format!("{key} is there, but was refused: {reason}"));
            }
        }
        for (key, value) in &self.unknown {
            let found = read(client, key);
            if found.is_some() && found.as_deref() != Some(value.as_bytes()) {
                wrong.push(format!("{key} is {}, which nobody wrote", shown(&found)));
            }
        }
        for (key, (acknowledged, unknown)) in &self.counters {
            let found = read(client, key).map_or(0, |bytes| {
                String::from_utf8_lossy(&bytes).parse().expect("a counter is a number")
            });
            if !(*acknowledged..=acknowledged + unknown).contains(&found) {
                wrong.push(format!(
                    "{key} is {found} after {acknowledged} acknowledged and {unknown} unknown \
                     increments"
                ));
            }
        }
        wrong
    }

    /// One line of counts.
    pub fn summary(&self) -> String {
        let increments: i64 = self.counters.values().map(|(acknowledged, _)| acknowledged).sum();
        format!(
            "{} writes and {increments} increments acknowledged, {} unknown, {} refused",
            self.acknowledged.len(),
            self.unknown.len(),
            self.refused.len()
        )
    }
}

struct Writer {
    name: String,
    tags: Vec<String>,
    client: ClusterClient,
    record: Record,
}

impl Writer {
    fn run(mut self, stop: &AtomicBool, acknowledged: &AtomicUsize) -> Record {
        let mut number = 0u64;
        let mut tag = 0;
        while !stop.load(Ordering::Relaxed) {
            number += 1;
            let key = format!("{{{}}}:{}", self.tags[tag], self.name);
            let outcome = if number.is_multiple_of(INCREMENT_EVERY) {
                self.increment(format!("{key}:counter"))
            } else {
                self.write(format!("{key}:{number}"), format!("{}-{number}", self.name))
            };
            match outcome {
                Outcome::Answered(_) => {
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                    self.record.successes.push((slot(key.as_bytes()), Instant::now()));
                    tag = (tag + 1) % self.tags.len();
                }
                // The same tag again: a shard that is down is asked until it is back.
                Outcome::NotExecuted(_) | Outcome::Unknown(_) => std::thread::sleep(PAUSE),
            }
        }
        self.record
    }

    fn write(&mut self, key: String, value: String) -> Outcome {
        let args = [b"SET".as_slice(), key.as_bytes(), value.as_bytes()];
        let outcome = self.client.call(key.as_bytes(), &args);
        match &outcome {
            Outcome::Answered(Value::Status(_)) => {
                self.record.acknowledged.insert(key, value);
            }
            Outcome::Answered(other) => panic!("SET answered {other}"),
            Outcome::NotExecuted(reason) => {
                self.record.refused.insert(key, reason.clone());
            }
            Outcome::Unknown(_) => {
                self.record.unknown.insert(key, value);
            }
        }
        outcome
    }

    fn increment(&mut self, key: String) -> Outcome {
        let outcome = self.client.call(key.as_bytes(), &[b"INCR", key.as_bytes()]);
        let counts = self.record.counters.entry(key).or_default();
        match &outcome {
            Outcome::Answered(_) => counts.0 += 1,
            Outcome::NotExecuted(_) => {}
            Outcome::Unknown(_) => counts.1 += 1,
        }
        outcome
    }
}

/// Reads a key, for as long as an election may take.
fn read(client: &mut ClusterClient, key: &str) -> Option<Vec<u8>> {
    let what = format!("an answer to GET {key}");
    crate::wait::until(&what, Duration::from_secs(60), || {
        match client.call(key.as_bytes(), &[b"GET", key.as_bytes()]) {
            Outcome::Answered(Value::Bulk(bytes)) => Some(Some(bytes)),
            Outcome::Answered(Value::Null) => Some(None),
            Outcome::Answered(other) => panic!("GET answered {other}"),
            Outcome::NotExecuted(_) | Outcome::Unknown(_) => None,
        }
    })
}

fn shown(found: &Option<Vec<u8>>) -> String {
    found.as_ref().map_or("gone".into(), |bytes| format!("{:?}", bytes.escape_ascii().to_string()))
}

/// A hash tag for each of these slots' owners: the first tag whose slot `picks` each.
pub fn tags_for(owners: usize, owner_of: impl Fn(u16) -> usize) -> Vec<String> {
    let mut tags: Vec<Option<String>> = vec![None; owners];
    for number in 0.. {
        if tags.iter().all(Option::is_some) {
            break;
        }
        let tag = format!("t{number}");
        let owner = owner_of(slot(tag.as_bytes()));
        tags[owner].get_or_insert(tag);
    }
    tags.into_iter().flatten().collect()
}
