//! What must not be sent, and what cannot be compared unless something stands beside it.

use super::{Step, values};
use crate::comparison::Words;

/// Longer than this would hold up the run; shorter is too short to be measured.
const WAIT_SECONDS_MAX: f64 = 0.01;
/// So many seconds are refused by XREAD.
const WAIT_SECONDS_REFUSED: f64 = 9.22337203685477e15;

/// Whether no server waits long for it, or takes a lot of memory.
pub(super) fn is_harmless(words: &Words) -> bool {
    let waits = wait_seconds(words).is_none_or(|seconds| {
        seconds.is_nan()
            || seconds < 0.0
            || (seconds > 0.0 && seconds <= WAIT_SECONDS_MAX)
            || seconds > WAIT_SECONDS_REFUSED
    });
    waits && !repeats_much(words) && !is_unspecified(words) && !differs_on_purpose(words)
}

/// What Redis 7.0 gets wrong, or 7.2 answers otherwise; `differences.txt` has each of them.
fn differs_on_purpose(words: &Words) -> bool {
    let is = |name: &str| words[0].eq_ignore_ascii_case(name.as_bytes());
    let has = |wanted: &[u8]| words.iter().any(|word| word.eq_ignore_ascii_case(wanted));
    let least = has(b"-9223372036854775808");
    (is("lpos") && has(b"rank") && least)
        || (is("bitfield") && has(b"sat") && least)
        || ((is("zrank") || is("zrevrank")) && words.len() > 3)
}

/// A range by names of a sorted set whose scores differ.
fn is_unspecified(words: &Words) -> bool {
    let name = words[0].to_ascii_lowercase();
    let lexical = name.ends_with(b"lex") || name == b"zlexcount";
    let by_lex = words.iter().any(|word| word.eq_ignore_ascii_case(b"bylex"));
    let source = words.get(if name == b"zrangestore" { 2 } else { 1 });
    (lexical || by_lex) && source.is_some_and(|key| !values::is_lex(key))
}

/// How long it asks to wait, if it does and says it in a number.
fn wait_seconds(words: &Words) -> Option<f64> {
    let number = |word: &Vec<u8>| std::str::from_utf8(word).ok()?.trim().parse::<f64>().ok();
    match words[0].to_ascii_lowercase().as_slice() {
        b"blpop" | b"brpop" | b"bzpopmin" | b"bzpopmax" | b"brpoplpush" | b"blmove" => {
            number(words.last()?)
        }
        b"blmpop" | b"bzmpop" => number(words.get(1)?),
        b"xread" | b"xreadgroup" => {
            let at = words.iter().position(|word| word.eq_ignore_ascii_case(b"block"))?;
            Some(number(words.get(at + 1)?)? / 1e3)
        }
        _ => None,
    }
}

/// A negative count of random members is how many to answer.
fn repeats_much(words: &Words) -> bool {
    let draws = [&b"srandmember"[..], b"hrandfield", b"zrandmember"];
    let count = words.get(2).and_then(|count| std::str::from_utf8(count).ok()?.parse::<i64>().ok());
    let drawn = draws.iter().any(|name| words[0].eq_ignore_ascii_case(name));
    // The very least is refused.
    drawn && count.is_some_and(|count| (i64::MIN + 1..-1_000).contains(&count))
}

/// The command with what the comparison needs around it.
pub(super) fn step(words: Words) -> Step {
    let key = words.get(1).cloned().unwrap_or_default();
    let has = |wanted: &[u8]| words.iter().any(|word| word.eq_ignore_ascii_case(wanted));
    let delete = |key: &[u8]| vec![b"DEL".to_vec(), key.to_vec()];
    let kind_of = |key: &[u8]| vec![b"TYPE".to_vec(), key.to_vec()];
    match words[0].to_ascii_lowercase().as_slice() {
        // Which members are left is each server's own draw.
        b"spop" => vec![words, delete(&key)],
        // Of one key it notes the estimate in the string there, in Redis alone.
        b"pfcount" if words.len() == 2 => vec![[words, vec![key]].concat()],
        // The entry's id is the time.
        b"xadd" if has(b"*") => vec![words, delete(&key)],
        // Since 7.2 a consumer exists even if it was given nothing.
        b"xclaim" | b"xautoclaim" if words.len() > 3 => {
            vec![create_consumer(&key, &words[2..4]), words]
        }
        b"xreadgroup" if words.len() > 3 => {
            let streams = words.iter().position(|word| word.eq_ignore_ascii_case(b"streams"));
            let behind = streams.map_or(&[][..], |at| &words[at + 1..]);
            let keys = &behind[..behind.len().div_ceil(2)];
            let mut step: Step =
                keys.iter().map(|key| create_consumer(key, &words[2..4])).collect();
            step.push(words);
            step
        }
        // How equal weights are ordered depends on the order of a set.
        b"sort" if has(b"by") && has(b"alpha") && has(b"store") => {
            let stored: Vec<Words> = destinations(&words).map(delete).collect();
            [vec![kind_of(&key), words], stored].concat()
        }
        b"sort" | b"sort_ro" => vec![kind_of(&key), words],
        b"object" => {
            let key = words.get(2).cloned().unwrap_or_default();
            vec![kind_of(&key), words]
        }
        _ => vec![words],
    }
}

/// For a group and a consumer.
fn create_consumer(key: &[u8], group: &[Vec<u8>]) -> Words {
    let create = [b"XGROUP", &b"CREATECONSUMER"[..], key].map(<[u8]>::to_vec);
    [&create[..], group].concat()
}

/// What stands behind a STORE.
fn destinations(words: &Words) -> impl Iterator<Item = &[u8]> {
    let pairs = words.iter().zip(words.iter().skip(1));
    pairs.filter(|(word, _)| word.eq_ignore_ascii_case(b"store")).map(|(_, key)| key.as_slice())
}
