//! How finished segments get back to the connections that wait for them.
//!
//! Waking a task of another thread's runtime costs a system call. So the appliers put finished
//! segments into the inbox of the connection's I/O thread, one lock and one wake per thread and
//! entry, and a local task there hands them out; waking a task of one's own thread is a push.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use crate::batch::Batcher;
use crate::segment::Segment;

/// Who waits for a segment.
pub enum Waiter {
    /// A connection of an I/O thread.
    Connection {
        /// Its thread's inbox.
        inbox: Arc<Inbox>,
        /// Its place there.
        place: usize,
    },
    /// A task of any runtime.
    Task(oneshot::Sender<Box<Segment>>),
}

/// Finished segments for one I/O thread.
#[derive(Default)]
pub struct Inbox {
    finished: Mutex<Vec<(usize, Box<Segment>)>>,
    arrived: Notify,
}

/// Collects finished segments so that each thread is woken once.
#[derive(Default)]
pub struct Deliveries {
    /// Inboxes put into since the last flush; a handful, so a list does.
    inboxes: Vec<Arc<Inbox>>,
}

impl Deliveries {
    /// Hands a segment to who waits for it; connections are woken by [`Deliveries::flush`].
    pub fn deliver(&mut self, mut segment: Box<Segment>) {
        match segment.waiter.take() {
            Some(Waiter::Connection { inbox, place }) => {
                inbox.finished.lock().push((place, segment));
                if !self.inboxes.iter().any(|known| Arc::ptr_eq(known, &inbox)) {
                    self.inboxes.push(inbox);
                }
            }
            // The receiver is gone when the forwarding node is: nobody is left to tell.
            Some(Waiter::Task(sender)) => drop(sender.send(segment)),
            None => {}
        }
    }

    /// Wakes everyone who got something.
    pub fn flush(&mut self) {
        for inbox in self.inboxes.drain(..) {
            inbox.arrived.notify_one();
        }
    }
}

enum Place {
    Free,
    Waiting(Option<Waker>),
    Finished(Box<Segment>),
}

/// One I/O thread's side of the exchange.
pub struct Exchange {
    inbox: Arc<Inbox>,
    /// Segments on their way to the batcher.
    departures: RefCell<Vec<Box<Segment>>>,
    /// Wakes [`Exchange::depart`].
    departing: Notify,
    places: RefCell<Vec<Place>>,
    free: RefCell<Vec<usize>>,
}

impl Exchange {
    /// An exchange for the current I/O thread, whose [`Exchange::run`] must be spawned on it.
    pub fn new() -> Rc<Exchange> {
        Rc::new(Exchange {
            inbox: Arc::default(),
            departures: RefCell::default(),
            departing: Notify::new(),
            places: RefCell::default(),
            free: RefCell::default(),
        })
    }

    /// A place for one connection.
    pub fn enter(&self) -> usize {
        if let Some(place) = self.free.borrow_mut().pop() {
            return place;
        }
        let mut places = self.places.borrow_mut();
        places.push(Place::Free);
        places.len() - 1
    }

    /// Gives a place back. Only while nothing is awaited there.
    pub fn leave(&self, place: usize) {
        self.places.borrow_mut()[place] = Place::Free;
        self.free.borrow_mut().push(place);
    }

    /// The waiter to put into a segment that [`Exchange::finished`] will wait for.
    pub fn waiter(&self, place: usize) -> Waiter {
        self.places.borrow_mut()[place] = Place::Waiting(None);
        Waiter::Connection { inbox: self.inbox.clone(), place }
    }

    /// Waits for the segment of `place`.
    pub async fn finished(&self, place: usize) -> Box<Segment> {
        poll_fn(|context| {
            let place = &mut self.places.borrow_mut()[place];
            match std::mem::replace(place, Place::Free) {
                Place::Finished(segment) => Poll::Ready(segment),
                Place::Waiting(_) | Place::Free => {
                    *place = Place::Waiting(Some(context.waker().clone()));
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Sends a segment to the batcher, together with those of the other connections that are
    /// ready now: one wake of another thread for all, and one larger batch.
    pub fn submit(&self, segment: Box<Segment>) {
        self.departures.borrow_mut().push(segment);
        self.departing.notify_one();
    }

    /// Sends what was submitted, for as long as the thread lives. It is woken behind the tasks
    /// that are ready already, so it runs after all of them.
    pub async fn depart(self: Rc<Exchange>, batcher: Arc<Batcher>) {
        loop {
            self.departing.notified().await;
            batcher.submit(self.departures.borrow_mut().drain(..));
        }
    }

    /// Hands out what arrives, for as long as the thread lives.
    pub async fn run(self: Rc<Exchange>) {
        let mut finished = Vec::new();
        loop {
            self.inbox.arrived.notified().await;
            std::mem::swap(&mut finished, &mut *self.inbox.finished.lock());
            for (place, segment) in finished.drain(..) {
                let place = &mut self.places.borrow_mut()[place];
                if let Place::Waiting(Some(waker)) =
                    std::mem::replace(place, Place::Finished(segment))
                {
                    waker.wake();
                }
            }
        }
    }
}
