//! Entries against an ordered map, with nodes so small that every step meets their edges.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::log::{Strategy as TrimStrategy, Trim};
use super::node::{Field, NodeLimits};
use super::*;
use crate::value::StringValue;

type Texts = Vec<(Vec<u8>, Vec<u8>)>;

/// What a log is to its readers.
#[derive(Clone, Default)]
struct Model {
    entries: BTreeMap<Id, Texts>,
    counters: Counters,
}

#[derive(Clone, Debug)]
enum Step {
    /// How far on the new id is, and names and values by their numbers.
    Append(u64, u64, Vec<(u8, u8)>),
    Delete(prop::sample::Index),
    DeleteAt(Id),
    Trim(TrimStep, bool, u64),
    /// Between the last entry's id and some way on; whether deleted ids are forgotten.
    SetId(u64, bool),
    StoreAndLoad,
    Copy,
}

#[derive(Clone, Debug)]
enum TrimStep {
    MaxLen(u64),
    MinId(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let fields = prop_oneof![
        3 => Just(vec![(0, 1), (1, 2)]),
        1 => prop::collection::vec((0..4_u8, 0..6_u8), 1..4),
    ];
    let fields = (fields, 0..6_u8).prop_map(|(mut fields, value)| {
        fields[0].1 = value;
        fields
    });
    let trim = prop_oneof![
        (0..30_u64).prop_map(TrimStep::MaxLen),
        any::<prop::sample::Index>().prop_map(TrimStep::MinId),
    ];
    prop_oneof![
        20 => (0..3_u64, 1..4_u64, fields).prop_map(|(ms, seq, fields)| Step::Append(ms, seq, fields)),
        8 => any::<prop::sample::Index>().prop_map(Step::Delete),
        1 => (0..40_u64, 0..4_u64).prop_map(|(ms, seq)| Step::DeleteAt(Id { ms, seq })),
        2 => (trim, any::<bool>(), 0..20_u64).prop_map(|(trim, approximate, limit)| Step::Trim(trim, approximate, limit)),
        1 => (0..3_u64, any::<bool>()).prop_map(|(on, forget)| Step::SetId(on, forget)),
        1 => Just(Step::StoreAndLoad),
        1 => Just(Step::Copy),
    ]
}

fn limits() -> impl Strategy<Value = NodeLimits> {
    (prop_oneof![Just(0), 20..200_usize], 0..6_usize)
        .prop_map(|(bytes, entries)| NodeLimits { bytes, entries })
}

fn text(number: u8) -> Vec<u8> {
    match number {
        0 => b"field".to_vec(),
        1 => b"17".to_vec(),
        2 => b"-12345678901".to_vec(),
        3 => Vec::new(),
        4 => vec![b'x'; 70],
        _ => vec![0xFF, 0, number],
    }
}

fn stored_and_loaded(stream: &Stream) -> Stream {
    let mut bytes = Vec::new();
    stream.encode(&mut bytes);
    let mut reader = WireReader::new(&bytes);
    let loaded = Stream::decode(&mut reader).unwrap();
    assert!(reader.is_done());
    let mut again = Vec::new();
    loaded.encode(&mut again);
    assert_eq!(bytes, again);
    loaded
}

impl Model {
    fn last_live(&self) -> Id {
        self.entries.keys().next_back().copied().unwrap_or_default()
    }

    fn pick(&self, index: prop::sample::Index) -> Option<Id> {
        let len = self.entries.len();
        (len > 0).then(|| *self.entries.keys().nth(index.index(len)).unwrap())
    }

    /// Takes the step here and there.
    fn step(&mut self, stream: &mut Stream, step: Step, limits: NodeLimits) {
        let log = &mut stream.log;
        match step {
            Step::Append(ms, seq, fields) => {
                let Id { ms: last_ms, seq: last_seq } = self.counters.last_id;
                let seq = if ms == 0 { last_seq + seq } else { seq - 1 };
                let id = Id { ms: last_ms + ms, seq };
                let texts: Texts =
                    fields.into_iter().map(|(name, value)| (text(name), text(value))).collect();
                let fields: Vec<Field<'_>> =
                    texts.iter().map(|(name, value)| [&name[..], &value[..]]).collect();
                log.append(id, &fields, limits);
                self.entries.insert(id, texts);
                self.counters.last_id = id;
                self.counters.entries_added += 1;
            }
            Step::Delete(index) => self.pick(index).into_iter().for_each(|id| self.delete(log, id)),
            Step::DeleteAt(id) => self.delete(log, id),
            Step::Trim(trim, is_approximate, limit) => self.trim(log, trim, is_approximate, limit),
            Step::SetId(on, forgets) => {
                let last_live = self.last_live();
                let last_id = Id { seq: last_live.seq + on, ..last_live };
                self.counters.last_id = last_id;
                if forgets {
                    self.counters.max_deleted_id = self.counters.max_deleted_id.min(last_id);
                }
                *log.counters_mut() = self.counters;
            }
            Step::StoreAndLoad => *stream = stored_and_loaded(stream),
            Step::Copy => *stream = stream.clone(),
        }
    }

    fn delete(&mut self, log: &mut Log, id: Id) {
        let was_there = self.entries.remove(&id).is_some();
        assert_eq!(log.delete(id), was_there);
        if was_there {
            self.counters.max_deleted_id = self.counters.max_deleted_id.max(id);
        }
    }

    fn trim(&mut self, log: &mut Log, trim: TrimStep, is_approximate: bool, limit: u64) {
        let limit = if is_approximate { limit } else { 0 };
        let (strategy, exact) = match trim {
            TrimStep::MaxLen(max) => (
                TrimStrategy::MaxLen(max),
                self.entries.len() as u64 - max.min(self.entries.len() as u64),
            ),
            TrimStep::MinId(index) => {
                let min_id = self.pick(index).unwrap_or_default();
                (TrimStrategy::MinId(min_id), self.entries.range(..min_id).count() as u64)
            }
        };
        let trimmed = log.trim(Trim { strategy, is_approximate, limit });
        if is_approximate {
            assert!(trimmed <= exact);
            assert!(limit == 0 || trimmed <= limit);
        } else {
            assert_eq!(trimmed, exact);
        }
        for _ in 0..trimmed {
            self.entries.pop_first();
        }
    }

    fn check(&self, stream: &Stream) {
        let log = &stream.log;
        assert_eq!(log.len(), self.entries.len() as u64);
        assert_eq!(*log.counters(), self.counters);
        assert_eq!(log.first_id(), self.entries.keys().next().copied().unwrap_or_default());
        assert_eq!(log.last_live_id().unwrap_or_default(), self.last_live());
        self.check_range(log, Id::MIN, Id::MAX);
        let own: usize = log.nodes().map(|(_, node)| node.heap_bytes()).sum();
        assert_eq!(log.heap_bytes(), own + tree_bytes::<Id, super::node::Node>(log.nodes().len()));
    }

    fn check_range(&self, log: &Log, start: Id, end: Id) {
        let expected: Vec<(Id, Texts)> = match start <= end {
            true => {
                self.entries.range(start..=end).map(|(id, texts)| (*id, texts.clone())).collect()
            }
            false => Vec::new(),
        };
        let read = |entry: super::node::Entry<'_>| {
            let own = |value: StringValue<'_>| value.to_bytes().into_owned();
            let texts: Texts =
                entry.fields().map(|(name, value)| (own(name), own(value))).collect();
            assert_eq!(texts.len(), entry.len());
            (entry.id, texts)
        };
        let found: Vec<(Id, Texts)> = log.range(start..=end).map(read).collect();
        assert_eq!(found, expected);
        let mut found: Vec<(Id, Texts)> = log.range_back(start..=end).map(read).collect();
        found.reverse();
        assert_eq!(found, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn entries_are_an_ordered_map(
        limits in limits(),
        steps in prop::collection::vec(step(), 0..100),
        ranges in prop::collection::vec((0..60_u64, 0..4_u64, 0..60_u64, 0..4_u64), 4),
    ) {
        let (mut stream, mut model) = (Stream::default(), Model::default());
        for step in steps {
            model.step(&mut stream, step, limits);
            model.check(&stream);
            for (start_ms, start_seq, end_ms, end_seq) in &ranges {
                let start = Id { ms: *start_ms, seq: *start_seq };
                let end = Id { ms: *end_ms, seq: *end_seq };
                model.check_range(&stream.log, start, end);
                prop_assert_eq!(
                    stream.log.get(start).map(|entry| entry.id),
                    model.entries.contains_key(&start).then_some(start)
                );
            }
        }
        model.check(&stored_and_loaded(&stream));
    }

    #[test]
    fn garbage_is_refused_or_read(
        limits in limits(),
        steps in prop::collection::vec(step(), 0..30),
        bent in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        cut in 0..3_usize,
    ) {
        let (mut stream, mut model) = (Stream::default(), Model::default());
        steps.into_iter().for_each(|step| model.step(&mut stream, step, limits));
        let mut bytes = Vec::new();
        stream.encode(&mut bytes);
        for (place, byte) in bent {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(bytes.len() - cut.min(bytes.len()));
        // What is accepted can be worked with.
        if let Ok(mut stream) = Stream::decode(&mut WireReader::new(&bytes)) {
            let ids: Vec<Id> = stream.log.range(Id::MIN..=Id::MAX).map(|entry| entry.id).collect();
            assert_eq!(ids.len() as u64, stream.log.len());
            assert_eq!(stream.log.range_back(Id::MIN..=Id::MAX).count(), ids.len());
            stored_and_loaded(&stream);
            if let Some(next) = stream.log.last_id().next() {
                stream.log.append(next, &[[b"a", b"b"]], limits);
                assert!(stream.log.delete(next));
            }
            stream.log.trim(Trim { strategy: TrimStrategy::MaxLen(0), is_approximate: false, limit: 0 });
            assert_eq!(stream.log.len(), 0);
        }
    }
}

/// The node in the `DUMP s` of Redis 7.0.15 after `XADD s 5-1 a 1 b x`, `XADD s 5-2 a 2 b yy`,
/// `XADD s 7-0 c 3`, `XDEL s 5-2`.
#[test]
fn a_node_is_redis_own() {
    let limits = NodeLimits { bytes: 4096, entries: 100 };
    let mut log = Log::default();
    let id = |ms, seq| Id { ms, seq };
    log.append(id(5, 1), &[[b"a", b"1"], [b"b", b"x"]], limits);
    log.append(id(5, 2), &[[b"a", b"2"], [b"b", b"yy"]], limits);
    log.append(id(7, 0), &[[b"c", b"3"]], limits);
    log.delete(id(5, 2));
    let (first, node) = log.nodes().next().unwrap();
    assert_eq!(first, id(5, 1));
    let expected = b"\x40\0\0\0\x19\0\x02\x01\x01\x01\x02\x01\x81a\x02\x81b\x02\0\x01\
        \x02\x01\0\x01\0\x01\x01\x01\x81x\x02\x05\x01\x03\x01\0\x01\x01\x01\x02\x01\x82yy\x03\x05\x01\
        \0\x01\x02\x01\xdf\xff\x02\x01\x01\x81c\x02\x03\x01\x06\x01\xff";
    assert_eq!(node.listpack().as_bytes(), expected);
}
