//! The obvious way: a sorted map per database and a page of plain code.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::DATABASES;
use crate::world::START_MS;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    pub(super) value: String,
    pub(super) expires_ms: Option<i64>,
}

#[derive(Clone)]
pub(super) struct Model {
    pub(super) databases: Vec<BTreeMap<String, Entry>>,
    now_ms: i64,
}

pub(super) fn int(number: i64) -> String {
    format!(":{number}\r\n")
}

pub(super) fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn null() -> String {
    "$-1\r\n".to_owned()
}

fn ok() -> String {
    "+OK\r\n".to_owned()
}

fn err(text: &str) -> String {
    format!("-ERR {text}\r\n")
}

fn array(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    format!("*{}\r\n{}", items.len(), items.concat())
}

const NOT_AN_INTEGER: &str = "value is not an integer or out of range";

fn number<T: TryFrom<i128, Error: Debug>>(word: &str) -> T {
    let number: i128 = word.parse().expect("templates put numbers there");
    T::try_from(number).expect("small enough")
}

fn strict(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number: &i64| number.to_string() == text)
}

impl Model {
    pub(super) fn new() -> Model {
        let databases = vec![BTreeMap::new(); DATABASES.into()];
        Model { databases, now_ms: START_MS as i64 }
    }

    pub(super) fn advance(&mut self, ms: i64) {
        self.now_ms += ms;
        self.drop_expired();
    }

    fn drop_expired(&mut self) {
        let now_ms = self.now_ms;
        for database in &mut self.databases {
            // A key lives through the millisecond it is given, unless the command itself gave the past.
            database.retain(|_, entry| entry.expires_ms.is_none_or(|time| time >= now_ms));
        }
    }

    pub(super) fn run(&mut self, db: u8, words: &[&str]) -> String {
        let reply = match words[0] {
            "EXPIRE" | "PEXPIRE" | "EXPIREAT" | "PEXPIREAT" => self.expire(db, words),
            "COPY" | "MOVE" | "SWAPDB" | "FLUSHDB" | "FLUSHALL" => self.databases(db, words),
            _ => self.in_database(db, words),
        };
        self.drop_expired();
        reply
    }

    fn put(&mut self, db: u8, key: &str, value: &str, expires_ms: Option<i64>) {
        let entry = Entry { value: value.to_owned(), expires_ms };
        self.databases[usize::from(db)].insert(key.to_owned(), entry);
    }

    fn in_database(&mut self, db: u8, words: &[&str]) -> String {
        let now_ms = self.now_ms;
        let keys = &mut self.databases[usize::from(db)];
        let value = |key: &str| keys.get(key).map(|entry| entry.value.clone());
        let or_null = |value: Option<String>| value.map_or(null(), |value| bulk(&value));
        match *words {
            ["GET", key] => or_null(value(key)),
            ["STRLEN", key] => int(value(key).map_or(0, |value| value.len()) as i64),
            ["MGET", ref wanted @ ..] => array(wanted.iter().map(|key| or_null(value(key)))),
            ["TYPE", key] => {
                format!("+{}\r\n", if keys.contains_key(key) { "string" } else { "none" })
            }
            ["EXISTS" | "TOUCH", ref wanted @ ..] => {
                int(wanted.iter().filter(|&&key| keys.contains_key(key)).count() as i64)
            }
            ["DEL" | "UNLINK", ref wanted @ ..] => {
                int(wanted.iter().filter(|&&key| keys.remove(key).is_some()).count() as i64)
            }
            ["PTTL", key] => int(match keys.get(key) {
                None => -2,
                Some(entry) => entry.expires_ms.map_or(-1, |time| time - now_ms),
            }),
            ["TTL", key] => int(match keys.get(key) {
                None => -2,
                Some(entry) => entry.expires_ms.map_or(-1, |time| (time - now_ms + 500) / 1000),
            }),
            ["PEXPIRETIME", key] => {
                int(keys.get(key).map_or(-2, |entry| entry.expires_ms.unwrap_or(-1)))
            }
            ["PERSIST", key] => {
                let before = keys.get_mut(key).and_then(|entry| entry.expires_ms.take());
                int(before.is_some().into())
            }
            ["GETDEL", key] => or_null(keys.remove(key).map(|entry| entry.value)),
            ["RENAME", from, to] => match keys.remove(from) {
                None => err("no such key"),
                Some(entry) => {
                    keys.insert(to.to_owned(), entry);
                    ok()
                }
            },
            ["RENAMENX", from, to] => match keys.get(from).cloned() {
                None => err("no such key"),
                Some(_) if keys.contains_key(to) => int(0),
                Some(entry) => {
                    keys.remove(from);
                    keys.insert(to.to_owned(), entry);
                    int(1)
                }
            },
            _ => self.change_string(db, words),
        }
    }

    fn change_string(&mut self, db: u8, words: &[&str]) -> String {
        let now_ms = self.now_ms;
        let entry = self.databases[usize::from(db)].get(words[1]).cloned();
        let (exists, before) = (entry.is_some(), entry.clone().unwrap_or_default());
        let old = if exists { bulk(&before.value) } else { null() };
        match *words {
            ["SET", key, value] => {
                self.put(db, key, value, None);
                ok()
            }
            ["SET", key, value, "KEEPTTL"] => {
                self.put(db, key, value, before.expires_ms);
                ok()
            }
            ["SET", key, value, "NX" | "XX", "GET"] | ["GETSET", key, value] => {
                let wanted = words.get(3).is_none_or(|&word| (word == "XX") == exists);
                if wanted {
                    self.put(db, key, value, None);
                }
                old
            }
            ["SET", key, value, condition @ ("NX" | "XX")] => {
                if (condition == "XX") != exists {
                    return null();
                }
                self.put(db, key, value, None);
                ok()
            }
            ["SET", key, value, "PX", time] | ["PSETEX", key, time, value] => {
                self.put(db, key, value, Some(now_ms + number::<i64>(time)));
                ok()
            }
            ["SET", key, value, "EX", time] | ["SETEX", key, time, value] => {
                self.put(db, key, value, Some(now_ms + number::<i64>(time) * 1000));
                ok()
            }
            ["SETNX", key, value] => {
                if !exists {
                    self.put(db, key, value, None);
                }
                int((!exists).into())
            }
            ["MSET", ref pairs @ ..] => {
                for pair in pairs.chunks(2) {
                    self.put(db, pair[0], pair[1], None);
                }
                ok()
            }
            ["MSETNX", ref pairs @ ..] => {
                let keys = &self.databases[usize::from(db)];
                let free = pairs.chunks(2).all(|pair| !keys.contains_key(pair[0]));
                for pair in pairs.chunks(2).filter(|_| free) {
                    self.put(db, pair[0], pair[1], None);
                }
                int(free.into())
            }
            ["GETEX", key, "PX", time] if exists => {
                let time = now_ms + number::<i64>(time);
                self.put(db, key, &before.value, Some(time));
                old
            }
            ["GETEX", key, "PERSIST"] if exists => {
                self.put(db, key, &before.value, None);
                old
            }
            ["GETEX", ..] => old,
            ["APPEND", key, more] => {
                let value = before.value + more;
                self.put(db, key, &value, before.expires_ms);
                int(value.len() as i64)
            }
            ["SETRANGE", _, _, ""] => int(before.value.len() as i64),
            ["SETRANGE", key, at, more] => {
                let at: usize = number(at);
                let mut value = before.value.into_bytes();
                value.resize(value.len().max(at + more.len()), 0);
                value[at..at + more.len()].copy_from_slice(more.as_bytes());
                let value = String::from_utf8(value).expect("values are ASCII");
                self.put(db, key, &value, before.expires_ms);
                int(value.len() as i64)
            }
            ["GETRANGE", _, start, end] => {
                let (start, end): (i64, i64) = (number(start), number(end));
                let length = before.value.len() as i64;
                let index = |at: i64| if at < 0 { (at + length).max(0) } else { at };
                let inside = |at: &i64| *at >= index(start) && *at <= index(end);
                let backwards = start < 0 && end < 0 && start > end;
                let places = (0..length).filter(|at| !backwards && inside(at));
                let part: String =
                    places.map(|at| char::from(before.value.as_bytes()[at as usize])).collect();
                bulk(&part)
            }
            ["INCR", key] => self.add(db, key, exists, before, 1),
            ["DECR", key] => self.add(db, key, exists, before, -1),
            ["INCRBY", key, by] => self.add(db, key, exists, before, number(by)),
            ["DECRBY", key, by] => self.add(db, key, exists, before, -number::<i128>(by)),
            _ => panic!("the model does not know {words:?}"),
        }
    }

    fn add(&mut self, db: u8, key: &str, exists: bool, before: Entry, by: i128) -> String {
        if by == -i128::from(i64::MIN) {
            return err("decrement would overflow");
        }
        let number = if exists { strict(&before.value) } else { Some(0) };
        let Some(number) = number else { return err(NOT_AN_INTEGER) };
        let Ok(sum) = i64::try_from(i128::from(number) + by) else {
            return err("increment or decrement would overflow");
        };
        self.put(db, key, &sum.to_string(), before.expires_ms);
        int(sum)
    }

    fn expire(&mut self, db: u8, words: &[&str]) -> String {
        let (command, key) = (words[0], words[1]);
        let unit = if command.starts_with('P') { 1 } else { 1000 };
        let base = if command.ends_with("AT") { 0 } else { i128::from(self.now_ms) };
        let time = number::<i128>(words[2]) * unit + base;
        let Ok(time) = i64::try_from(time) else {
            return err(&format!(
                "invalid expire time in '{}' command",
                command.to_ascii_lowercase()
            ));
        };
        let Some(entry) = self.databases[usize::from(db)].get_mut(key) else { return int(0) };
        let before = entry.expires_ms;
        let allowed = match words.get(3) {
            None => true,
            Some(&"NX") => before.is_none(),
            Some(&"XX") => before.is_some(),
            Some(&"GT") => before.is_some_and(|before| time > before),
            _ => before.is_none_or(|before| time < before),
        };
        if allowed {
            // A time that is over deletes at once, also the very millisecond that a key lives.
            let over = time <= self.now_ms;
            entry.expires_ms = Some(if over { self.now_ms - 1 } else { time });
        }
        int(allowed.into())
    }

    fn databases(&mut self, db: u8, words: &[&str]) -> String {
        let here = usize::from(db);
        match *words {
            ["FLUSHDB", ..] => self.databases[here].clear(),
            ["FLUSHALL", ..] => self.databases.iter_mut().for_each(BTreeMap::clear),
            ["SWAPDB", first, second] => {
                self.databases.swap(number(first), number(second));
            }
            ["COPY", from, to, "DB", there, ref replace @ ..] => {
                let there: usize = number(there);
                return self.transfer((here, from), (there, to), replace == ["REPLACE"], false);
            }
            ["COPY", from, to, ref replace @ ..] => {
                return self.transfer((here, from), (here, to), replace == ["REPLACE"], false);
            }
            ["MOVE", key, there] => {
                let there = number(there);
                return self.transfer((here, key), (there, key), false, true);
            }
            _ => panic!("the model does not know {words:?}"),
        }
        ok()
    }

    fn transfer(
        &mut self,
        from: (usize, &str),
        to: (usize, &str),
        replace: bool,
        remove: bool,
    ) -> String {
        if from == to {
            return err("source and destination objects are the same");
        }
        let Some(entry) = self.databases[from.0].get(from.1).cloned() else { return int(0) };
        if !replace && self.databases[to.0].contains_key(to.1) {
            return int(0);
        }
        self.databases[to.0].insert(to.1.to_owned(), entry);
        if remove {
            self.databases[from.0].remove(from.1);
        }
        int(1)
    }
}
