//! Parsing and checking of one setting's text, with the reasons that Redis gives.
//!
//! Pure: what is parsed here is stored by the parent.

use super::table::{Kind, Row};

/// A checked value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A number; 0 or 1 for yes and no; the index of a word.
    Number(u64),
    /// New limits for some classes.
    OutputLimits(Vec<(OutputClass, OutputLimit)>),
    /// A password.
    Secret(String),
}

/// Clients whose unread replies are limited alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputClass {
    /// Ordinary clients.
    Normal,
    /// Kept for CONFIG's sake: our replicas do not use client connections.
    Replica,
    /// Subscribers.
    Pubsub,
}

impl OutputClass {
    /// All classes, with the names that CONFIG GET prints.
    pub(super) const ALL: [(OutputClass, &'static str); 3] = [
        (OutputClass::Normal, "normal"),
        (OutputClass::Replica, "slave"),
        (OutputClass::Pubsub, "pubsub"),
    ];

    fn parse(word: &str) -> Option<OutputClass> {
        if word.eq_ignore_ascii_case("replica") {
            return Some(OutputClass::Replica);
        }
        let found = OutputClass::ALL.iter().find(|(_, name)| name.eq_ignore_ascii_case(word));
        found.map(|(class, _)| *class)
    }
}

/// Bytes of unread replies at which a client is closed; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutputLimit {
    /// Closed at once above this.
    pub(crate) hard_bytes: u64,
    /// Closed when above this...
    pub(crate) soft_bytes: u64,
    /// ...for this long.
    pub(crate) soft_seconds: u64,
}

/// Checks `text` against the row's kind; the error is the reason that CONFIG SET gives.
pub(super) fn parse(row: &Row, text: &str) -> Result<Value, String> {
    match row.kind {
        Kind::Bool => match text {
            _ if text.eq_ignore_ascii_case("yes") => Ok(Value::Number(1)),
            _ if text.eq_ignore_ascii_case("no") => Ok(Value::Number(0)),
            _ => Err("argument must be 'yes' or 'no'".into()),
        },
        Kind::Integer { min, max } => {
            let number: i128 =
                text.parse().map_err(|_| "argument couldn't be parsed into an integer")?;
            within(number, min, max)
        }
        Kind::Bytes { min, max } => {
            let number = parse_bytes(text).ok_or("argument must be a memory value")?;
            within(i128::from(number), min, max)
        }
        Kind::Choice(words) => {
            let found = words.iter().position(|word| word.eq_ignore_ascii_case(text));
            found.map(|index| Value::Number(index as u64)).ok_or_else(|| {
                format!("argument(s) must be one of the following: {}", words.join(", "))
            })
        }
        Kind::OutputLimits => parse_output_limits(text).map(Value::OutputLimits),
        Kind::Secret => Ok(Value::Secret(text.to_owned())),
        Kind::Alias(id) => parse(id.row(), text),
    }
}

fn within(number: i128, min: u64, max: u64) -> Result<Value, String> {
    match u64::try_from(number) {
        Ok(number) if (min..=max).contains(&number) => Ok(Value::Number(number)),
        _ => Err(format!("argument must be between {min} and {max} inclusive")),
    }
}

/// A number of bytes as Redis writes it: `100`, `1k` (1000), `1kb` (1024) and so on to `gb`.
pub(super) fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn parse_output_limits(text: &str) -> Result<Vec<(OutputClass, OutputLimit)>, String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    if words.is_empty() || !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let mut limits = Vec::new();
    for four in words.chunks_exact(4) {
        let class = OutputClass::parse(four[0])
            .ok_or("Invalid client class specified in buffer limit configuration.")?;
        let limit = parse_bytes(four[1]).zip(parse_bytes(four[2])).zip(four[3].parse().ok());
        let ((hard_bytes, soft_bytes), soft_seconds) = limit
            .ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
        limits.push((class, OutputLimit { hard_bytes, soft_bytes, soft_seconds }));
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_redis_units() {
        let cases = [
            ("0", Some(0)),
            ("100b", Some(100)),
            ("1k", Some(1000)),
            ("1Kb", Some(1024)),
            ("2m", Some(2_000_000)),
            ("2MB", Some(2 << 20)),
            ("1g", Some(1_000_000_000)),
            ("1gb", Some(1 << 30)),
            ("", None),
            ("gb", None),
            ("1tb", None),
            ("-1", None),
            ("1 kb", None),
            ("99999999999gb", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_bytes(text), bytes, "{text:?}");
        }
    }
}
