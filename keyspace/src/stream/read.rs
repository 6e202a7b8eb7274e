//! XREAD: entries behind the last that the reader knows, of several streams. Its arguments, which
//! are XREADGROUP's too.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use resp::Reply;

use super::id::{self, Id};
use super::{Stream, range};
use crate::access::View;
use crate::argument::{Answer, SYNTAX, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Block, Command, Flags, Group, Keys, Run, Spec};

pub(super) const COUNT: Arg = Arg::new("count", ArgKind::Integer).after("COUNT").optional();
pub(super) const BLOCK: Arg = Arg::new("milliseconds", ArgKind::Integer).after("BLOCK").optional();
pub(super) const STREAMS: Arg = Arg::new(
    "streams",
    ArgKind::Block(&[Arg::key("key").multiple(), Arg::new("id", ArgKind::String).multiple()]),
)
.after("STREAMS");

pub(super) const XREAD: Command = Command {
    spec: Spec {
        name: "xread",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(log(N)+M) for each stream, for M entries returned of N",
        summary: "Returns the entries behind given ids of several streams; may wait for some.",
        arity: -4,
        keys: Keys::After { keyword: "STREAMS", from: 1 },
        flags: Flags::READONLY.and(Flags::BLOCKING).and(Flags::MOVABLE_KEYS),
        args: &[COUNT, BLOCK, STREAMS],
    },
    run: Run::Block(&Block {
        run: Run::Read(|view, args| settle(xread(view, args))),
        timeout_ms: |args| Request::read(args, 0).ok()?.block_ms,
        later,
        waits_out_types: true,
    }),
};

fn xread<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let request = Request::read(args, view.now_ms())?;
    let mut streams = Vec::new();
    for (key, id) in request.streams() {
        let stream = view.data::<Stream>(key)?;
        let last_id = match id {
            b"$" => stream.map(|stream| stream.log.last_id()).unwrap_or_default(),
            b">" => {
                return Err(Reply::error(
                    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP \
                     <group> <consumer> option.",
                ));
            }
            id => id::parse(id)?,
        };
        streams.extend(stream.map(|stream| (key, &stream.log, last_id)));
    }
    let mut found = Vec::new();
    for (key, log, last_id) in streams {
        let entries = log.range(behind(last_id)).take(request.count);
        let entries: Vec<Reply<'v>> = entries.map(|entry| range::reply(&entry)).collect();
        if !entries.is_empty() {
            found.push((Reply::Bulk(Cow::Owned(key.to_vec())), Reply::Array(entries)));
        }
    }
    Ok(some(found))
}

/// What was found, or that there was nothing.
pub(super) fn some<'v>(found: Vec<(Reply<'v>, Reply<'v>)>) -> Reply<'v> {
    if found.is_empty() { Reply::NullArray } else { Reply::PairedMap(found) }
}

/// The ids behind one; none behind the last there can be.
pub(super) fn behind(id: Id) -> RangeInclusive<Id> {
    id.next().map_or(Id::MAX..=Id::MIN, |start| start..=Id::MAX)
}

/// `$` means the last id when the client came, not when it is attempted again.
fn later(view: &View<'_>, args: Args<'_>) -> Option<Vec<Vec<u8>>> {
    let request = Request::read(args, view.now_ms()).ok()?;
    if !request.ids.contains(&b"$".as_slice()) {
        return None;
    }
    let mut later: Vec<Vec<u8>> = args.iter().map(|arg| arg.to_vec()).collect();
    let first = args.len() - request.ids.len();
    for (place, (key, id)) in later[first..].iter_mut().zip(request.streams()) {
        if id == b"$" {
            let stream = view.data::<Stream>(key).ok().flatten();
            *place = stream.map(|stream| stream.log.last_id()).unwrap_or_default().to_bytes();
        }
    }
    Some(later)
}

/// What is asked for.
pub(super) struct Request<'a> {
    /// At most so many entries of each stream.
    pub(super) count: usize,
    pub(super) block_ms: Option<u64>,
    /// The group and the consumer.
    pub(super) reader: Option<[&'a [u8]; 2]>,
    pub(super) noack: bool,
    keys: &'a [&'a [u8]],
    ids: &'a [&'a [u8]],
}

impl<'a> Request<'a> {
    /// Reads the arguments of both commands, as long as they are well-formed; ids are not looked
    /// at.
    pub(super) fn read(args: &'a [&'a [u8]], now_ms: u64) -> Result<Request<'a>, Reply<'static>> {
        let of_group = is(args[0], "XREADGROUP");
        let mut request = Request {
            count: usize::MAX,
            block_ms: None,
            reader: None,
            noack: false,
            keys: &[],
            ids: &[],
        };
        let mut rest = &args[1..];
        while let [option, tail @ ..] = rest {
            rest = match tail {
                [value, tail @ ..] if is(option, "BLOCK") => {
                    request.block_ms = Some(timeout_ms(value, now_ms)?);
                    tail
                }
                [value, tail @ ..] if is(option, "COUNT") => {
                    let count = usize::try_from(integer(value)?).unwrap_or(0);
                    request.count = if count == 0 { usize::MAX } else { count };
                    tail
                }
                [_, ..] if is(option, "STREAMS") => {
                    if !tail.len().is_multiple_of(2) {
                        return Err(Reply::error(
                            "ERR Unbalanced XREAD list of streams: for each stream key an ID or \
                             '$' must be specified.",
                        ));
                    }
                    (request.keys, request.ids) = tail.split_at(tail.len() / 2);
                    &[]
                }
                [group, consumer, tail @ ..] if is(option, "GROUP") => {
                    if !of_group {
                        return Err(only_of_group("GROUP"));
                    }
                    request.reader = Some([group, consumer]);
                    tail
                }
                _ if is(option, "NOACK") => {
                    if !of_group {
                        return Err(only_of_group("NOACK"));
                    }
                    request.noack = true;
                    tail
                }
                _ => return Err(SYNTAX),
            };
        }
        if request.keys.is_empty() {
            return Err(SYNTAX);
        }
        if of_group && request.reader.is_none() {
            return Err(Reply::error("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(request)
    }

    pub(super) fn streams(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        self.keys.iter().copied().zip(self.ids.iter().copied())
    }
}

fn only_of_group(option: &str) -> Reply<'static> {
    Reply::Error(Cow::Owned(format!(
        "ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
    )))
}

fn timeout_ms(argument: &[u8], now_ms: u64) -> Result<u64, Reply<'static>> {
    let timeout = integer(argument)
        .map_err(|_| Reply::error("ERR timeout is not an integer or out of range"))?;
    let timeout = u64::try_from(timeout).map_err(|_| Reply::error("ERR timeout is negative"))?;
    match timeout.checked_add(now_ms).is_some_and(|end| i64::try_from(end).is_ok()) {
        true => Ok(timeout),
        false => Err(Reply::error("ERR timeout is out of range")),
    }
}
