//! Values as bytes, out and in: DUMP, RESTORE.

use resp::Reply;

use crate::access::{Txn, View};
use crate::argument::{Answer, SYNTAX, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::rdb::{self, Loaded, Refused};
use crate::value::{StringValue, Ttl};

pub(super) const DUMP: Command = Command {
    spec: Spec {
        name: "dump",
        group: Group::Generic,
        since: "2.6.0",
        complexity: "O(N) for N bytes",
        summary: "Returns the value at a key as bytes for RESTORE, here or in Redis.",
        arity: 2,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[Arg::key("key")],
    },
    run: Run::Read(dump),
};

fn dump<'v>(view: &'v View<'_>, args: Args<'_>) -> Reply<'v> {
    view.find(args[1]).map_or(Reply::Null, |found| Reply::Bulk(rdb::dump(&found).into()))
}

pub(super) const RESTORE: Command = Command {
    spec: Spec {
        name: "restore",
        group: Group::Generic,
        since: "2.6.0",
        complexity: "O(N) for N bytes, O(N*log(N)) for a sorted set",
        summary: "Sets a key to a value that DUMP returned, here or in Redis.",
        arity: -4,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::DANGEROUS),
        args: &[
            Arg::key("key"),
            Arg::new("milliseconds", ArgKind::Integer),
            Arg::new("serialized-value", ArgKind::String),
            Arg::keyword("replace", "REPLACE").optional(),
            Arg::keyword("absttl", "ABSTTL").optional(),
            Arg::new("idle-time", ArgKind::Integer).after("IDLETIME").optional(),
            Arg::new("frequency", ArgKind::Integer).after("FREQ").optional(),
        ],
    },
    run: Run::Write(|txn, args| settle(restore(txn, args))),
};

fn restore(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let (key, payload) = (args[1], args[3]);
    let options = Options::read(&args[4..])?;
    if !options.replace && txn.contains(key) {
        return Err(Reply::error("BUSYKEY Target key name already exists."));
    }
    let ttl = integer(args[2])?;
    if ttl < 0 {
        return Err(Reply::error("ERR Invalid TTL value, must be >= 0"));
    }
    let limits = txn.limits();
    let loaded = rdb::load(payload, &limits).map_err(|refused| {
        Reply::error(match refused {
            Refused::Footer => "ERR DUMP payload version or checksum are wrong",
            Refused::Value(_) => "ERR Bad data format",
        })
    })?;
    let ttl = match options.lifetime(ttl, txn.now_ms()) {
        Some(ttl) => ttl,
        None => {
            // Its time is over already: Redis answers as if the key had come and gone.
            txn.remove(key);
            return Ok(Reply::OK);
        }
    };
    match loaded {
        Loaded::String(bytes) => txn.set(key, StringValue::encode(&bytes), ttl),
        Loaded::Object(object) => txn.put_object(key, object, ttl),
    }
    txn.set_use(key, options.idle_seconds, options.frequency);
    Ok(Reply::OK)
}

/// What follows RESTORE's payload.
#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

impl Options {
    /// IDLETIME and FREQ exclude each other; the last of several counts.
    fn read(mut rest: &[&[u8]]) -> Result<Options, Reply<'static>> {
        let mut options = Options::default();
        while let [option, tail @ ..] = rest {
            rest = tail;
            match *tail {
                _ if is(option, "REPLACE") => options.replace = true,
                _ if is(option, "ABSTTL") => options.absolute = true,
                [seconds, ref tail @ ..]
                    if is(option, "IDLETIME") && options.frequency.is_none() =>
                {
                    let seconds = u64::try_from(integer(seconds)?);
                    options.idle_seconds =
                        Some(seconds.map_err(|_| {
                            Reply::error("ERR Invalid IDLETIME value, must be >= 0")
                        })?);
                    rest = tail;
                }
                [frequency, ref tail @ ..]
                    if is(option, "FREQ") && options.idle_seconds.is_none() =>
                {
                    let frequency = u8::try_from(integer(frequency)?);
                    options.frequency = Some(frequency.map_err(|_| {
                        Reply::error("ERR Invalid FREQ value, must be >= 0 and <= 255")
                    })?);
                    rest = tail;
                }
                _ => return Err(SYNTAX),
            }
        }
        Ok(options)
    }

    /// How long the key lives; `None` if its time is over now.
    fn lifetime(&self, ttl: i64, now_ms: u64) -> Option<Ttl> {
        let ttl = ttl.unsigned_abs();
        match ttl {
            0 => Some(Ttl::Clear),
            _ if self.absolute => (ttl > now_ms).then_some(Ttl::At(ttl)),
            // Past the largest time Redis wraps around, into the past.
            _ => ttl.checked_add(now_ms).filter(|at| i64::try_from(*at).is_ok()).map(Ttl::At),
        }
    }
}
