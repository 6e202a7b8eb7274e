//! Values for every role: few that meet, and all that may break something.

use compat_tests::random::Random;
use compat_tests::table::{Arg, Row};

use super::role::Role;

/// How a command that can range by several things means its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bounds {
    Index,
    Score,
    Lex,
}

type Choices = &'static [&'static [u8]];

/// The keys that commands of a group work on, most of the time.
const KEYS: [(&str, Choices); 8] = [
    ("string", &[b"a", b"b", b"w_1", b"w_a"]),
    ("bitmap", &[b"bits", b"{t}bits", b"a"]),
    ("hyperloglog", &[b"hll1", b"hll2", b"hll3"]),
    ("list", &[b"list1", b"list2", b"list3"]),
    ("set", &[b"set1", b"set2", b"set3", b"set4"]),
    ("hash", &[b"hash1", b"hash2", b"w_1h"]),
    ("sorted-set", &[b"zset1", b"zset2", b"zset3"]),
    ("stream", &[b"stream1", b"stream2"]),
];
const NOT_HYPERLOGLOGS: Choices = &[LEX_WRONG, b"set1", b"list1", b"none"];
const GEO_KEYS: Choices = &[b"geo1", b"geo2"];
/// All scores in these are equal. Elsewhere a range by names means what the heights in a skiplist
/// happen to make of it.
const LEX_KEYS: Choices = &[b"lex1", b"lex2"];
/// Holds a string, to be refused.
pub(crate) const LEX_WRONG: &[u8] = b"lex-string";
/// What else may be done to them.
const LEX_COMMANDS: [&str; 6] = ["zadd", "zrem", "zpopmin", "zpopmax", "zscore", "zrank"];
/// With a hash tag, binary, long, empty; commands of all groups meet here.
const ODD_KEYS: Choices = &[b"{t}d", b"{t}e", b"\x00\xff", b"", &[b'k'; 300]];

const NUMBERS_EDGE: Choices = &[
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"18446744073709551616",
    b"01",
    b"+1",
    b" 1",
    b"1 ",
    b"-0",
    b"3.0",
    b"1e3",
    b"1e400",
    b"inf",
    b"-inf",
    b"nan",
    b"0x10",
    b"",
];
const NUMBERS: Choices = &[b"0", b"1", b"-1", b"10", b"2", b"7", b"100", b"-42", b"70000"];
/// The longest are past the limits of Redis' small encodings and embedded strings.
const TEXTS: Choices = &[
    b"",
    b"hello world",
    b"\x00\r\n\xff",
    "ü→漢字".as_bytes(),
    &[b'v'; 44],
    &[b'u'; 65],
    &[b'w'; 400],
];
const MEMBERS: Choices = &[b"1", b"2", b"3", b"10", b"-1", b"a", b"b", b"c", b"hello", b"w_1"];

/// Nothing between what is quick to fill and what every server refuses: `SETRANGE k 500000000 x`
/// would take half a gigabyte.
const COUNTS: Choices = &[
    b"0",
    b"1",
    b"2",
    b"3",
    b"5",
    b"-1",
    b"-2",
    b"-5",
    b"7",
    b"63",
    b"100",
    b"1000",
    b"-1000",
    b"2147483648",
    b"4294967296",
    b"-2147483649",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"abc",
    b"",
    b"1.5",
];
/// Of these most are in range.
const COUNTS_LIKELY: usize = 9;

/// Values for a role: those that are accepted first, and how many these are.
type Pool = (usize, Choices);

/// Of those that are not usual, one in so many.
const UNUSUAL_ONCE_IN: usize = 10;

/// Expiries are past at once or outlast the run: what passes in between depends on the clock.
const PERIODS: Pool = (
    1,
    &[
        b"5000000",
        b"0",
        b"-1",
        b"-1000000",
        b"9223372036854775807",
        b"-9223372036854775808",
        b"abc",
        b"",
    ],
);
/// Two equal periods would make GT and LT depend on the millisecond: a random one hardly repeats.
const PERIODS_FROM: usize = 1_000_000;
const PERIODS_TO: usize = 4_000_000_000;
const UNIX_TIMES: Pool =
    (1, &[b"4102444800000", b"99999999999", b"1", b"0", b"-5", b"9223372036854775807", b"x", b""]);
/// Far apart, since messages grow older while the commands run.
const IDLE: Pool =
    (4, &[b"0", b"0", b"1000000", b"100000000000", b"-1", b"9223372036854775807", b"x"]);
const AGES: Pool = (3, &[b"0", b"1000", b"1000000", b"-1", b"x"]);

const SCORES: Pool = (
    14,
    &[
        b"0",
        b"1",
        b"2",
        b"3",
        b"1.5",
        b"-1.5",
        b"1e10",
        b"-1e-5",
        b"0.1",
        b"1e308",
        b"-1e308",
        b"inf",
        b"-inf",
        b"17179869184.00001",
        b"+inf",
        b"0x1p3",
        b"5.0e3",
        b"nan",
        b"1e400",
        b"x",
        b"",
    ],
);
const SCORE_BOUNDS: Pool = (
    12,
    &[
        b"-inf", b"+inf", b"inf", b"0", b"1", b"2", b"10", b"(1", b"(2", b"-1.5", b"(10", b"1e308",
        b"(-inf", b"(inf", b"nan", b"(", b"((1", b"x", b"",
    ],
);
const LEX_BOUNDS: Pool = (
    15,
    &[
        b"-", b"+", b"-", b"+", b"[a", b"(a", b"[b", b"(c", b"[m20", b"(m3", b"[", b"(", b"[hello",
        b"[\x00", b"(\xff", b"a", b"", b"-inf", b"++",
    ],
);

const LONGITUDES: Pool = (
    9,
    &[
        b"13.361389",
        b"15.087269",
        b"0",
        b"-0.1",
        b"2.35",
        b"-122.4",
        b"179.9999999",
        b"-180",
        b"180",
        b"180.0001",
        b"-181",
        b"1e-9",
        b"nan",
        b"inf",
        b"x",
        b"",
    ],
);
const LATITUDES: Pool = (
    8,
    &[
        b"38.115556",
        b"37.502669",
        b"0",
        b"0.1",
        b"48.85",
        b"-37.77",
        b"85.05112878",
        b"-85.05112878",
        b"85.06",
        b"-86",
        b"1e-9",
        b"nan",
        b"inf",
        b"x",
        b"",
    ],
);
const DISTANCES: Pool = (
    9,
    &[
        b"0", b"1", b"200", b"300", b"5000", b"1e5", b"20000", b"1e7", b"0.5", b"-1", b"1e308",
        b"nan", b"inf", b"x", b"",
    ],
);
const UNITS: Pool = (4, &[b"m", b"km", b"ft", b"mi", b"KM", b"cm", b""]);

/// Past the last that is sent nothing is that would be accepted.
const BIT_OFFSETS: Pool = (
    10,
    &[
        b"0",
        b"1",
        b"7",
        b"8",
        b"9",
        b"100",
        b"8191",
        b"#0",
        b"#1",
        b"#7",
        b"4294967296",
        b"9223372036854775807",
        b"9223372036854775808",
        b"-1",
        b"x",
        b"",
        b"#4294967296",
        b"#9223372036854775807",
        b"#-1",
        b"#",
    ],
);
const BITS: Pool = (2, &[b"0", b"1", b"2", b"-1", b"01", b"x", b""]);
const BIT_ENCODINGS: Pool = (
    10,
    &[
        b"u8", b"i8", b"u1", b"i1", b"u4", b"i16", b"i64", b"u63", b"u32", b"i5", b"u64", b"i65",
        b"u0", b"i0", b"U8", b"x8", b"u", b"",
    ],
);
const BIT_OPERATIONS: Pool = (4, &[b"AND", b"or", b"XOR", b"NOT", b"DIFF", b""]);

/// Never none, which would wait for ever.
const TIMEOUTS: Pool = (3, &[b"0.001", b"0.002", b"1e-5", b"-1", b"-0.5", b"x", b"", b"nan"]);
const BLOCKS: Pool = (2, &[b"1", b"2", b"-1", b"x", b"", b"1.5", b"9223372036854775808"]);

const IDS: Pool = (
    11,
    &[
        b"0",
        b"0-0",
        b"1-1",
        b"1",
        b"0-1",
        b"5-0",
        b"$",
        b">",
        b">",
        b"18446744073709551615-18446744073709551615",
        b"18446744073709551615",
        b"18446744073709551616",
        b"-",
        b"+",
        b"(1-1",
        b"1-",
        b"-1",
        b"1-*",
        b"1-x",
        b"x",
        b"",
    ],
);
const NEW_IDS_EDGE: Choices = &[
    b"*",
    b"*",
    b"0-0",
    b"0-1",
    b"1-1",
    b"0-*",
    b"18446744073709551615-18446744073709551615",
    b"18446744073709551615-*",
    b"1-x",
    b"-",
    b"x",
    b"",
];
const ID_BOUNDS_OPEN: Choices = &[b"-", b"+", b"-", b"+", b"(-", b"(+"];
const GROUPS: Pool = (2, &[b"g", b"h", b"", b"none"]);
const CONSUMERS: Pool = (3, &[b"c", b"d", b"e", b""]);

const PATTERNS: Pool =
    (8, &[b"*", b"?", b"[a-c]", b"[^a]", b"{t}*", b"a*", b"m1*", b"*k*k*", b"\\a", b"[", b""]);
const LOOKUPS: Pool = (
    6,
    &[
        b"w_*",
        b"#",
        b"*",
        b"w_*h->1",
        b"hash1->*",
        b"nosort",
        b"w_*->",
        b"->",
        b"x",
        b"",
        b"w_*->*",
        b"set*",
    ],
);
const TYPES: Pool =
    (6, &[b"string", b"list", b"set", b"zset", b"hash", b"stream", b"STRING", b"none", b""]);
const DBS: Pool = (3, &[b"0", b"1", b"15", b"16", b"-1", b"x", b"9223372036854775808"]);
const CURSORS: Pool = (1, &[b"0", b"1", b"17", b"18446744073709551615", b"-1", b"x", b""]);

/// Put where they do not belong; none is a period that would end during the run.
const MISPLACED: Choices =
    &[b"", b"0", b"-1", b"9223372036854775808", b"3.0", b"nx", b"a b", b"\x00\r\n\xff", b"*"];

/// Drawn from after the group's own keys.
const MEMBERS_NUMBERED: usize = 300;
/// Ids grow by at most so much.
const ID_STEP_MAX: usize = 3;

/// Draws values; remembers what the next have to fit.
pub(super) struct Values {
    dumps: Vec<Vec<u8>>,
    bounds: Bounds,
    /// Elements that are all integers keep a set an intset.
    numbers_only: bool,
    /// The newest stream id drawn: ids of entries grow.
    id: usize,
}

impl Values {
    pub(super) fn new(dumps: Vec<Vec<u8>>) -> Values {
        Values { dumps, bounds: Bounds::Index, numbers_only: false, id: 1 }
    }

    /// Before commands to empty servers.
    pub(super) fn begin_again(&mut self) {
        self.id = 1;
    }

    /// Before the values of a command.
    pub(super) fn begin(&mut self, row: &Row, bounds: Bounds) {
        self.bounds = bounds;
        self.numbers_only = row.group == "set" && bounds == Bounds::Index;
    }

    /// A key for a command of the row's group.
    pub(super) fn key(&mut self, random: &mut Random, row: &Row, arg: &Arg) -> Vec<u8> {
        let ranges = row.name.starts_with("zrange") && self.bounds == Bounds::Lex;
        let from_lex = (ranges && arg.name != "dst") || row.name.contains("lex");
        let own: Choices = match row.group.as_str() {
            _ if from_lex && random.once_in(20) => return LEX_WRONG.to_vec(),
            _ if from_lex => return any(random, LEX_KEYS),
            _ if LEX_COMMANDS.contains(&&*row.name) && random.once_in(8) => {
                return any(random, LEX_KEYS);
            }
            "geo" => GEO_KEYS,
            _ if row.name.starts_with("sort") && arg.name == "key" => {
                return any(random, &[b"list1", b"list2", b"set1", b"set2", b"zset1", b"zset2"]);
            }
            group => KEYS.iter().find(|(name, _)| *name == group).map_or(&[], |(_, keys)| *keys),
        };
        // What else writes to a HyperLogLog corrupts it; where that is noticed is each server's own.
        let others: fn(&mut Random) -> Vec<u8> = match row.group.as_str() {
            "hyperloglog" => |random| any(random, NOT_HYPERLOGLOGS),
            _ => any_key,
        };
        // Sorted sets are made of sets too.
        let sets = ["zunion", "zinter", "zdiff"].iter().any(|name| row.name.starts_with(name));
        match random.below(24) {
            0 if row.group != "hyperloglog" => any(random, ODD_KEYS),
            0 | 1 => others(random),
            2 | 3 if sets => any(random, KEYS[4].1),
            4 if row.group == "sorted-set" => any(random, GEO_KEYS),
            _ if own.is_empty() => others(random),
            _ => any(random, own),
        }
    }

    /// A value for the role.
    pub(super) fn value(&mut self, random: &mut Random, role: Role) -> Vec<u8> {
        match role {
            Role::Key => any_key(random),
            Role::Member => self.member(random),
            Role::Value | Role::Text => text(random),
            Role::Bound => {
                let role = match self.bounds {
                    Bounds::Index => Role::Index,
                    Bounds::Score => Role::ScoreBound,
                    Bounds::Lex => Role::LexBound,
                };
                self.value(random, role)
            }
            Role::LexBound if random.once_in(4) => {
                let member = self.member(random);
                [random.of(&[b"[", b"("]).as_slice(), &member].concat()
            }
            Role::Score | Role::ScoreBound if random.once_in(3) => {
                (random.below(40)).to_string().into_bytes()
            }
            Role::Longitude if random.once_in(3) => coordinate(random, 180),
            Role::Latitude if random.once_in(3) => coordinate(random, 85),
            Role::KeyCount | Role::Count | Role::Index => number(random),
            Role::Increment if random.once_in(6) => any(random, NUMBERS_EDGE),
            Role::Increment => any(random, NUMBERS),
            Role::BitOffset if random.once_in(3) => random.below(2_000).to_string().into_bytes(),
            Role::Period if random.once_in(2) => {
                let period = PERIODS_FROM + random.below(PERIODS_TO - PERIODS_FROM);
                period.to_string().into_bytes()
            }
            Role::NewId => self.new_id(random),
            Role::Id | Role::IdBound | Role::Threshold if random.below(3) > 0 => self.id(random),
            Role::IdBound if random.once_in(2) => any(random, ID_BOUNDS_OPEN),
            Role::Threshold if random.below(3) > 0 => random.below(120).to_string().into_bytes(),
            Role::Dump => self.dump(random),
            role => usual(random, pool(role)),
        }
    }

    fn member(&mut self, random: &mut Random) -> Vec<u8> {
        match random.below(10) {
            0 if !self.numbers_only => any(random, TEXTS),
            0 => any(random, NUMBERS_EDGE),
            1..6 if !self.numbers_only => any(random, MEMBERS),
            6 | 7 if !self.numbers_only => {
                format!("m{}", random.below(MEMBERS_NUMBERED)).into_bytes()
            }
            _ => random.below(MEMBERS_NUMBERED).to_string().into_bytes(),
        }
    }

    fn new_id(&mut self, random: &mut Random) -> Vec<u8> {
        if random.once_in(8) {
            return any(random, NEW_IDS_EDGE);
        }
        self.id += random.below(ID_STEP_MAX);
        match random.below(4) {
            0 => format!("{}-*", self.id),
            1 => self.id.to_string(),
            _ => format!("{}-{}", self.id, random.below(5)),
        }
        .into_bytes()
    }

    /// Usually one that an entry may have.
    fn id(&self, random: &mut Random) -> Vec<u8> {
        let ms = random.below(self.id + 2);
        let id = match random.below(5) {
            0 => ms.to_string(),
            1 => format!("({ms}-{}", random.below(5)),
            _ => format!("{ms}-{}", random.below(5)),
        };
        id.into_bytes()
    }

    /// One in four is spoilt: a wrong byte, or an end that is missing.
    fn dump(&self, random: &mut Random) -> Vec<u8> {
        let mut dump = match self.dumps.len() {
            0 => return text(random),
            _ => random.of(&self.dumps).clone(),
        };
        match random.below(8) {
            0 => {
                let at = random.below(dump.len());
                dump[at] ^= 1 << random.below(8);
            }
            1 => dump.truncate(random.below(dump.len())),
            _ => {}
        }
        dump
    }
}

/// Every key that commands write, the big ones apart.
pub(crate) fn all_keys() -> impl Iterator<Item = &'static [u8]> {
    let own = KEYS.iter().flat_map(|(_, keys)| *keys);
    own.chain(GEO_KEYS).chain(LEX_KEYS).chain(ODD_KEYS).copied()
}

/// Whether all scores at the key are to be equal.
pub(super) fn is_lex(key: &[u8]) -> bool {
    key == LEX_WRONG || LEX_KEYS.contains(&key)
}

/// Where megabytes go; no other command reads them.
pub(super) fn big_key(row: &Row) -> Vec<u8> {
    format!("big:{}", row.group).into_bytes()
}

/// A word where it does not belong.
pub(super) fn misplaced(random: &mut Random) -> Vec<u8> {
    any(random, MISPLACED)
}

fn any(random: &mut Random, choices: Choices) -> Vec<u8> {
    choices[random.below(choices.len())].to_vec()
}

/// Of any type but HyperLogLogs.
fn any_key(random: &mut Random) -> Vec<u8> {
    loop {
        let (group, keys) = random.of(&KEYS);
        if *group != "hyperloglog" {
            return any(random, keys);
        }
    }
}

fn number(random: &mut Random) -> Vec<u8> {
    let likely = if random.below(3) > 0 { COUNTS_LIKELY } else { COUNTS.len() };
    COUNTS[random.below(likely)].to_vec()
}

fn text(random: &mut Random) -> Vec<u8> {
    let choices = *random.of(&[TEXTS, NUMBERS, NUMBERS, NUMBERS_EDGE, MEMBERS]);
    any(random, choices)
}

fn coordinate(random: &mut Random, degrees: usize) -> Vec<u8> {
    let whole = random.below(2 * degrees) as i64 - degrees as i64;
    format!("{whole}.{}", random.below(1_000_000)).into_bytes()
}

fn usual(random: &mut Random, (usual, choices): Pool) -> Vec<u8> {
    let among = if random.once_in(UNUSUAL_ONCE_IN) { choices.len() } else { usual };
    choices[random.below(among)].to_vec()
}

fn pool(role: Role) -> Pool {
    match role {
        Role::Score => SCORES,
        Role::ScoreBound => SCORE_BOUNDS,
        Role::LexBound => LEX_BOUNDS,
        Role::Longitude => LONGITUDES,
        Role::Latitude => LATITUDES,
        Role::Distance => DISTANCES,
        Role::Unit => UNITS,
        Role::BitOffset => BIT_OFFSETS,
        Role::Bit => BITS,
        Role::BitEncoding => BIT_ENCODINGS,
        Role::BitOperation => BIT_OPERATIONS,
        Role::Timeout => TIMEOUTS,
        Role::Block => BLOCKS,
        Role::Period => PERIODS,
        Role::UnixTime => UNIX_TIMES,
        Role::Idle => IDLE,
        Role::Age => AGES,
        Role::Id | Role::IdBound | Role::Threshold => IDS,
        Role::Group => GROUPS,
        Role::Consumer => CONSUMERS,
        Role::Pattern => PATTERNS,
        Role::Lookup => LOOKUPS,
        Role::Cursor => CURSORS,
        Role::Db => DBS,
        Role::Type => TYPES,
        _ => (TEXTS.len(), TEXTS),
    }
}
