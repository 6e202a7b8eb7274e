//! The keyspace's limits as settings: by name, in a configuration file and in CONFIG.
//!
//! They are replicated within a shard, so a node only asks for them: CONFIG SET by an entry of the
//! log, a configuration file by the same once the node leads.

use keyspace::limits::{LIMITS, Limit, LimitRow};

use super::value::parse_bytes;

/// The limit of that name, new or old, case ignored.
pub(crate) fn find(name: &str) -> Option<&'static LimitRow> {
    LIMITS.iter().find(|row| names(row).any(|known| known.eq_ignore_ascii_case(name)))
}

/// A limit's names.
pub(crate) fn names(row: &'static LimitRow) -> impl Iterator<Item = &'static str> {
    std::iter::once(row.name).chain(row.alias)
}

/// A limit's value from its text; the error is the reason that CONFIG SET gives.
pub(crate) fn parse(row: &LimitRow, text: &str) -> Result<i64, String> {
    let number = match text.parse() {
        Ok(number) => Some(number),
        Err(_) if counts_bytes(row.limit) => {
            parse_bytes(text).and_then(|bytes| i64::try_from(bytes).ok())
        }
        Err(_) => None,
    };
    let number: i64 = number.ok_or("argument couldn't be parsed into an integer")?;
    let LimitRow { min, max, .. } = *row;
    if (min..=max).contains(&number) {
        Ok(number)
    } else {
        Err(format!("argument must be between {min} and {max} inclusive"))
    }
}

fn counts_bytes(limit: Limit) -> bool {
    matches!(
        limit,
        Limit::HashValue
            | Limit::SetValue
            | Limit::ZsetValue
            | Limit::StreamBytes
            | Limit::HllSparse
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_and_units_are_understood() {
        let row = find("Hash-Max-Ziplist-Value").unwrap();
        assert_eq!(row.limit, Limit::HashValue);
        assert_eq!(parse(row, "1kb"), Ok(1024));
        assert_eq!(parse(find("list-max-listpack-size").unwrap(), "-5"), Ok(-5));
        assert!(find("hash-max").is_none());
    }

    #[test]
    fn what_is_no_number_or_out_of_range_is_refused_in_redis_words() {
        let row = find("set-max-intset-entries").unwrap();
        assert_eq!(parse(row, "many").unwrap_err(), "argument couldn't be parsed into an integer");
        assert!(parse(row, "-1").unwrap_err().starts_with("argument must be between 0 and "));
        assert!(parse(row, "1kb").is_err());
    }
}
