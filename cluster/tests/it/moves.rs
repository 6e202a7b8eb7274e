//! Every way in which the move of a slot can go, with small bounds: messages delayed, lost, doubled
//! and out of order, the source's leader replaced at any time while the old one goes on for a
//! while, an operator who cancels.
//!
//! A message that was sent stays in the state for ever, and delivering it is a choice each time:
//! so it may be lost, late or doubled. What a driver learns of the target is final when it acts on
//! it, so it is read from the target, and acting on it is a choice too. Entries of a group are
//! committed one by one; the target's leaders hold nothing that is not in its log.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use cluster::migration::{Effect, End, GroupSlots, MoveId, Phase, SlotSet, Standing, Step};

const SLOT: u16 = 7;
const WRITES_MAX: u8 = 2;
const ATTEMPTS_MAX: u32 = 2;

/// What the leader of the source has in memory alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Capture {
    attempt: u32,
    /// The key's value when it was pinned, and how often it was written since.
    pin: u8,
    deltas: u8,
    is_frozen: bool,
}

/// What was sent to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Message {
    Open(u32),
    /// The first chunk is the pinned value, each other adds one to it.
    Import(u32, u8, u8),
    Activate(u32, u8),
    Abort(u32),
    Forget,
}

/// How the move ended, as the operators see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Outcome {
    Moved,
    Stayed,
}

#[derive(Clone, Debug)]
struct State {
    source: GroupSlots,
    target: GroupSlots,
    /// The key's values; the target's aside while it comes.
    source_value: Option<u8>,
    target_value: Option<u8>,
    staging: Option<u8>,
    /// Writes that were answered.
    acked: u8,
    leader: Option<Capture>,
    /// A leader that was replaced, and may not know.
    old: Option<Capture>,
    gave_up: bool,
    messages: BTreeSet<Message>,
    cancelled: bool,
    outcome: Option<Outcome>,
    /// How often the source's leader may still be replaced.
    changes: u8,
}

fn id(attempt: u32) -> MoveId {
    MoveId { migration: 1, number: 0, attempt }
}

fn slots() -> SlotSet {
    [SLOT].into_iter().collect()
}

/// Adds a state that differs by a change.
type May<'m> = dyn FnMut(&dyn Fn(&mut State)) + 'm;

impl State {
    fn first(changes: u8) -> State {
        let mut groups = [GroupSlots::default(), GroupSlots::default()];
        groups[0].apply(&Step::Claim { slots: slots() }).unwrap();
        groups[1].apply(&Step::Claim { slots: SlotSet::new() }).unwrap();
        let [source, target] = groups;
        State {
            source,
            target,
            source_value: Some(0),
            target_value: None,
            staging: None,
            acked: 0,
            leader: None,
            old: None,
            gave_up: false,
            messages: BTreeSet::new(),
            cancelled: false,
            outcome: None,
            changes,
        }
    }

    /// Tells states apart: 128 bits, which among a million states do not collide.
    fn key(&self) -> [u64; 2] {
        let groups = (self.source.encode(), self.target.encode());
        [1, 2].map(|salt| {
            let mut hasher = DefaultHasher::new();
            (salt, &groups, &self.messages).hash(&mut hasher);
            (self.source_value, self.target_value, self.staging, self.acked).hash(&mut hasher);
            (self.leader, self.old, self.gave_up).hash(&mut hasher);
            (self.cancelled, self.outcome, self.changes).hash(&mut hasher);
            hasher.finish()
        })
    }

    fn source_serves(&self) -> bool {
        let frozen = self.source.outgoing().values().any(|going| going.phase == Phase::Frozen);
        self.source.owned().contains(SLOT) && !frozen
    }

    fn target_serves(&self) -> bool {
        self.target.owned().contains(SLOT)
    }

    /// The attempt under way at the source.
    fn attempt(&self) -> Option<u32> {
        self.source.outgoing().keys().next().map(|id| id.attempt)
    }

    fn attempts(&self) -> u32 {
        self.attempt().or(self.source.ended().values().next().map(|e| e.attempt)).unwrap_or(0)
    }

    fn is_over(&self) -> bool {
        self.outcome.is_some()
            && self.source.outgoing().is_empty()
            && self.target.incoming().is_empty()
            && self.source.ended().is_empty()
    }

    /// What must hold at every instant.
    fn check(&self) {
        assert!(!(self.source_serves() && self.target_serves()), "two owners");
        if self.source_serves() {
            assert_eq!(self.source_value, Some(self.acked), "a write was lost");
        }
        if self.target_serves() {
            assert_eq!(self.target_value, Some(self.acked), "a write was lost");
        }
        match self.outcome {
            Some(Outcome::Moved) => assert!(self.target_serves()),
            Some(Outcome::Stayed) => assert!(self.source_serves()),
            None => {}
        }
        if self.source.outgoing().is_empty() {
            assert!(self.source_serves() || self.target_serves(), "no owner");
        }
    }

    /// Sends what may be sent now; whether it arrives is another question.
    fn send(&mut self) {
        for capture in [self.leader, self.old].into_iter().flatten() {
            let Capture { attempt, pin, deltas, is_frozen } = capture;
            self.messages.insert(Message::Open(attempt));
            for chunk in 0..=deltas {
                self.messages.insert(Message::Import(attempt, chunk, pin));
            }
            if is_frozen {
                self.messages.insert(Message::Activate(attempt, deltas + 1));
            }
        }
        let lost = self.leader.is_none();
        if let Some(attempt) = self.attempt()
            && (lost || self.gave_up || self.cancelled)
        {
            self.messages.insert(Message::Abort(attempt));
        }
        // Not before: the source asks the target how the attempt ended.
        if self.outcome.is_some() && self.source.outgoing().is_empty() {
            self.messages.insert(Message::Forget);
        }
    }

    /// Every state that may follow.
    fn next(&self) -> Vec<State> {
        let mut next = Vec::new();
        let mut may = |change: &dyn Fn(&mut State)| {
            let mut state = self.clone();
            change(&mut state);
            state.send();
            next.push(state);
        };
        if self.acked < WRITES_MAX && (self.source_serves() || self.target_serves()) {
            may(&|state| state.write());
        }
        if self.changes > 0 {
            may(&|state| {
                state.old = state.leader.take();
                (state.changes, state.gave_up) = (state.changes - 1, false);
            });
        }
        if !self.cancelled {
            may(&|state| state.cancelled = true);
        }
        for message in &self.messages {
            may(&|state| state.deliver(*message));
        }
        self.drive(&mut may);
        next
    }

    /// What the source's leader may do.
    fn drive(&self, may: &mut May<'_>) {
        let released = self.source.standing(id(self.attempts())) == Standing::Ended(End::Released);
        let Some(attempt) = self.attempt() else {
            match self.outcome {
                Some(_) => may(&|state| state.commit(&Step::Forget { upto: 1 })),
                None if released => may(&|state| state.outcome = Some(Outcome::Moved)),
                None if self.cancelled => may(&|state| state.outcome = Some(Outcome::Stayed)),
                None if self.attempts() < ATTEMPTS_MAX => may(&|state| {
                    let attempt = state.attempts() + 1;
                    state.commit(&Step::Export { id: id(attempt), slots: slots(), to: 1 });
                    let pin = state.source_value.unwrap();
                    state.leader = Some(Capture { attempt, pin, deltas: 0, is_frozen: false });
                    state.gave_up = false;
                }),
                None => may(&|state| state.outcome = Some(Outcome::Stayed)),
            }
            return;
        };
        if let Some(capture) = self.leader
            && !capture.is_frozen
            && !self.gave_up
        {
            may(&|state| {
                state.commit(&Step::Freeze { id: id(attempt) });
                state.leader = Some(Capture { is_frozen: true, ..capture });
            });
        }
        if self.leader.is_some() && !self.gave_up {
            may(&|state| state.gave_up = true);
        }
        match self.target.standing(id(attempt)) {
            Standing::Ended(End::Activated) => {
                may(&|state| state.outcome = Some(Outcome::Moved));
                may(&|state| {
                    state.commit(&Step::Release { id: id(attempt) });
                    (state.source_value, state.leader) = (None, None);
                });
            }
            Standing::Ended(End::Aborted) | Standing::Superseded => may(&|state| {
                state.commit(&Step::Cancel { id: id(attempt) });
                state.leader = None;
            }),
            _ => {}
        }
    }

    /// Commits a step in the source's log, which nothing may refuse.
    fn commit(&mut self, step: &Step) {
        self.source.apply(step).unwrap_or_else(|refused| panic!("{step:?}: {refused}"));
    }

    fn write(&mut self) {
        let value = if self.source_serves() {
            if let Some(capture) = &mut self.leader {
                capture.deltas += 1;
            }
            &mut self.source_value
        } else {
            &mut self.target_value
        };
        *value.as_mut().unwrap() += 1;
        self.acked += 1;
    }

    fn deliver(&mut self, message: Message) {
        let step = match message {
            Message::Open(attempt) => Step::Open { id: id(attempt), slots: slots(), from: 0 },
            Message::Import(attempt, chunk, pin) => {
                Step::Import { id: id(attempt), chunk: chunk.into(), body: vec![chunk, pin] }
            }
            Message::Activate(attempt, chunks) => {
                Step::Activate { id: id(attempt), chunks: chunks.into() }
            }
            Message::Abort(attempt) => Step::Abort { id: id(attempt) },
            Message::Forget => Step::Forget { upto: 1 },
        };
        match (self.target.apply(&step), message) {
            (Ok(Effect::Opened(..)), _) => assert_eq!(self.staging.replace(0), None),
            (Ok(Effect::Imported(_)), Message::Import(_, chunk, pin)) => {
                let value = self.staging.as_mut().unwrap();
                *value = if chunk == 0 { pin } else { *value + 1 };
            }
            (Ok(Effect::Activated(..)), _) => self.target_value = self.staging.take(),
            (Ok(Effect::Aborted(_)), _) => self.staging = None,
            (Ok(Effect::Nothing) | Err(_), _) => {}
            (Ok(effect), _) => panic!("{effect:?} of {message:?}"),
        }
    }
}

/// Visits every state, and checks that from each there is a way to an end; how many there are, and
/// how many ends of each kind.
fn explore(changes: u8) -> (usize, usize, usize) {
    let mut indexes = HashMap::new();
    let mut states = VecDeque::from([State::first(changes)]);
    indexes.insert(states[0].key(), 0);
    let (mut before, mut ends): (Vec<Vec<usize>>, Vec<usize>) = (vec![Vec::new()], Vec::new());
    let (mut moved, mut stayed, mut index) = (0, 0, 0);
    while let Some(state) = states.pop_front() {
        state.check();
        if state.is_over() {
            ends.push(index);
            moved += usize::from(state.outcome == Some(Outcome::Moved));
            stayed += usize::from(state.outcome == Some(Outcome::Stayed));
        }
        for next in state.next() {
            let at = *indexes.entry(next.key()).or_insert_with(|| {
                states.push_back(next);
                before.push(Vec::new());
                before.len() - 1
            });
            before[at].push(index);
        }
        index += 1;
    }
    let mut reaches = vec![false; before.len()];
    while let Some(end) = ends.pop() {
        if !std::mem::replace(&mut reaches[end], true) {
            ends.extend(&before[end]);
        }
    }
    let stuck = reaches.iter().filter(|reaches| !**reaches).count();
    assert_eq!(stuck, 0, "states of {} without a way to an end", before.len());
    (before.len(), moved, stayed)
}

#[test]
fn a_slot_has_one_owner_and_every_move_an_end() {
    let (states, moved, stayed) = explore(2);
    println!("{states} states, {moved} moved, {stayed} stayed");
    assert!(moved > 0 && stayed > 0);
}
