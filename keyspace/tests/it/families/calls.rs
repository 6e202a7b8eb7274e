//! Calls that no one would write, and calls exactly as the rows describe them.

use keyspace::command::{Arg, ArgKind, all};
use keyspace::{Command, Run};
use proptest::prelude::*;

use super::{Store, pick};

/// Every command that runs, with the words that name it.
fn commands() -> Vec<(Vec<&'static str>, &'static Command)> {
    let mut found = Vec::new();
    for command in all() {
        match command.run {
            Run::Container(inner) => {
                found.extend(inner.iter().map(|sub| (vec![command.spec.name, sub.spec.name], sub)));
            }
            _ => found.push((vec![command.spec.name], command)),
        }
    }
    found
}

/// A call as the rows describe it: every mandatory argument, some of the optional ones.
fn described(args: &[Arg], random: &mut impl FnMut() -> u64, call: &mut Vec<String>) {
    let mut counts_keys = false;
    let mut keys = 0;
    for arg in args {
        if arg.optional && random().is_multiple_of(2) {
            continue;
        }
        let mut repeats = if arg.multiple { random() % 3 + 1 } else { 1 };
        if counts_keys {
            *call.last_mut().expect("the count") = repeats.to_string();
            keys = repeats;
        }
        counts_keys = arg.name == "numkeys";
        // One for each key.
        if arg.name == "weight" {
            repeats = keys;
        }
        for repeat in 0..repeats {
            // A list follows its keyword once, as a rule.
            if repeat == 0 || arg.multiple_token || matches!(arg.kind, ArgKind::Block(_)) {
                call.extend(arg.token.map(str::to_owned));
            }
            match arg.kind {
                ArgKind::Key => call.push(pick("K", random())),
                // The row says no more, since Redis' own does not.
                ArgKind::String if arg.name == "bit-operation" => call.push("OR".to_owned()),
                ArgKind::String | ArgKind::Pattern => call.push(pick("V", random())),
                // Fits every count, offset, time and database.
                ArgKind::Integer | ArgKind::Double => call.push("1".to_owned()),
                ArgKind::UnixTime => call.push(pick("A", random())),
                ArgKind::PureToken => {}
                ArgKind::OneOf(choices) => {
                    let choice = random() as usize % choices.len();
                    described(&choices[choice..=choice], random, call);
                }
                ArgKind::Block(parts) => described(parts, random, call),
            }
        }
    }
}

/// Words that handlers may stumble over. No offset is among them that would really allocate
/// hundreds of megabytes.
const NASTY: &[&[u8]] = &[
    b"",
    b"a",
    b"b",
    b"0",
    b"-1",
    b"1",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"18446744073709551615",
    b"1e4932",
    b"-inf",
    b"0x",
    b"nan",
    b"3.14",
    b"\x00\xff\r\n",
    b"[",
    b"*",
    b"[a-",
    b"\\",
    b"EX",
    b"PX",
    b"EXAT",
    b"PXAT",
    b"KEEPTTL",
    b"NX",
    b"XX",
    b"GT",
    b"LT",
    b"GET",
    b"PERSIST",
    b"DB",
    b"REPLACE",
    b"COUNT",
    b"MATCH",
    b"TYPE",
    b"LEN",
    b"IDX",
    b"MINMATCHLEN",
    b"WITHMATCHLEN",
    b"ASYNC",
    b"BIT",
    b"NOT",
    b"XOR",
    b"SET",
    b"INCRBY",
    b"u63",
    b"i64",
    b"#7",
    b"OVERFLOW",
    b"FAIL",
    b"LEFT",
    b"RIGHT",
    b"BEFORE",
    b"RANK",
    b"MAXLEN",
    b"BY",
    b"STORE",
    b"LIMIT",
    b"ALPHA",
    b"*->a",
    b"536870912",
    b"99999",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// One poisoned entry would stop all replicas, so no input may panic.
    #[test]
    fn nonsense_never_panics(
        seeds in proptest::collection::vec((any::<u16>(), any::<[u16; 9]>(), 0usize..7), 100),
    ) {
        let commands = commands();
        let mut store = Store::new();
        for (which, random, extra) in seeds {
            let (name, command) = &commands[usize::from(which) % commands.len()];
            let mut args: Vec<&[u8]> = name.iter().map(|word| word.as_bytes()).collect();
            let arity = command.spec.arity;
            let wanted = arity.unsigned_abs() as usize + if arity < 0 { extra } else { 0 };
            for at in args.len()..wanted {
                args.push(NASTY[usize::from(random[at % 9]) % NASTY.len()]);
            }
            let reply = store.run((which % 2) as u8, &args);
            prop_assert!(reply.ends_with("\r\n"));
            store.0.now_ms += 1;
        }
    }

    /// What the rows say about arguments is what the handlers accept.
    #[test]
    fn described_calls_are_understood(seed: u64) {
        let mut state = seed;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 33
        };
        let mut store = Store::new();
        for (name, command) in commands() {
            let mut call: Vec<String> = name.iter().map(|word| (*word).to_owned()).collect();
            described(command.spec.args, &mut random, &mut call);
            let words: Vec<&str> = call.iter().map(String::as_str).collect();
            // Both may be left out, says Redis, and not that they exclude each other.
            if words.contains(&"IDLETIME") && words.contains(&"FREQ") {
                continue;
            }
            let reply = store.words(0, &words);
            // With more words behind it, it says what two arguments mean together (XTRIM's LIMIT).
            prop_assert!(!reply.contains("syntax error\r"), "{words:?}: {reply}");
            prop_assert!(!reply.contains("number of arguments"), "{words:?}: {reply}");
            prop_assert!(!reply.contains("Unsupported"), "{words:?}: {reply}");
        }
    }
}
