//! Taking replies apart.

use resp::Reply;

/// A string's bytes.
pub(crate) fn bytes(reply: &Reply<'_>) -> Vec<u8> {
    match reply {
        Reply::Bulk(bytes) => bytes.to_vec(),
        Reply::BulkInteger(number) => number.to_string().into_bytes(),
        other => panic!("{other:?} is no string"),
    }
}

/// The strings of an array or a set; of pairs, one behind the other.
pub(crate) fn strings(reply: &Reply<'_>) -> Vec<Vec<u8>> {
    match reply {
        Reply::Array(items) | Reply::Set(items) => items.iter().map(bytes).collect(),
        Reply::Map(pairs) | Reply::FlatPairs(pairs) => {
            pairs.iter().flat_map(|(first, second)| [bytes(first), bytes(second)]).collect()
        }
        other => panic!("{other:?} has no strings"),
    }
}

/// The strings in ascending order.
pub(crate) fn sorted(reply: &Reply<'_>) -> Vec<Vec<u8>> {
    let mut strings = strings(reply);
    strings.sort();
    strings
}

/// A scan's answer: the next cursor, and what was found.
pub(crate) fn scanned(reply: &Reply<'_>) -> (u64, Vec<Vec<u8>>) {
    let Reply::Array(parts) = reply else { panic!("{reply:?} is no scan's answer") };
    let [cursor, found] = &parts[..] else { panic!("{reply:?} is no scan's answer") };
    let cursor = String::from_utf8(bytes(cursor)).expect("a number");
    (cursor.parse().expect("a number"), strings(found))
}
