//! A scripted workload of several groups, with a model that knows every state the log may be in.
//!
//! The criterion of all crash tests: what is recovered is the state after some prefix of the
//! requests, in the order they were made over all groups, and that prefix contains every request
//! that was acknowledged. Lost acknowledgements, torn entries, reordering, votes that go back: all
//! of them break it.

use std::collections::BTreeMap;
use std::sync::Arc;

use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, RaftLogReader, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use openraft::vote::RaftLeaderId;

use super::super::group_log::GroupLog;
use super::super::{Fsync, Log, LogError, LogOptions};
use crate::GroupId;
use crate::disk::sim::SimDisk;
use crate::types::{CommittedLeaderId, Entry, LogId, Payload, TypeConfig, Vote};

/// So small that a short script begins, frees and recycles many segments.
const SEGMENT_BYTES: u64 = 3 << 10;
/// The last one is quiet, so that its entries must be carried forward.
const GROUPS: [GroupId; 3] = [1, 2, 9];
const QUIET: GroupId = 9;

/// One group as the log must show it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct GroupModel {
    pub(super) vote: Option<Vote>,
    pub(super) committed: Option<LogId>,
    pub(super) purged: Option<LogId>,
    pub(super) last: Option<LogId>,
    pub(super) entries: Vec<Entry>,
}

pub(super) type Model = BTreeMap<GroupId, GroupModel>;

/// A request, as far as it can be torn: one record.
#[derive(Clone, Debug)]
enum Step {
    Entry(GroupId, Entry),
    Vote(GroupId, Vote),
    Committed(GroupId, LogId),
    Truncate(GroupId, Option<LogId>),
    Purge(GroupId, LogId),
}

/// Replays the same choices for the same seed (splitmix64).
#[derive(Clone, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// What was asked of a log, and what it answered.
#[derive(Clone, Debug)]
pub(super) struct History {
    /// The state before the first request, and after each.
    pub(super) states: Vec<Model>,
    /// So many requests are acknowledged: at least that prefix must survive.
    pub(super) acknowledged: usize,
    /// The term in use, for votes and entries.
    term: u64,
}

pub(super) fn options(fsync: Fsync) -> LogOptions {
    LogOptions { fsync, segment_bytes: SEGMENT_BYTES, tail_bytes_max: 512, thread: false }
}

pub(super) fn open(disk: &SimDisk, fsync: Fsync) -> Result<Log, LogError> {
    Log::open(Arc::new(disk.clone()), options(fsync))
}

impl History {
    /// Begins with what a log holds, in a later term than any before: Raft never makes two
    /// entries of one term and index, and the log counts on it. (A record of which only the
    /// checksum survived could otherwise vouch for a new record that begins with the same bytes.)
    pub(super) fn new(state: Model, last_term: u64) -> Self {
        Self { states: vec![state], acknowledged: 0, term: last_term + 1 }
    }

    pub(super) fn term(&self) -> u64 {
        self.term
    }

    /// Runs so many random requests; stops early and returns false at the first error.
    pub(super) fn run(&mut self, log: &Log, seed: u64, requests: usize) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut groups: BTreeMap<GroupId, GroupLog> =
            GROUPS.iter().map(|id| (*id, log.group(*id))).collect();
        let mut random = Random(seed);
        (0..requests).all(|request| {
            let id = if request % 40 == 5 { QUIET } else { GROUPS[random.below(2) as usize] };
            let group = groups.get_mut(&id).unwrap();
            let done = match random.below(20) {
                0..=9 => runtime.block_on(self.append(log, id, group, &mut random)),
                10..=11 => runtime.block_on(self.vote(id, group)),
                12..=14 => runtime.block_on(self.committed(id, group)),
                15 => runtime.block_on(self.truncate(id, group)),
                16..=18 => runtime.block_on(self.purge(id, group)),
                _ => self.tick(log),
            };
            done.is_some()
        })
    }

    /// Whether a recovered state is one that may have survived.
    pub(super) fn allows(&self, recovered: &Model) -> bool {
        self.states[self.acknowledged..].iter().any(|state| state == recovered)
    }

    /// Where a recovered state stands among those that were, for a failed assertion.
    pub(super) fn explain(&self, recovered: &Model) -> String {
        let found = self.states.iter().rposition(|state| state == recovered);
        let (acknowledged, made) = (self.acknowledged, self.states.len() - 1);
        let shown: Vec<String> = self.states.iter().map(show).collect();
        let (recovered, shown) = (show(recovered), shown.join("\n"));
        format!(
            "{recovered}\nis state {found:?}; {acknowledged} acknowledged, {made} made:\n{shown}"
        )
    }

    pub(super) fn now(&self) -> &Model {
        self.states.last().unwrap()
    }

    fn group(&self, id: GroupId) -> GroupModel {
        self.now().get(&id).cloned().unwrap_or_default()
    }

    fn acknowledge(&mut self) {
        self.acknowledged = self.states.len() - 1;
    }

    /// Notes a request before it is made: from then on it may survive.
    fn note(&mut self, step: Step) {
        let mut state = self.now().clone();
        step.apply(&mut state);
        state.retain(|_, group| *group != GroupModel::default());
        self.states.push(state);
    }

    async fn append(
        &mut self,
        log: &Log,
        id: GroupId,
        group: &mut GroupLog,
        random: &mut Random,
    ) -> Option<()> {
        let first = self.group(id).last.map_or(0, |last| last.index + 1);
        let entries: Vec<Entry> = (first..first + 1 + random.below(3))
            .map(|index| entry(id, self.term, index, random.below(300) as usize))
            .collect();
        for entry in &entries {
            self.note(Step::Entry(id, entry.clone()));
        }
        let (sender, receiver) = TypeConfig::oneshot();
        group.append(entries, IOFlushed::signal(sender)).await.ok()?;
        receiver.await.ok()?.ok()?;
        if log.shared.options.fsync == Fsync::Always {
            self.acknowledge();
        }
        Some(())
    }

    async fn vote(&mut self, id: GroupId, group: &mut GroupLog) -> Option<()> {
        self.term += 1;
        let vote = Vote { leader_id: RaftLeaderId::new(self.term, 3), committed: true };
        self.note(Step::Vote(id, vote));
        group.save_vote(&vote).await.ok()?;
        self.acknowledge();
        Some(())
    }

    async fn committed(&mut self, id: GroupId, group: &mut GroupLog) -> Option<()> {
        let Some(last) = self.group(id).last else { return Some(()) };
        self.note(Step::Committed(id, last));
        group.save_committed(Some(last)).await.ok()
    }

    async fn truncate(&mut self, id: GroupId, group: &mut GroupLog) -> Option<()> {
        let model = self.group(id);
        let open = model.entries.iter().filter(|entry| Some(entry.log_id) > model.committed);
        let Some(from) = open.map(|entry| entry.log_id).next() else { return Some(()) };
        let before = |entry: &&Entry| entry.log_id.index < from.index;
        let last = model.entries.iter().rfind(before).map(|entry| entry.log_id).max(model.purged);
        self.term += 1;
        self.note(Step::Truncate(id, last));
        group.truncate_after(last).await.ok()
    }

    async fn purge(&mut self, id: GroupId, group: &mut GroupLog) -> Option<()> {
        let model = self.group(id);
        // The quiet group keeps its entries.
        if id == QUIET || model.committed <= model.purged {
            return Some(());
        }
        let upto = model.committed?;
        self.note(Step::Purge(id, upto));
        group.purge(upto).await.ok()
    }

    fn tick(&mut self, log: &Log) -> Option<()> {
        log.tick();
        if log.shared.failure().is_some() {
            return None;
        }
        if log.shared.options.fsync == Fsync::EverySec {
            self.acknowledge();
        }
        Some(())
    }
}

/// A state in one line.
fn show(model: &Model) -> String {
    let ids = |entries: &[Entry]| -> Vec<String> {
        entries.iter().map(|entry| entry.log_id.to_string()).collect()
    };
    let groups = model.iter().map(|(id, group)| {
        let GroupModel { vote, committed, purged, last, entries } = group;
        let marks: Vec<_> = [committed, purged, last].map(|id| id.map(|id| id.to_string())).into();
        format!("{id}: {:?} {marks:?} {:?}", vote.map(|vote| vote.to_string()), ids(entries))
    });
    groups.collect::<Vec<_>>().join("; ")
}

impl Step {
    fn apply(self, model: &mut Model) {
        match self {
            Step::Entry(id, entry) => {
                let group = model.entry(id).or_default();
                group.last = Some(entry.log_id);
                group.entries.push(entry);
            }
            Step::Vote(id, vote) => model.entry(id).or_default().vote = Some(vote),
            Step::Committed(id, log_id) => model.entry(id).or_default().committed = Some(log_id),
            Step::Truncate(id, last) => {
                let group = model.entry(id).or_default();
                group.last = last;
                group.entries.retain(|entry| Some(entry.log_id) <= last);
            }
            Step::Purge(id, upto) => {
                let group = model.entry(id).or_default();
                group.purged = Some(upto);
                group.entries.retain(|entry| entry.log_id.index > upto.index);
            }
        }
    }
}

/// An entry whose bytes follow from its id, so that no two are alike.
pub(super) fn entry(group: GroupId, term: u64, index: u64, bytes: usize) -> Entry {
    let log_id = LogId { leader_id: CommittedLeaderId::new(term), index };
    if index % 7 == 3 {
        let voters = vec![std::collections::BTreeSet::from([term, index])];
        return Entry::new_membership(log_id, openraft::Membership::new_with_defaults(voters, []));
    }
    if bytes < 10 {
        return Entry::new_blank(log_id);
    }
    let mut random = Random(term << 32 ^ index << 8 ^ u64::from(group));
    let payload: Vec<u8> = (0..bytes).map(|_| random.below(256) as u8).collect();
    Entry::new_normal(log_id, Payload(payload.into()))
}

/// Everything a log shows, read back through its readers.
pub(super) fn read(log: &Log) -> std::io::Result<Model> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut model = Model::new();
    for id in log.groups() {
        let mut group = log.group(id);
        let read = runtime.block_on(async {
            let state = group.get_log_state().await?;
            let mut reader = group.get_log_reader().await;
            Ok::<_, std::io::Error>(GroupModel {
                vote: reader.read_vote().await?,
                committed: group.read_committed().await?,
                purged: state.last_purged_log_id,
                last: state.last_log_id,
                entries: reader.try_get_log_entries(..).await?,
            })
        })?;
        if read != GroupModel::default() {
            model.insert(id, read);
        }
    }
    Ok(model)
}
