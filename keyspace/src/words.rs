//! Short ways to write what a row says about its arguments and keys.

use crate::command::{Arg, ArgKind, Keys};

impl Arg {
    /// An argument that must be given, once, without a keyword.
    pub const fn new(name: &'static str, kind: ArgKind) -> Arg {
        Arg { name, kind, token: None, optional: false, multiple: false, multiple_token: false }
    }

    /// A key.
    pub const fn key(name: &'static str) -> Arg {
        Arg::new(name, ArgKind::Key)
    }

    /// A keyword that stands alone; it may be left out only inside something optional.
    pub const fn keyword(name: &'static str, token: &'static str) -> Arg {
        Arg::new(name, ArgKind::PureToken).after(token)
    }

    /// The same argument behind a keyword.
    pub const fn after(self, token: &'static str) -> Arg {
        Arg { token: Some(token), ..self }
    }

    /// The same argument, which may be left out.
    pub const fn optional(self) -> Arg {
        Arg { optional: true, ..self }
    }

    /// The same argument, which may be repeated.
    pub const fn multiple(self) -> Arg {
        Arg { multiple: true, ..self }
    }

    /// The same argument, which may be repeated together with its keyword.
    pub const fn multiple_token(self) -> Arg {
        Arg { multiple: true, multiple_token: true, ..self }
    }
}

impl Keys {
    /// The first argument.
    pub const FIRST: Keys = Keys::Range { first: 1, last: 1, step: 1 };
    /// The first two arguments.
    pub const FIRST_TWO: Keys = Keys::Range { first: 1, last: 2, step: 1 };
    /// Every argument.
    pub const EVERY: Keys = Keys::Range { first: 1, last: -1, step: 1 };
    /// Every other argument: key and value, key and value.
    pub const PAIRS: Keys = Keys::Range { first: 1, last: -1, step: 2 };
    /// The argument behind a subcommand's name.
    pub const AFTER_SUBCOMMAND: Keys = Keys::Range { first: 2, last: 2, step: 1 };
}
