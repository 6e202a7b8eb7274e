//! Random commands from the server's own table, biased to the edges of every argument.
//!
//! Most commands meet keys of their own type, and most arguments are what their names say, so that
//! deep states are reached; some are not, so that refusals are compared too. What would take the
//! machine's memory, or wait for long, is not sent ([`guard`]).

mod guard;
mod role;
mod values;

use compat_tests::random::Random;
use compat_tests::table::{Arg, Row};

use self::role::Role;
use self::values::{Bounds, Values};
use super::Words;

pub(super) use self::values::{LEX_WRONG, all_keys};

/// Commands that belong together: left out, or sent, as one.
pub(super) type Step = Vec<Words>;

/// A bounded number of repetitions keeps most replies short.
const REPEATS_MAX: usize = 4;
/// Now and then so many elements that their collection outgrows its small encoding.
const MANY_MAX: usize = 200;
/// One command in so many is given [`MANY_MAX`].
const MANY_ONCE_IN: usize = 60;
/// One command in so many writes a megabyte, to a key of its own.
const BIG_ONCE_IN: usize = 3_000;
const BIG_BYTES: usize = 1 << 20;

/// Writes commands; what it writes depends on its seed and what it wrote before.
pub(super) struct Generator {
    random: Random,
    values: Values,
}

impl Generator {
    /// `dumps` are payloads that RESTORE may meet.
    pub(super) fn new(seed: u64, dumps: Vec<Vec<u8>>) -> Generator {
        Generator { random: Random::new(seed), values: Values::new(dumps) }
    }

    pub(super) fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// Before commands to empty servers.
    pub(super) fn begin_again(&mut self) {
        self.values.begin_again();
    }

    /// A call of the row, usually well formed, and what has to stand beside it. `None`: this time
    /// it came out as one that must not be sent.
    pub(super) fn step(&mut self, row: &Row) -> Option<Step> {
        let words = self.words(row);
        guard::is_harmless(&words).then(|| guard::step(words))
    }

    fn words(&mut self, row: &Row) -> Words {
        let random = &mut self.random;
        let many = random.once_in(MANY_ONCE_IN);
        let bounds = *random.of(&[Bounds::Index, Bounds::Score, Bounds::Lex]);
        self.values.begin(row, bounds);
        let mut call = Call {
            row,
            values: &mut self.values,
            random,
            many,
            bounds,
            keys: 0,
            keys_wanted: None,
            words: row.words().into_iter().map(String::into_bytes).collect(),
            roles: Vec::new(),
        };
        call.roles.resize(call.words.len(), Role::Text);
        row.args.iter().for_each(|arg| call.push(arg));
        call.finish()
    }
}

/// One command under way.
struct Call<'a> {
    row: &'a Row,
    values: &'a mut Values,
    random: &'a mut Random,
    many: bool,
    bounds: Bounds,
    /// Keys pushed so far.
    keys: usize,
    /// Keys announced by a count.
    keys_wanted: Option<usize>,
    words: Words,
    /// What each word is for.
    roles: Vec<Role>,
}

impl Call<'_> {
    fn push(&mut self, arg: &Arg) {
        if arg.optional && !self.wants(arg) {
            return;
        }
        for _ in 0..self.repeats(arg) {
            if let Some(token) = &arg.token {
                let mut token = token.clone().into_bytes();
                if self.random.once_in(4) {
                    token.make_ascii_lowercase();
                }
                self.add(token, Role::Text);
            }
            match arg.kind.as_str() {
                "pure-token" => {}
                "oneof" => {
                    let chosen = self.choice(&arg.args);
                    self.push(chosen);
                }
                "block" => arg.args.iter().for_each(|inner| self.push(inner)),
                _ => self.push_value(arg),
            }
        }
    }

    fn wants(&mut self, arg: &Arg) -> bool {
        // A range by score or name has to say so.
        let says = arg.args.iter().any(|inner| inner.token.as_deref() == Some("BYLEX"));
        if says { self.bounds != Bounds::Index } else { self.random.once_in(3) }
    }

    fn choice<'b>(&mut self, choices: &'b [Arg]) -> &'b Arg {
        let named = |token| choices.iter().find(|arg| arg.token.as_deref() == Some(token));
        if let (Some(score), Some(lex)) = (named("BYSCORE"), named("BYLEX"))
            && !self.random.once_in(10)
        {
            return if self.bounds == Bounds::Lex { lex } else { score };
        }
        &choices[self.random.below(choices.len())]
    }

    fn repeats(&mut self, arg: &Arg) -> usize {
        if !arg.multiple {
            return 1;
        }
        let role = role::of(self.row, arg);
        let some = 1 + self.random.below(REPEATS_MAX);
        match role {
            Role::Key => self.keys_wanted.take().unwrap_or(some),
            // XREAD has an id for each key, ZUNION a weight.
            Role::Id if self.row.name.starts_with("xread") => self.as_many_as_keys(some),
            Role::Score if self.keys > 1 => self.as_many_as_keys(some),
            _ if self.many => 1 + self.random.below(MANY_MAX),
            _ => some,
        }
    }

    fn as_many_as_keys(&mut self, otherwise: usize) -> usize {
        if self.random.once_in(20) { otherwise } else { self.counted_keys() }
    }

    /// Without the destination.
    fn counted_keys(&self) -> usize {
        let stores = self.row.name.ends_with("store");
        self.keys - usize::from(stores && self.keys > 1)
    }

    fn push_value(&mut self, arg: &Arg) {
        let role = role::of(self.row, arg);
        let value = match role {
            Role::Key => {
                self.keys += 1;
                self.values.key(self.random, self.row, arg)
            }
            Role::KeyCount => {
                let count = 1 + self.random.below(REPEATS_MAX);
                self.keys_wanted = Some(count);
                match self.random.below(30) {
                    0 => self.values.value(self.random, Role::Count),
                    _ => count.to_string().into_bytes(),
                }
            }
            role => self.values.value(self.random, role),
        };
        self.add(value, role);
    }

    fn add(&mut self, word: Vec<u8>, role: Role) {
        self.words.push(word);
        self.roles.push(role);
    }

    /// Now and then something is wrong, or very long.
    fn finish(mut self) -> Words {
        if self.random.once_in(4) {
            self.words[0].make_ascii_uppercase();
        }
        if self.row.name == "zadd" && values::is_lex(&self.words[1]) {
            let words = self.words.iter_mut().zip(&self.roles);
            let scores = words.filter(|(_, role)| **role == Role::Score);
            scores.for_each(|(word, _)| *word = b"0".to_vec());
            return self.words;
        }
        match self.random.below(60) {
            0 => drop(self.words.pop()),
            1 => self.words.push(values::misplaced(self.random)),
            2 => {
                let at = self.random.below(self.words.len());
                self.words[at] = values::misplaced(self.random);
            }
            _ if self.random.once_in(BIG_ONCE_IN) => self.make_big(),
            _ => {}
        }
        if self.words.is_empty() { vec![b"ping".to_vec()] } else { self.words }
    }

    fn make_big(&mut self) {
        let long = [Role::Value, Role::Member];
        // It compares every byte of one string with every byte of the other.
        let Some(at) = self.roles.iter().position(|role| long.contains(role)) else { return };
        let byte = *self.random.of(b"x\x00\xff1");
        self.words[at] = vec![byte; BIG_BYTES];
        for (word, role) in self.words.iter_mut().zip(&self.roles) {
            if *role == Role::Key {
                *word = values::big_key(self.row);
            }
        }
    }
}
