//! The time options of SET and GETEX, and the times of SETEX and PSETEX.

use resp::Reply;

use crate::argument::{integer, invalid_expire_time, is};
use crate::command::{Arg, ArgKind};

/// The four ways to give a time, for the rows.
pub(super) const SECONDS: Arg = Arg::new("seconds", ArgKind::Integer).after("EX");
pub(super) const MILLISECONDS: Arg = Arg::new("milliseconds", ArgKind::Integer).after("PX");
pub(super) const UNIX_SECONDS: Arg = Arg::new("unix-time-seconds", ArgKind::UnixTime).after("EXAT");
pub(super) const UNIX_MILLISECONDS: Arg =
    Arg::new("unix-time-milliseconds", ArgKind::UnixTime).after("PXAT");

/// How a time is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Seconds,
    Milliseconds,
    UnixSeconds,
    UnixMilliseconds,
}

impl Form {
    /// The form that an option's keyword stands for.
    pub(super) fn named(keyword: &[u8]) -> Option<Form> {
        if is(keyword, "EX") {
            Some(Form::Seconds)
        } else if is(keyword, "PX") {
            Some(Form::Milliseconds)
        } else if is(keyword, "EXAT") {
            Some(Form::UnixSeconds)
        } else if is(keyword, "PXAT") {
            Some(Form::UnixMilliseconds)
        } else {
            None
        }
    }

    /// Whether it counts from the command's time.
    fn is_relative(self) -> bool {
        matches!(self, Form::Seconds | Form::Milliseconds)
    }
}

/// A time as given, not yet read: GETEX looks for its key before it complains about the time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expiration<'a> {
    pub(super) form: Form,
    pub(super) amount: &'a [u8],
}

impl Expiration<'_> {
    /// The Unix time in milliseconds. Unlike EXPIRE, these commands take no time before 1970 and
    /// none that is zero.
    pub(super) fn unix_ms(self, now_ms: u64, command: &str) -> Result<u64, Reply<'static>> {
        let amount = integer(self.amount)?;
        let unit_ms = match self.form {
            Form::Seconds | Form::UnixSeconds => 1000,
            Form::Milliseconds | Form::UnixMilliseconds => 1,
        };
        let base_ms = if self.form.is_relative() { now_ms as i64 } else { 0 };
        let time_ms = Some(amount)
            .filter(|&amount| amount > 0)
            .and_then(|amount| amount.checked_mul(unit_ms))
            .and_then(|amount_ms| amount_ms.checked_add(base_ms))
            .ok_or_else(|| invalid_expire_time(command))?;
        Ok(time_ms as u64)
    }
}
