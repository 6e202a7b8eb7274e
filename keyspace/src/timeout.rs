//! How long a command that waits may wait: an argument in seconds with a fraction.

use resp::Reply;

use crate::number::Extended;

const NOT_A_FLOAT: Reply<'static> = Reply::error("ERR timeout is not a float or out of range");
const NEGATIVE: Reply<'static> = Reply::error("ERR timeout is negative");
const OUT_OF_RANGE: Reply<'static> = Reply::error("ERR timeout is out of range");

/// The time to wait in milliseconds, rounded up; 0: for ever. `now_ms` is the Unix time at which
/// the waiting begins: the end must not be past 63 bits.
pub(crate) fn timeout_ms(seconds: &[u8], now_ms: u64) -> Result<u64, Reply<'static>> {
    let seconds = Extended::parse(seconds).ok_or(NOT_A_FLOAT)?;
    let ms = u64::try_from(seconds.product_ceil(1000)).map_err(|_| NEGATIVE)?;
    match ms.checked_add(now_ms) {
        Some(end) if end <= i64::MAX as u64 => Ok(ms),
        _ => Err(OUT_OF_RANGE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_as_redis_reads_them() {
        let table = [
            ("0", Ok(0)),
            ("0.01", Ok(10)),
            ("0x0.01", Ok(4)),
            ("-0.0000001", Ok(0)),
            ("9223370000000000", Ok(9_223_370_000_000_000_000)),
            ("x", Err(NOT_A_FLOAT)),
            ("", Err(NOT_A_FLOAT)),
            (" 1", Err(NOT_A_FLOAT)),
            ("nan", Err(NOT_A_FLOAT)),
            ("1e5000", Err(NOT_A_FLOAT)),
            ("-1", Err(NEGATIVE)),
            ("-inf", Err(NEGATIVE)),
            ("inf", Err(OUT_OF_RANGE)),
            ("1e20", Err(OUT_OF_RANGE)),
            ("9223372036854775", Err(OUT_OF_RANGE)),
        ];
        for (text, expected) in table {
            assert_eq!(timeout_ms(text.as_bytes(), 1_700_000_000_000), expected, "{text}");
        }
    }
}
