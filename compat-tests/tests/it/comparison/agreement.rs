//! Whether two servers' replies to the same commands say the same.
//!
//! Usually the same bytes. What has no order is compared as what it holds, what is drawn at random
//! where it is determined, what tells a time up to what passed between the servers.

use compat_tests::resp::{self, Value};

use super::Words;

/// Replies that count time may differ by what passed between the two servers.
const TIME_NEAR: i64 = 60_000;
/// Integers from here on may be Unix times in milliseconds; shorter ones would hide other mistakes.
const TIME_FROM: i64 = 100_000_000_000;
/// No random collection is so large: a draw of more has to bring everything.
const DRAWS_ALL: i64 = 1 << 31;

/// The index of the first of the commands that two servers answered differently.
pub(super) fn first_difference(
    commands: &[&Words],
    ours: &[Vec<u8>],
    redis: &[Vec<u8>],
) -> Option<usize> {
    let mut queued: Vec<usize> = Vec::new();
    let mut kind = String::new();
    for (at, words) in commands.iter().enumerate() {
        let (ours, redis) = (&ours[at], &redis[at]);
        let is = |name: &str| words[0].eq_ignore_ascii_case(name.as_bytes());
        if redis == b"+QUEUED\r\n" && ours == redis {
            queued.push(at);
            continue;
        }
        let before = if is("exec") { std::mem::take(&mut queued) } else { Vec::new() };
        if is("discard") {
            queued.clear();
        }
        if ours != redis {
            let (ours, redis) = (decoded(ours), decoded(redis));
            let before: Vec<&Words> = before.iter().map(|index| commands[*index]).collect();
            if !agree(words, &kind, &before, &ours, &redis) {
                return Some(at);
            }
        }
        kind = kind_after(redis);
    }
    None
}

fn decoded(bytes: &[u8]) -> (Value, u8) {
    (resp::decode(bytes).expect("a whole reply").0, bytes[0])
}

/// What TYPE said, if that was the command.
fn kind_after(reply: &[u8]) -> String {
    let text = reply.strip_prefix(b"+").and_then(|text| text.strip_suffix(b"\r\n"));
    String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
}

/// `kind` is the type of the command's key, where the generator asked for it just before; `queued`
/// are the commands that an EXEC runs.
fn agree(
    words: &Words,
    kind: &str,
    queued: &[&Words],
    ours: &(Value, u8),
    redis: &(Value, u8),
) -> bool {
    let ((ours, our_mark), (redis, mark)) = (ours, redis);
    match (ours, redis) {
        (ours, Value::Error(redis)) if !matches!(ours, Value::Error(_)) => {
            misled_by_errno(words, redis)
        }
        (Value::Error(ours), Value::Error(redis)) => refused_alike(ours, redis),
        _ if our_mark != mark => false,
        (Value::Array(ours), Value::Array(redis)) if !queued.is_empty() => {
            let mut kind = String::new();
            ours.len() == redis.len()
                && redis.len() == queued.len()
                && ours.iter().zip(redis).zip(queued).all(|((ours, redis), words)| {
                    let same = ours == redis || alike(words, &kind, ours, redis);
                    kind =
                        if let Value::Status(kind) = redis { kind.clone() } else { String::new() };
                    same
                })
        }
        _ => alike(words, kind, ours, redis),
    }
}

/// Since 7.2 a time to wait that does not fit is told from a negative one; 7.0 lets it overflow.
const OVERFLOW: (&str, &str) = ("ERR timeout is out of range", "ERR timeout is negative");

/// SORT in Redis takes a range error that an earlier command met, as ZADD of 1e400 does, for one
/// of the numbers that it sorts by.
fn misled_by_errno(words: &Words, redis: &str) -> bool {
    let sorts = [&b"sort"[..], b"sort_ro"].iter().any(|name| words[0].eq_ignore_ascii_case(name));
    sorts && redis == "ERR One or more scores can't be converted into double"
}

fn refused_alike(ours: &str, redis: &str) -> bool {
    // Redis quotes an argument up to its first NUL, and some of its error texts end there.
    let quoted = ours.split_once('\0').is_some_and(|(head, tail)| {
        redis.strip_prefix(head).is_some_and(|rest| tail.ends_with(rest))
    });
    // Redis quotes bytes that are no UTF-8 as they are; our errors are text.
    ours == redis || quoted || (ours, redis) == OVERFLOW
}

/// Whether replies that are not equal say the same for this command.
fn alike(words: &Words, kind: &str, ours: &Value, redis: &Value) -> bool {
    if let (Value::Error(ours), Value::Error(redis)) = (ours, redis) {
        return refused_alike(ours, redis);
    }
    let name = String::from_utf8_lossy(&words[0]).to_ascii_lowercase();
    let second = words.get(1).map(|word| String::from_utf8_lossy(word).to_ascii_lowercase());
    let has = |wanted: &[u8]| words.iter().any(|word| word.eq_ignore_ascii_case(wanted));
    match (name.as_str(), second.as_deref()) {
        ("keys" | "smembers" | "sunion" | "sinter" | "sdiff" | "hkeys" | "hvals", _) => {
            sorted(ours) == sorted(redis)
        }
        ("hgetall", _) => sorted_pairs(ours) == sorted_pairs(redis),
        ("scan" | "sscan" | "hscan" | "zscan", _) => scanned_alike(words, ours, redis),
        ("spop" | "srandmember" | "hrandfield" | "zrandmember", _) => {
            drawn_alike(words, ours, redis)
        }
        ("randomkey" | "dump", _) => same_kind(ours, redis),
        ("xadd", _) if has(b"*") => same_kind(ours, redis),
        ("sort" | "sort_ro", _) if sorts_at_will(words, kind) => {
            same_size(ours, redis) && (has(b"limit") || sorted(ours) == sorted(redis))
        }
        ("sort" | "sort_ro", _) if has(b"alpha") => up_to_nul(ours) == up_to_nul(redis),
        ("ttl" | "pttl" | "expiretime" | "pexpiretime", _) => {
            far(ours) && far(redis) && near(ours, redis)
        }
        ("zscore" | "zmscore" | "zrange" | "zincrby", _) => near_scores(ours, redis),
        ("object", Some("idletime")) => near(ours, redis),
        ("object", Some("encoding")) => encoded_alike(kind, ours, redis),
        ("xpending", _) => pending_alike(ours, redis),
        ("xinfo", _) => told_alike(ours, redis),
        _ => false,
    }
}

/// What SORT makes of equal elements is left to the order in which a set, or a large sorted set,
/// brings them; names are equal from their first NUL on.
fn sorts_at_will(words: &Words, kind: &str) -> bool {
    let behind = |wanted: &[u8]| {
        let at = words.iter().rposition(|word| word.eq_ignore_ascii_case(wanted))?;
        words.get(at + 1)
    };
    let alpha = words.iter().any(|word| word.eq_ignore_ascii_case(b"alpha"));
    let unsorted = behind(b"by").is_some_and(|pattern| !pattern.contains(&b'*'));
    match kind {
        "set" => unsorted || alpha,
        "zset" => !unsorted && alpha,
        // Without its pattern's keys, all are equal.
        "list" => !unsorted && alpha && behind(b"by").is_some(),
        _ => false,
    }
}

/// Scores may be distances that GEOSEARCHSTORE left, whose last digits are the C library's.
fn near_scores(ours: &Value, redis: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Bulk(text) => std::str::from_utf8(text).ok()?.parse::<f64>().ok(),
        Value::Double(text) => text.parse().ok(),
        _ => None,
    };
    match (ours, redis) {
        (Value::Array(ours), Value::Array(redis)) => {
            ours.len() == redis.len()
                && ours.iter().zip(redis).all(|(a, b)| a == b || near_scores(a, b))
        }
        _ => match (number(ours), number(redis)) {
            (Some(ours), Some(redis)) => (ours - redis).abs() <= 4.0 * f64::EPSILON * ours.abs(),
            _ => false,
        },
    }
}

/// A list of strings as C reads them, which is how Redis compares those that it sorts.
fn up_to_nul(list: &Value) -> Option<Vec<&[u8]>> {
    fn text(item: &Value) -> Option<&[u8]> {
        let Value::Bulk(bytes) = item else { return None };
        bytes.split(|byte| *byte == 0).next()
    }
    let Value::Array(items) = list else { return None };
    items.iter().map(text).collect()
}

fn same_kind(ours: &Value, redis: &Value) -> bool {
    std::mem::discriminant(ours) == std::mem::discriminant(redis)
}

fn same_size(ours: &Value, redis: &Value) -> bool {
    match (list(ours), list(redis)) {
        (Some(ours), Some(redis)) => ours.len() == redis.len(),
        _ => false,
    }
}

fn list(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(items) | Value::Set(items) => Some(items),
        _ => None,
    }
}

fn sorted(value: &Value) -> Option<Vec<String>> {
    let mut texts: Vec<String> = list(value)?.iter().map(ToString::to_string).collect();
    texts.sort_unstable();
    Some(texts)
}

/// The pairs of a map, of a flat list, or of a list of pairs.
fn sorted_pairs(value: &Value) -> Option<Vec<String>> {
    if list(value).is_some_and(|items| items.iter().all(|item| list(item).is_some())) {
        return sorted(value);
    }
    let pairs: Vec<(Value, Value)> = match value {
        Value::Map(pairs) => pairs.clone(),
        list if list.items().len().is_multiple_of(2) => list.pairs(),
        _ => return None,
    };
    let mut texts: Vec<String> = pairs.iter().map(|(a, b)| format!("{a}: {b}")).collect();
    texts.sort_unstable();
    Some(texts)
}

/// A scan that is done in one step has brought everything.
fn scanned_alike(words: &Words, ours: &Value, redis: &Value) -> bool {
    let (Some([our_cursor, our_items]), Some([cursor, items])) = (list(ours), list(redis)) else {
        return false;
    };
    let is_scan = words[0].eq_ignore_ascii_case(b"scan");
    let from = words.get(if is_scan { 1 } else { 2 }).map_or(&b""[..], |cursor| cursor);
    let done = Value::Bulk(b"0".to_vec());
    if from != b"0" || *our_cursor != done || *cursor != done {
        return same_kind(our_items, items);
    }
    match words[0].to_ascii_lowercase().as_slice() {
        b"hscan" | b"zscan" => sorted_pairs(our_items) == sorted_pairs(items),
        _ => sorted(our_items) == sorted(items),
    }
}

/// A draw of as many as there are is determined but for its order.
fn drawn_alike(words: &Words, ours: &Value, redis: &Value) -> bool {
    let count = words.get(2).and_then(|count| std::str::from_utf8(count).ok()?.parse::<i64>().ok());
    match count {
        None => same_kind(ours, redis),
        Some(count) if count >= DRAWS_ALL && words.len() > 3 => {
            sorted_pairs(ours) == sorted_pairs(redis)
        }
        Some(count) if count >= DRAWS_ALL => sorted(ours) == sorted(redis),
        Some(_) => same_size(ours, redis),
    }
}

/// Lists and sets have a listpack more in 7.2 than in 7.0, and SORT turns a sorted set that it only
/// reads into a skiplist there.
fn encoded_alike(kind: &str, ours: &Value, redis: &Value) -> bool {
    let bulk = |value: &Value| match value {
        Value::Bulk(text) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    };
    matches!(
        (kind, bulk(ours).as_str(), bulk(redis).as_str()),
        ("list", "listpack", "quicklist")
            | ("set", "listpack", "hashtable")
            | ("zset", "listpack", "skiplist")
    )
}

fn far(value: &Value) -> bool {
    matches!(value, Value::Integer(number) if *number > TIME_NEAR)
}

fn near(ours: &Value, redis: &Value) -> bool {
    match (ours, redis) {
        (Value::Integer(ours), Value::Integer(redis)) => {
            ours.saturating_sub(*redis).abs() < TIME_NEAR
        }
        _ => false,
    }
}

/// Messages as XPENDING lists them: id, consumer, idle, deliveries.
fn pending_alike(ours: &Value, redis: &Value) -> bool {
    let (Some(ours), Some(redis)) = (list(ours), list(redis)) else { return false };
    ours.len() == redis.len()
        && ours.iter().zip(redis).all(|(ours, redis)| match (list(ours), list(redis)) {
            (Some([id, consumer, idle, count]), Some([id_2, consumer_2, idle_2, count_2])) => {
                (id, consumer, count) == (id_2, consumer_2, count_2) && near(idle, idle_2)
            }
            _ => ours == redis,
        })
}

/// How many nodes a radix tree has is each server's own.
const INNER: [&str; 2] = ["radix-tree-keys", "radix-tree-nodes"];
/// Fields of XINFO that 7.2 brought.
const NEW_FIELDS: [&str; 2] = ["inactive", "active-time"];

/// What XINFO tells: fields and values, nested, with times in between.
fn told_alike(ours: &Value, redis: &Value) -> bool {
    if let (Some(mut ours), Some(mut redis)) = (fields(ours), fields(redis)) {
        ours.retain(|(name, _)| !NEW_FIELDS.contains(&name.as_str()));
        redis.retain(|(name, _)| !NEW_FIELDS.contains(&name.as_str()));
        return ours.len() == redis.len()
            && ours.iter().zip(&redis).all(|((name, value), (name_2, value_2))| {
                let told = if name == "idle" {
                    near(value, value_2)
                } else {
                    INNER.contains(&name.as_str()) || told_alike(value, value_2)
                };
                name == name_2 && told
            });
    }
    match (ours, redis) {
        (Value::Integer(a), Value::Integer(b)) if a != b => {
            a.min(b) > &TIME_FROM && near(ours, redis)
        }
        _ => match (list(ours), list(redis)) {
            (Some(ours), Some(redis)) => {
                ours.len() == redis.len()
                    && ours.iter().zip(redis).all(|(ours, redis)| told_alike(ours, redis))
            }
            _ => ours == redis,
        },
    }
}

/// A map's, or a flat list's that begins with a field of XINFO.
fn fields(value: &Value) -> Option<Vec<(String, &Value)>> {
    let named = |name: &Value| match name {
        Value::Bulk(name) => Some(String::from_utf8_lossy(name).into_owned()),
        _ => None,
    };
    match value {
        Value::Map(pairs) => {
            pairs.iter().map(|(name, value)| Some((named(name)?, value))).collect()
        }
        Value::Array(items) if items.len() >= 4 && items.len().is_multiple_of(2) => {
            let first = named(&items[0])?;
            if !["name", "length", "id"].contains(&first.as_str()) {
                return None;
            }
            items.chunks(2).map(|pair| Some((named(&pair[0])?, &pair[1]))).collect()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(command: &str, ours: &str, redis: &str) -> bool {
        let words = compat_tests::words::split(command).unwrap();
        let bytes = |text: &str| vec![text.replace(' ', "\r\n").into_bytes()];
        first_difference(&[&words], &bytes(ours), &bytes(redis)).is_none()
    }

    #[test]
    fn what_has_no_order_is_compared_by_what_it_holds() {
        assert!(compared("SMEMBERS k", "*2 $1 a $1 b ", "*2 $1 b $1 a "));
        assert!(!compared("SMEMBERS k", "*2 $1 a $1 b ", "*2 $1 b $1 b "));
        assert!(!compared("LRANGE k 0 -1", "*2 $1 a $1 b ", "*2 $1 b $1 a "));
        assert!(!compared("SMEMBERS k", "*0 ", "~0 "));
        let pairs = "*4 $1 a $1 1 $1 b $1 2 ";
        assert!(compared("HGETALL k", pairs, "*4 $1 b $1 2 $1 a $1 1 "));
        assert!(!compared("HGETALL k", pairs, "*4 $1 b $1 1 $1 a $1 2 "));
        assert!(compared("HSCAN k 0", "*2 $1 0 *2 $1 a $1 1 ", "*2 $1 7 *0 "));
        assert!(!compared("HSCAN k 0", "*2 $1 0 *2 $1 a $1 1 ", "*2 $1 0 *0 "));
    }

    #[test]
    fn draws_are_compared_where_they_are_determined() {
        assert!(compared("SRANDMEMBER k", "$1 a ", "$1 b "));
        assert!(!compared("SRANDMEMBER k", "$1 a ", "$-1 "));
        assert!(compared("SRANDMEMBER k 1", "*1 $1 a ", "*1 $1 b "));
        assert!(!compared("SRANDMEMBER k 2", "*1 $1 a ", "*2 $1 b $1 c "));
        assert!(!compared("SRANDMEMBER k 4294967296", "*1 $1 a ", "*1 $1 b "));
    }

    #[test]
    fn replies_of_exec_are_compared_each_by_its_command() {
        let words: Vec<Words> = ["MULTI", "SMEMBERS s", "LRANGE l 0 -1", "EXEC"]
            .map(|line| compat_tests::words::split(line).unwrap())
            .into();
        let replies = |last: &str| {
            ["+OK ", "+QUEUED ", "+QUEUED ", last]
                .map(|text| text.replace(' ', "\r\n").into_bytes())
        };
        let commands: Vec<&Words> = words.iter().collect();
        let same = "*2 *2 $1 a $1 b *2 $1 a $1 b ";
        let compare = |other| first_difference(&commands, &replies(same), &replies(other));
        assert_eq!(compare("*2 *2 $1 b $1 a *2 $1 a $1 b "), None);
        assert_eq!(compare("*2 *2 $1 a $1 b *2 $1 b $1 a "), Some(3));
    }
}
