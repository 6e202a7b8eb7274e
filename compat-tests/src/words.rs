//! A line of text to a command's arguments, quoted as redis-cli quotes.

/// The arguments; an error says what is wrong with the line.
pub fn split(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Vec::new();
    let mut rest = line.bytes().peekable();
    loop {
        while rest.next_if(u8::is_ascii_whitespace).is_some() {}
        let Some(&first) = rest.peek() else { return Ok(words) };
        let mut word = Vec::new();
        if first == b'"' || first == b'\'' {
            rest.next();
            loop {
                match rest.next().ok_or(format!("a quote is not closed: {line}"))? {
                    quote if quote == first => break,
                    b'\\' if first == b'"' => word.push(escaped(&mut rest, line)?),
                    byte => word.push(byte),
                }
            }
        } else {
            while let Some(byte) = rest.next_if(|byte| !byte.is_ascii_whitespace()) {
                word.push(byte);
            }
        }
        words.push(word);
    }
}

fn escaped(rest: &mut impl Iterator<Item = u8>, line: &str) -> Result<u8, String> {
    let mut next = || rest.next().ok_or(format!("an escape is not finished: {line}"));
    Ok(match next()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'0' => 0,
        b'x' => {
            let digits = [next()?, next()?];
            let digits = std::str::from_utf8(&digits).map_err(|e| e.to_string())?;
            u8::from_str_radix(digits, 16).map_err(|e| format!("\\x{digits}: {e}"))?
        }
        other => other,
    })
}

/// The line that [`split`] turns into these arguments.
pub fn join(words: &[impl AsRef<[u8]>]) -> String {
    let quoted = |word: &[u8]| {
        let plain = !word.is_empty()
            && word.iter().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\'));
        if plain {
            return String::from_utf8_lossy(word).into_owned();
        }
        format!("\"{}\"", word.escape_ascii())
    };
    words.iter().map(|word| quoted(word.as_ref())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_words_split_again() {
        let words: [&[u8]; 5] = [b"SET", b"", b"a b\"c\\", b"\x00\r\n\xff'", b"plain"];
        let line = join(&words);
        assert_eq!(split(&line).unwrap(), words.map(<[u8]>::to_vec));
        assert!(split("\"open").is_err());
    }
}
