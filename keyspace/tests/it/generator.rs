//! Random calls of every command, made from what the rows say about their arguments.
//!
//! Keys are few, and mostly of the type that the command works on; values and numbers are biased to
//! edges. No number is among them that makes a string of hundreds of megabytes.

use keyspace::command::{Arg, ArgKind, Group, all};
use keyspace::limits::LIMITS;
use keyspace::{Command, Run};

/// Keys by the groups that work on them; some share a slot.
const KEYS: [(Group, &[&str]); 7] = [
    (Group::String, &["s1", "s2", "{s1}3"]),
    (Group::HyperLogLog, &["p1", "p2"]),
    (Group::List, &["l1", "l2", "{l1}3"]),
    (Group::Set, &["m1", "m2", "{m1}3"]),
    (Group::Hash, &["h1", "h2"]),
    (Group::SortedSet, &["z1", "z2", "{z1}3"]),
    (Group::Stream, &["x1", "x2"]),
];

const VALUES: &[&str] = &[
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "ab",
    "one",
    "two",
    "three",
    "",
    "0",
    "1",
    "2",
    "3",
    "7",
    "10",
    "-1",
    "007",
    "1.5",
    "70000",
    "-5000000000",
    "9223372036854775807",
    "-9223372036854775808",
    "\0\u{ff}\r\n",
    "field",
    "a string of more than forty-four bytes, which is raw in Redis",
    "a string of more than sixty-four bytes, which by default is too long for any listpack",
];

const SMALL: &[&str] = &["0", "1", "2", "3", "5", "10", "-1", "-2", "-3", "-10", "100"];

const INTEGERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "700",
    "-700",
    "4294967296",
    "-2147483648",
    "-2147483649",
    "4611686018427387904",
    "9223372036854775807",
    "-9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "01",
    "+1",
    " 1",
    "1 ",
    "1.0",
    "",
    "x",
    "-0",
];

const DOUBLES: &[&str] = &[
    "0",
    "1",
    "2",
    "-1",
    "1.5",
    "3.25",
    "10",
    "-0",
    "0.1",
    "13.361389",
    "38.115556",
    "15.087269",
    "inf",
    "-inf",
    "+inf",
    "nan",
    "1e308",
    "-1e308",
    "1e-400",
    "0x10",
    "(1",
    "1e400",
    "",
    "x",
];

const IDS: &[&str] = &[
    "*",
    "$",
    ">",
    "-",
    "+",
    "0",
    "0-0",
    "0-1",
    "1-*",
    "5",
    "(5",
    "(5-1",
    "1-",
    "-1",
    "x",
    "",
    "18446744073709551615-18446744073709551615",
    "18446744073709551615-*",
    "9999999999999-1",
];

/// Words that a handler may stumble over where they do not belong.
const NASTY: &[&[u8]] = &[
    b"",
    b"\0",
    b"\xff\xfe",
    b"\r\n",
    b"*",
    b"[",
    b"[a-",
    b"\\",
    b"(",
    b"(inf",
    b"-",
    b"+",
    b"$",
    b"#",
    b"#9223372036854775807",
    b"u64",
    b"i64",
    b"u63",
    b"i0",
    b"NX",
    b"XX",
    b"GT",
    b"LT",
    b"CH",
    b"INCR",
    b"GET",
    b"SET",
    b"LIMIT",
    b"COUNT",
    b"MATCH",
    b"WITHSCORES",
    b"WITHVALUES",
    b"BYLEX",
    b"BYSCORE",
    b"REV",
    b"STORE",
    b"STOREDIST",
    b"WEIGHTS",
    b"AGGREGATE",
    b"STREAMS",
    b"MAXLEN",
    b"MINID",
    b"~",
    b"NOMKSTREAM",
    b"BLOCK",
    b"EX",
    b"PXAT",
    b"KEEPTTL",
    b"PERSIST",
    b"OVERFLOW",
    b"INCRBY",
    b"FAIL",
    b"FROMMEMBER",
    b"FROMLONLAT",
    b"BYRADIUS",
    b"BYBOX",
    b"ANY",
    b"RANK",
    b"BEFORE",
    b"LEFT",
    b"MIN",
    b"DB",
    b"REPLACE",
    b"ABSTTL",
    b"IDLETIME",
    b"FREQ",
    b"m",
    b"km",
    b"s1",
    b"l1",
    b"m1",
    b"h1",
    b"z1",
];

/// What random calls seldom bring about by themselves, though many of them need it.
const GROUNDWORK: &[&str] = &[
    "del x1",
    "xadd x1 * f v",
    "xadd x1 * f 1 g 2",
    "xgroup create x1 g 0 mkstream",
    "xgroup create x2 g 0 mkstream",
    "xgroup createconsumer x1 g g",
    "xreadgroup group g g count 2 streams x1 >",
    "xclaim x1 g other 0 1-1 2-1 force",
    "xautoclaim x1 g other 0 0",
    "rpush l1 a 1 b 2",
    "sadd m1 a b 3",
    "hset h1 a 1 b two",
    "zadd z1 0 a 0 b 0 c",
    "set s1 10",
    "pfadd p1 a b",
];

/// A series of numbers from a seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

/// A command to call, with the words that name it.
#[derive(Clone)]
pub(crate) struct Named {
    pub(crate) words: Vec<&'static str>,
    pub(crate) command: &'static Command,
}

impl Named {
    /// As it is called: `object|encoding`.
    pub(crate) fn name(&self) -> String {
        self.words.join("|")
    }
}

/// Every command that runs, ours that no client may call included.
pub(crate) fn commands() -> Vec<Named> {
    let mut found = Vec::new();
    for command in all() {
        let name = command.spec.name;
        match command.run {
            Run::Container(inner) => found.extend(
                inner.iter().map(|sub| Named { words: vec![name, sub.spec.name], command: sub }),
            ),
            _ => found.push(Named { words: vec![name], command }),
        }
    }
    found
}

/// Makes calls.
pub(crate) struct Generator {
    pub(crate) random: Random,
    commands: Vec<Named>,
    /// Those not called since all were.
    due: Vec<Named>,
    /// What DUMP answered, for RESTORE.
    pub(crate) payloads: Vec<Vec<u8>>,
    /// How many keys in a row the call that is being made names.
    keys: usize,
}

/// A call: the command, and its words.
pub(crate) struct Made {
    pub(crate) named: Named,
    pub(crate) args: Vec<Vec<u8>>,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Generator {
        let random = Random::new(seed);
        Generator { random, commands: commands(), due: Vec::new(), payloads: Vec::new(), keys: 0 }
    }

    /// Every key that a call may name.
    pub(crate) fn keys() -> impl Iterator<Item = &'static str> {
        KEYS.iter().flat_map(|(_, keys)| keys.iter().copied())
    }

    /// A call as the rows describe it. Every command comes once before any comes again, but those
    /// that leave nothing to work on are left out of most rounds.
    pub(crate) fn make(&mut self) -> Made {
        if self.due.is_empty() {
            self.due.clone_from(&self.commands);
            if !self.random.once_in(4) {
                self.due.retain(|named| !named.words[0].starts_with("flush"));
            }
        }
        let next = self.random.below(self.due.len());
        let named = self.due.swap_remove(next);
        let spec = &named.command.spec;
        self.keys = 0;
        let mut args: Vec<Vec<u8>> =
            named.words.iter().map(|word| word.as_bytes().to_vec()).collect();
        if spec.name == "ringfort.limits" {
            self.describe_limit(&mut args);
        } else {
            self.describe(spec.args, spec.group, &mut args);
        }
        Made { named, args }
    }

    /// A call that gives others something to work on.
    pub(crate) fn make_groundwork(&mut self) -> Made {
        let line = self.random.of(GROUNDWORK);
        let args: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        let words: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        let command = keyspace::lookup(&words).expect("a command");
        let is_it = |named: &&Named| std::ptr::eq(named.command, command);
        let named = self.commands.iter().find(is_it).expect("of the table").clone();
        Made { named, args }
    }

    /// A call as described, but with other arguments, or more, or fewer, but so many that the arity is met.
    pub(crate) fn make_wild(&mut self) -> Made {
        let mut made = self.make();
        let words = made.named.words.len();
        for index in words..made.args.len() {
            if self.random.once_in(4) {
                made.args[index] = self.nasty();
            }
        }
        for _ in 0..self.random.below(4) {
            let index = words + self.random.below(made.args.len() + 1 - words);
            if self.random.once_in(2) {
                made.args.insert(index, self.nasty());
            } else if index < made.args.len() {
                made.args.remove(index);
            }
        }
        let arity = made.named.command.spec.arity;
        let least = arity.unsigned_abs() as usize;
        while made.args.len() < least {
            made.args.push(self.nasty());
        }
        if arity >= 0 {
            made.args.truncate(least);
        }
        made
    }

    fn nasty(&mut self) -> Vec<u8> {
        match self.random.below(8) {
            0 => {
                let len = self.random.below(24);
                (0..len).map(|_| self.random.bits() as u8).collect()
            }
            1 => vec![b'x'; 1 << self.random.below(14)],
            2 => self.word(INTEGERS),
            3 => self.word(DOUBLES),
            4 => self.word(IDS),
            _ => self.random.of(NASTY).to_vec(),
        }
    }

    fn word(&mut self, words: &[&str]) -> Vec<u8> {
        self.random.of(words).as_bytes().to_vec()
    }

    /// Mostly so small that encodings change all the time.
    fn describe_limit(&mut self, call: &mut Vec<Vec<u8>>) {
        let row = &LIMITS[self.random.below(LIMITS.len())];
        let value = match self.random.below(8) {
            0 => row.default,
            1 => row.min,
            _ => self.random.below(24) as i64,
        };
        call.extend([row.name.as_bytes().to_vec(), value.to_string().into_bytes()]);
    }

    fn describe(&mut self, args: &[Arg], group: Group, call: &mut Vec<Vec<u8>>) {
        let mut counts_keys = false;
        for arg in args {
            if arg.optional && self.random.once_in(2) {
                continue;
            }
            let mut repeats = if arg.multiple { self.random.below(3) + 1 } else { 1 };
            if matches!(arg.kind, ArgKind::Key) && arg.multiple {
                self.keys = repeats;
            }
            // One for each key.
            if arg.name == "weight" || (arg.name == "id" && arg.multiple && self.keys > 0) {
                repeats = self.keys;
            }
            if counts_keys {
                *call.last_mut().expect("the count") = repeats.to_string().into_bytes();
            }
            counts_keys = arg.name == "numkeys";
            for repeat in 0..repeats {
                // A list follows its keyword once.
                if repeat == 0 || matches!(arg.kind, ArgKind::Block(_)) {
                    call.extend(arg.token.map(|token| token.as_bytes().to_vec()));
                }
                self.describe_one(arg, group, call);
            }
        }
    }

    fn describe_one(&mut self, arg: &Arg, group: Group, call: &mut Vec<Vec<u8>>) {
        let word = match arg.kind {
            ArgKind::Key => self.key(group),
            ArgKind::String => self.string(arg.name, group),
            ArgKind::Integer => self.integer(arg.name),
            ArgKind::Double if arg.name == "timeout" => {
                self.word(&["0", "0", "0", "0.5", "1", "-1", "inf", "x"])
            }
            ArgKind::Double => self.word(DOUBLES),
            ArgKind::Pattern => self.word(&["*", "a*", "?", "[a-c]", "[^a]", "\\", "[", "**1"]),
            ArgKind::UnixTime => self.time(arg.name),
            ArgKind::PureToken => return,
            ArgKind::OneOf(choices) => {
                let choice = &choices[self.random.below(choices.len())];
                let choice = Arg { optional: false, ..*choice };
                return self.describe(&[choice], group, call);
            }
            ArgKind::Block(parts) => return self.describe(parts, group, call),
        };
        call.push(word);
    }

    fn key(&mut self, group: Group) -> Vec<u8> {
        let group = match group {
            Group::Bitmap => Group::String,
            Group::Geo => Group::SortedSet,
            group => group,
        };
        let own = KEYS.iter().find(|(of, _)| *of == group);
        let keys = match own {
            Some((_, keys)) if !self.random.once_in(12) => keys,
            _ => KEYS[self.random.below(KEYS.len())].1,
        };
        self.word(keys)
    }

    fn string(&mut self, name: &str, group: Group) -> Vec<u8> {
        match name {
            "serialized-value" if !self.payloads.is_empty() && !self.random.once_in(8) => {
                let payload = self.random.below(self.payloads.len());
                self.payloads[payload].clone()
            }
            "bit-operation" => self.word(&["and", "or", "xor", "not", "nand"]),
            "field-encoding" => self.word(&["u1", "u8", "i8", "i5", "u63", "i64", "u64", "i0"]),
            "subcommand" => self.word(&["getreg", "encoding", "todense", "decode", "x"]),
            "type" => self.word(&["string", "list", "set", "hash", "zset", "stream", "x"]),
            "threshold" => self.word(&["0", "1", "2", "5", "3-1", "10-0", "-1", "x"]),
            // Refused if it is below the stream's last.
            "last-id" if !self.random.once_in(3) => {
                self.word(&["9999999999999-1", "18446744073709551615-18446744073709551615"])
            }
            "group" | "groupname" | "consumer" | "consumername" => {
                self.word(&["g", "g", "g", "other"])
            }
            "id" | "last-id" | "max_deleted_entry_id" => self.id(),
            "min" | "max" | "start" | "stop" | "end" if group == Group::Stream => self.id(),
            "min" | "max" if self.random.once_in(2) => {
                self.word(&["-", "+", "[a", "(b", "[e", "-", "+"])
            }
            "min" | "max" | "start" | "stop" if !self.random.once_in(3) => {
                self.word(&["-", "+", "[a", "(b", "[e", "0", "1", "-1", "(1", "-inf", "inf", "3"])
            }
            _ => self.word(VALUES),
        }
    }

    fn id(&mut self) -> Vec<u8> {
        if self.random.once_in(4) {
            return self.word(IDS);
        }
        format!("{}-{}", self.random.below(40), self.random.below(3)).into_bytes()
    }

    fn integer(&mut self, name: &str) -> Vec<u8> {
        match name {
            "value" if self.random.once_in(2) => self.word(&["0", "1"]),
            "bit-offset" => {
                self.word(&["0", "1", "7", "8", "100", "#0", "#3", "5000", "-1", "4294967296", "x"])
            }
            "seconds" | "milliseconds" if !self.random.once_in(8) => {
                self.word(&["1", "2", "5", "100", "700", "5000"])
            }
            "min-idle-time" if !self.random.once_in(4) => self.word(&["0", "1", "20"]),
            "index" if !self.random.once_in(4) => self.word(&["0", "-1", "1"]),
            "entries_added" if !self.random.once_in(4) => self.word(&["100", "5000"]),
            "destination-db" | "db" | "index1" | "index2" if !self.random.once_in(8) => {
                self.word(&["0", "1"])
            }
            _ if self.random.once_in(5) => self.word(INTEGERS),
            _ => self.word(SMALL),
        }
    }

    /// Near the time of [`crate::world::START_MS`].
    fn time(&mut self, name: &str) -> Vec<u8> {
        if self.random.once_in(6) {
            return self.word(INTEGERS);
        }
        let ms = crate::world::START_MS + self.random.below(20_000) as u64;
        let time = if name.ends_with("seconds") && !name.ends_with("milliseconds") {
            ms / 1000
        } else {
            ms
        };
        time.to_string().into_bytes()
    }
}
