//! Glob patterns as `KEYS` and `SCAN MATCH` understand them: `*`, `?`, `[a-z]`, `[^a-z]`, `\x`.
//!
//! Everything but a star consumes exactly one byte, so after a mismatch it is enough to let the
//! *last* star take one byte more: no recursion, and at most pattern times text steps, where a
//! matcher that retries every star needs exponential time for `a*a*a*a*b`.
//!
//! Two oddities are Redis' own and kept, since clients can see them: a class that is never closed
//! ends with the pattern, and no pattern but the empty one matches the empty text (callers treat
//! the lone `*` as "everything" before they come here).

/// Whether `pattern` matches the whole of `text`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t) = (0, 0);
    // Where to go on after a mismatch: behind the last star, and one byte further in the text.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            if p == pattern.len() {
                return true;
            }
            retry = Some((p, t));
            continue;
        }
        if let Some(next) = step(pattern, p, text[t]) {
            p = next;
            t += 1;
            continue;
        }
        let Some((after_star, taken)) = retry else { return false };
        retry = Some((after_star, taken + 1));
        p = after_star;
        t = taken + 1;
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// Whether the pattern is the lone star that every key matches, the empty one included.
pub fn is_everything(pattern: &[u8]) -> bool {
    pattern == b"*"
}

/// Matches one byte against the element at `p`; the position behind the element if it fits.
fn step(pattern: &[u8], p: usize, byte: u8) -> Option<usize> {
    match *pattern.get(p)? {
        b'?' => Some(p + 1),
        b'[' => class(pattern, p + 1, byte),
        b'\\' if p + 1 < pattern.len() => (pattern[p + 1] == byte).then_some(p + 2),
        literal => (literal == byte).then_some(p + 1),
    }
}

/// Matches one byte against the class whose inside starts at `p`.
fn class(pattern: &[u8], mut p: usize, byte: u8) -> Option<usize> {
    let negated = pattern.get(p) == Some(&b'^');
    if negated {
        p += 1;
    }
    let mut found = false;
    while p < pattern.len() {
        match pattern[p] {
            b'\\' if p + 1 < pattern.len() => {
                found |= pattern[p + 1] == byte;
                p += 2;
            }
            b']' => {
                p += 1;
                break;
            }
            start if p + 2 < pattern.len() && pattern[p + 1] == b'-' => {
                found |= in_range(start, pattern[p + 2], byte);
                p += 3;
            }
            literal => {
                found |= literal == byte;
                p += 1;
            }
        }
    }
    (found != negated).then_some(p)
}

/// Ranges compare bytes as signed and may be written backwards, as Redis does on x86-64.
fn in_range(start: u8, end: u8, byte: u8) -> bool {
    let (start, end, byte) = (start as i8, end as i8, byte as i8);
    (start.min(end)..=start.max(end)).contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The obvious matcher: try every length for every star.
    fn model(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (Some(b'*'), None) => model(&pattern[1..], text),
            (Some(b'*'), Some(_)) => model(&pattern[1..], text) || model(pattern, &text[1..]),
            (Some(_), Some(&byte)) => {
                step(pattern, 0, byte).is_some_and(|next| model(&pattern[next..], &text[1..]))
            }
            _ => false,
        }
    }

    #[test]
    fn redis_examples() {
        let table: &[(&str, &str, bool)] = &[
            ("h?llo", "hello", true),
            ("h*llo", "heeeello", true),
            ("h*llo", "hllo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hbllo", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("[\\]]", "]", true),
            ("[a", "a", true),
            ("[a-", "-", true),
            ("[a-]", "b", false),
            ("[", "[", false),
            ("[^", "x", true),
            ("\\", "\\", true),
            ("", "", true),
            ("**", "", false),
            ("a**", "a", true),
            ("", "a", false),
        ];
        for &(pattern, text, expected) in table {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_stay_cheap() {
        let pattern = b"a*".repeat(1000);
        let text = vec![b'a'; 20_000];
        assert!(matches(&pattern, &text));
        assert!(!matches(&[pattern, b"b".to_vec()].concat(), &text));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn agrees_with_the_recursive_model(
            pattern in r"[ab*?\[\]^\\-]{0,10}",
            text in r"[ab\-\]]{1,8}",
        ) {
            prop_assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                model(pattern.as_bytes(), text.as_bytes())
            );
        }

        #[test]
        fn any_bytes(pattern: Vec<u8>, text: Vec<u8>) {
            matches(&pattern, &text);
        }
    }
}
