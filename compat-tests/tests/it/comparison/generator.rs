//! Random commands from the server's own table, biased to the edges of every argument.

use compat_tests::random::Random;
use compat_tests::table::{Arg, Row};

/// Few keys, so that commands meet; one with a hash tag, one binary, one long, one empty.
const KEYS: [&[u8]; 8] = [b"a", b"b", b"c", b"{t}d", b"{t}e", b"\x00\xff", b"", &[b'k'; 300]];

const STRINGS: [&[u8]; 26] = [
    b"",
    b"0",
    b"1",
    b"-1",
    b"10",
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
    b"hello world",
    b"\x00\r\n\xff",
    &[b'v'; 44],
    &[b'w'; 400],
];

/// Nothing between what is quick to fill and what every server refuses: `SETRANGE k 500000000 x`
/// would take half a gigabyte.
const INTEGERS: [&[u8]; 22] = [
    b"0",
    b"1",
    b"-1",
    b"2",
    b"3",
    b"5",
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

/// Expiries are past at once or outlast the run: what passes in between depends on the clock.
const PERIODS: [&[u8]; 7] =
    [b"0", b"-1", b"-1000000", b"9223372036854775807", b"-9223372036854775808", b"abc", b""];
/// Two equal periods would make GT and LT depend on the millisecond: a random one hardly repeats.
const PERIODS_FROM: usize = 1_000_000;
const PERIODS_TO: usize = 4_000_000_000;
const UNIX_TIMES: [&[u8]; 8] =
    [b"1", b"0", b"-5", b"4102444800000", b"99999999999", b"9223372036854775807", b"x", b""];

/// Put where they do not belong; none is a period that would end during the run.
const MISPLACED: [&[u8]; 8] =
    [b"", b"0", b"-1", b"9223372036854775808", b"3.0", b"nx", b"a b", b"\x00\r\n\xff"];

const DOUBLES: [&[u8]; 16] = [
    b"0", b"1.5", b"-1.5", b"3", b"1e10", b"-1e-5", b"0.1", b"1e308", b"-1e308", b"inf", b"-inf",
    b"nan", b"5.0e3", b"1e400", b"x", b"",
];

/// What SETBIT and BITFIELD address: nothing that takes megabytes.
const BIT_OFFSETS: [&[u8]; 12] =
    [b"0", b"1", b"7", b"8", b"31", b"64", b"1000", b"-1", b"#1", b"#7", b"4294967296", b"abc"];
const FIELD_ENCODINGS: [&[u8]; 10] =
    [b"u1", b"i1", b"u8", b"i8", b"i5", b"u63", b"i64", b"u64", b"i65", b"x8"];
const BIT_OPERATIONS: [&[u8]; 5] = [b"AND", b"or", b"XOR", b"NOT", b"NAND"];

const PATTERNS: [&[u8]; 10] =
    [b"*", b"?", b"[a-c]", b"[^a]", b"{t}*", b"a*", b"\\a", b"[", b"", b"*k*k*"];

/// A bounded number of repetitions keeps the replies short.
const REPEATS_MAX: usize = 4;

/// A command of the row, usually well formed.
pub(super) fn command(row: &Row, random: &mut Random) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = row.words().into_iter().map(String::into_bytes).collect();
    if random.once_in(4) {
        words[0].make_ascii_uppercase();
    }
    for arg in &row.args {
        push(arg, random, &mut words);
    }
    match random.below(40) {
        0 => drop(words.pop()),
        1 => words.push(random.of(&MISPLACED).to_vec()),
        2 => {
            let at = random.below(words.len());
            words[at] = random.of(&MISPLACED).to_vec();
        }
        _ => {}
    }
    if words.is_empty() { vec![b"ping".to_vec()] } else { words }
}

fn push(arg: &Arg, random: &mut Random, words: &mut Vec<Vec<u8>>) {
    if arg.optional && random.below(3) > 0 {
        return;
    }
    let repeats = if arg.multiple { 1 + random.below(REPEATS_MAX) } else { 1 };
    for _ in 0..repeats {
        if let Some(token) = &arg.token {
            let mut token = token.clone().into_bytes();
            if random.once_in(4) {
                token.make_ascii_lowercase();
            }
            words.push(token);
        }
        match arg.kind.as_str() {
            "pure-token" => {}
            "oneof" => push(random.of(&arg.args), random, words),
            "block" => arg.args.iter().for_each(|inner| push(inner, random, words)),
            kind => words.push(value(kind, &arg.name, random)),
        }
    }
}

fn value(kind: &str, name: &str, random: &mut Random) -> Vec<u8> {
    let timed = ["seconds", "milliseconds"].iter().any(|unit| name.contains(unit));
    let choices: &[&[u8]] = match kind {
        "key" => &KEYS,
        _ if name == "bit-offset" => &BIT_OFFSETS,
        _ if name == "field-encoding" => &FIELD_ENCODINGS,
        _ if name == "bit-operation" => &BIT_OPERATIONS,
        "unix-time" => &UNIX_TIMES,
        "integer" if timed && name.contains("unix") => &UNIX_TIMES,
        "integer" if timed && random.once_in(2) => {
            let period = PERIODS_FROM + random.below(PERIODS_TO - PERIODS_FROM);
            return period.to_string().into_bytes();
        }
        "integer" if timed => &PERIODS,
        "integer" => &INTEGERS,
        "double" => &DOUBLES,
        "pattern" => &PATTERNS,
        _ => &STRINGS,
    };
    choices[random.below(choices.len())].to_vec()
}
