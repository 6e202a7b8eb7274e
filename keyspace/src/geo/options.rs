//! What the arguments of GEOSEARCH and of its elders say.

use resp::Reply;

use super::argument::{circle, point, sides};
use super::cell::Point;
use super::look::position;
use super::shape::{Extent, Shape};
use crate::argument::{SYNTAX, integer, is};
use crate::command::Args;
use crate::zset::Zset;

/// A command of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Search,
    SearchStore,
    Radius,
    RadiusRead,
    RadiusByMember,
    RadiusByMemberRead,
}

impl Form {
    /// Where the key is that is searched.
    pub(super) fn source(self) -> usize {
        if self == Form::SearchStore { 2 } else { 1 }
    }

    /// Whether center and extent are said by options.
    fn searches(self) -> bool {
        matches!(self, Form::Search | Form::SearchStore)
    }

    /// Whether STORE is an option.
    fn may_store(self) -> bool {
        matches!(self, Form::Radius | Form::RadiusByMember)
    }
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Options<'a> {
    /// `None` only if there is nothing to search, and so no member to search around.
    pub(super) shape: Option<Shape>,
    pub(super) with_distance: bool,
    pub(super) with_hash: bool,
    pub(super) with_point: bool,
    /// By distance; `None`: as they are met.
    pub(super) ascending: Option<bool>,
    pub(super) count: usize,
    /// The first that are met will do.
    pub(super) any: bool,
    /// Where to store what is found.
    pub(super) store: Option<&'a [u8]>,
    /// Distances become the scores.
    pub(super) store_distance: bool,
}

/// Center and extent while they are read.
#[derive(Default)]
struct Parts {
    center: Option<Point>,
    from_member: bool,
    from_point: bool,
    extent: Option<(Extent, f64)>,
}

impl<'a> Options<'a> {
    /// Reads the arguments. Members are looked up on the way, as errors show.
    pub(super) fn read(
        args: &[&'a [u8]],
        form: Form,
        zset: Option<&Zset>,
    ) -> Result<Options<'a>, Reply<'static>> {
        let mut options = Options {
            shape: None,
            with_distance: false,
            with_hash: false,
            with_point: false,
            ascending: None,
            count: usize::MAX,
            any: false,
            store: (form == Form::SearchStore).then_some(args[1]),
            store_distance: false,
        };
        let mut parts = Parts::default();
        let mut rest = parts.read_fixed(args, form, zset)?;
        while let [option, tail @ ..] = rest {
            rest = tail;
            let known = options.read_flag(option, form)
                || options.read_value(option, &mut rest, form)?
                || (form.searches() && parts.read_option(option, &mut rest, zset)?);
            if !known {
                return Err(SYNTAX);
            }
        }
        options.check(args, form, &parts)?;
        if options.count != usize::MAX && options.ascending.is_none() && !options.any {
            // The nearest ones, then.
            options.ascending = Some(true);
        }
        options.shape = parts.center.zip(parts.extent).map(|(center, (extent, unit))| Shape {
            center,
            extent,
            unit,
        });
        Ok(options)
    }

    fn read_flag(&mut self, option: &[u8], form: Form) -> bool {
        if is(option, "WITHDIST") {
            self.with_distance = true;
        } else if is(option, "WITHHASH") {
            self.with_hash = true;
        } else if is(option, "WITHCOORD") {
            self.with_point = true;
        } else if is(option, "ANY") {
            self.any = true;
        } else if is(option, "ASC") {
            self.ascending = Some(true);
        } else if is(option, "DESC") {
            self.ascending = Some(false);
        } else if form == Form::SearchStore && is(option, "STOREDIST") {
            self.store_distance = true;
        } else {
            return false;
        }
        true
    }

    fn read_value(
        &mut self,
        option: &[u8],
        rest: &mut &[&'a [u8]],
        form: Form,
    ) -> Result<bool, Reply<'static>> {
        let [value, tail @ ..] = *rest else { return Ok(false) };
        if is(option, "COUNT") {
            let count = usize::try_from(integer(value)?).ok().filter(|count| *count > 0);
            self.count = count.ok_or(Reply::error("ERR COUNT must be > 0"))?;
        } else if form.may_store() && (is(option, "STORE") || is(option, "STOREDIST")) {
            self.store = Some(value);
            self.store_distance = is(option, "STOREDIST");
        } else {
            return Ok(false);
        }
        *rest = tail;
        Ok(true)
    }

    fn check(&self, args: Args<'_>, form: Form, parts: &Parts) -> Result<(), Reply<'static>> {
        if self.store.is_some() && (self.with_distance || self.with_hash || self.with_point) {
            return Err(Reply::error(match form {
                Form::SearchStore => {
                    "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD \
                     options"
                }
                _ => {
                    "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and \
                     WITHCOORD options"
                }
            }));
        }
        let missing = |what: &str| {
            let name = String::from_utf8_lossy(args[0]);
            Err(Reply::Error(format!("ERR exactly one of {what} for {name}").into()))
        };
        if form.searches() && !(parts.from_member || parts.from_point) {
            return missing("FROMMEMBER or FROMLONLAT can be specified");
        }
        if form.searches() && parts.extent.is_none() {
            return missing("BYRADIUS and BYBOX can be specified");
        }
        if self.any && self.count == usize::MAX {
            return Err(Reply::error("ERR the ANY argument requires COUNT argument"));
        }
        Ok(())
    }
}

impl Parts {
    /// Reads what stands before the options.
    fn read_fixed<'r, 'a>(
        &mut self,
        args: &'r [&'a [u8]],
        form: Form,
        zset: Option<&Zset>,
    ) -> Result<&'r [&'a [u8]], Reply<'static>> {
        match form {
            Form::Search => Ok(&args[2..]),
            Form::SearchStore => Ok(&args[3..]),
            Form::Radius | Form::RadiusRead => {
                self.center = Some(point(args[2], args[3])?);
                self.extent = Some(circle(args[4], args[5])?);
                Ok(&args[6..])
            }
            Form::RadiusByMember | Form::RadiusByMemberRead => {
                // Without a key Redis does not even read the radius.
                if zset.is_some() {
                    self.center = Some(around(zset, args[2])?);
                    self.extent = Some(circle(args[3], args[4])?);
                }
                Ok(&args[5..])
            }
        }
    }

    /// Reads an option of GEOSEARCH; whether it is one.
    fn read_option(
        &mut self,
        option: &[u8],
        rest: &mut &[&[u8]],
        zset: Option<&Zset>,
    ) -> Result<bool, Reply<'static>> {
        let by_radius = matches!(self.extent, Some((Extent::Circle { .. }, _)));
        let by_box = matches!(self.extent, Some((Extent::Box { .. }, _)));
        match **rest {
            [member, ref tail @ ..] if is(option, "FROMMEMBER") && !self.from_point => {
                if zset.is_some() {
                    self.center = Some(around(zset, member)?);
                }
                self.from_member = true;
                *rest = tail;
            }
            [longitude, latitude, ref tail @ ..]
                if is(option, "FROMLONLAT") && !self.from_member =>
            {
                self.center = Some(point(longitude, latitude)?);
                self.from_point = true;
                *rest = tail;
            }
            [radius, unit, ref tail @ ..] if is(option, "BYRADIUS") && !by_box => {
                self.extent = Some(circle(radius, unit)?);
                *rest = tail;
            }
            [width, height, unit, ref tail @ ..] if is(option, "BYBOX") && !by_radius => {
                self.extent = Some(sides(width, height, unit)?);
                *rest = tail;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn around(zset: Option<&Zset>, member: &[u8]) -> Result<Point, Reply<'static>> {
    position(zset, member).ok_or(Reply::error("ERR could not decode requested zset member"))
}
