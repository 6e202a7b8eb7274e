//! DUMP and RESTORE: what Redis dumped is understood, what is dumped here comes back, and what
//! somebody made up does no harm.
//!
//! A file below `tests/payloads` has paragraphs: `#` says what it is, `>` are the requests that make
//! the value at `k` here, then comes what Redis has for it in hexadecimal digits. Restored at `r`,
//! it must be the same value: by DUMP and OBJECT ENCODING, or by the requests after `?`.

mod changed;
mod made;

use std::path::Path;

use keyspace::{Run, lookup};
use resp::Reply;

use crate::stories;
use crate::world::World;

const OK: Reply<'static> = Reply::OK;

/// A paragraph.
struct Fixture {
    name: String,
    requests: Vec<Vec<Vec<u8>>>,
    checks: Vec<Vec<Vec<u8>>>,
    payload: Vec<u8>,
}

fn fixtures() -> Vec<Fixture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads");
    let mut files: Vec<_> = std::fs::read_dir(&root)
        .expect("the folder is part of the sources")
        .map(|entry| entry.expect("an entry of the folder").path())
        .collect();
    files.sort();
    let texts = files.iter().map(|file| std::fs::read_to_string(file).expect("a file of text"));
    texts.flat_map(|text| text.split("\n\n").skip(1).map(fixture).collect::<Vec<_>>()).collect()
}

fn fixture(paragraph: &str) -> Fixture {
    let mut fixture = Fixture {
        name: paragraph.to_owned(),
        requests: Vec::new(),
        checks: Vec::new(),
        payload: Vec::new(),
    };
    let words = |line: &str| stories::split(line).expect("balanced quotes");
    for line in paragraph.lines() {
        match line.split_at_checked(2) {
            Some(("# ", name)) => fixture.name = name.to_owned(),
            Some(("> ", request)) => fixture.requests.push(words(request)),
            Some(("? ", check)) => fixture.checks.push(words(check)),
            _ => fixture.payload.extend(digits(line)),
        }
    }
    if fixture.checks.is_empty() {
        fixture.checks = vec![words("DUMP k"), words("OBJECT ENCODING k")];
    }
    fixture
}

fn digits(line: &str) -> impl Iterator<Item = u8> {
    let (pairs, rest) = line.as_bytes().as_chunks::<2>();
    assert!(rest.is_empty(), "two digits a byte: {line}");
    pairs.iter().map(|pair| {
        let pair = str::from_utf8(pair).expect("digits");
        u8::from_str_radix(pair, 16).expect("digits")
    })
}

fn run(world: &mut World, request: &[Vec<u8>]) -> Reply<'static> {
    let args: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
    world.run(&args)
}

fn restore(world: &mut World, key: &[u8], payload: &[u8]) -> Reply<'static> {
    world.run(&[b"RESTORE", key, b"0", payload, b"REPLACE"])
}

fn dump(world: &mut World, key: &[u8]) -> Option<Vec<u8>> {
    match world.run(&[b"DUMP", key]) {
        Reply::Bulk(payload) => Some(payload.into_owned()),
        Reply::Null => None,
        reply => panic!("DUMP answered {reply:?}"),
    }
}

#[test]
fn what_redis_dumped_is_understood() {
    let fixtures = fixtures();
    assert!(!fixtures.is_empty());
    for Fixture { name, requests, checks, payload } in &fixtures {
        let mut world = World::new(1);
        for request in requests {
            let reply = run(&mut world, request);
            assert!(!matches!(reply, Reply::Error(_)), "{name}: {reply:?}");
        }
        assert_eq!(restore(&mut world, b"r", payload), OK, "{name}");
        for check in checks {
            let of_restored: Vec<Vec<u8>> = check
                .iter()
                .map(|word| if word == b"k" { b"r".to_vec() } else { word.clone() })
                .collect();
            let made = run(&mut world, check);
            assert!(!matches!(made, Reply::Error(_)), "{name}: {made:?}");
            assert_eq!(run(&mut world, &of_restored), made, "{name}");
        }
        check_comes_back(&mut world, name);
    }
}

/// What is dumped here comes back as it was, and outlasts a checkpoint.
fn check_comes_back(world: &mut World, name: &str) {
    let payload = dump(world, b"r").expect("restored just now");
    assert_eq!(restore(world, b"again", &payload), OK, "{name}");
    assert_eq!(dump(world, b"again").as_ref(), Some(&payload), "{name}");
    let mut restored = world.restored();
    assert_eq!(dump(&mut restored, b"r"), Some(payload), "{name}");
}

#[test]
fn no_change_is_made_by_what_is_refused() {
    let mut world = World::new(1);
    world.words("SET k value");
    let payload = dump(&mut world, b"k").unwrap();
    for end in 0..payload.len() {
        let reply = restore(&mut world, b"k", &payload[..end]);
        let refused = Reply::error("ERR DUMP payload version or checksum are wrong");
        assert_eq!(reply, refused, "{end} bytes");
        assert!(world.touched.0.is_empty());
    }
    assert_eq!(dump(&mut world, b"k"), Some(payload));
}

/// Everything that looks at a value; whatever was restored, none of it may panic.
const LOOKS: &[&str] = &[
    "TYPE r",
    "OBJECT ENCODING r",
    "MEMORY USAGE r",
    "GET r",
    "STRLEN r",
    "BITCOUNT r",
    "PFCOUNT r",
    "HGETALL r",
    "HLEN r",
    "HGET r f",
    "HSCAN r 0 COUNT 1000",
    "SMEMBERS r",
    "SISMEMBER r a",
    "SSCAN r 0 COUNT 1000",
    "LRANGE r 0 -1",
    "LINDEX r -1",
    "LPOS r a",
    "ZRANGE r 0 -1 WITHSCORES",
    "ZRANGEBYLEX r - +",
    "ZRANK r a",
    "ZSCAN r 0 COUNT 1000",
    "XRANGE r - +",
    "XREVRANGE r + -",
    "XLEN r",
    "XINFO STREAM r FULL COUNT 0",
    "XINFO GROUPS r",
    "XINFO CONSUMERS r g",
    "XPENDING r g",
    "XPENDING r g - + 10",
    "COPY r copy REPLACE",
    // And changes.
    "APPEND r x",
    "PFADD r x y z",
    "HSET r f v field value",
    "HDEL r field f",
    "SADD r 1 b x 70000",
    "SREM r 1 b",
    "SPOP r 2",
    "RPUSH r a b c",
    "LPOP r 2",
    "LREM r 0 a",
    "ZADD r 1 a inf b",
    "ZPOPMIN r 2",
    "XADD r * f v",
    "XREADGROUP GROUP g bob STREAMS r 0",
    "XREADGROUP GROUP g bob STREAMS r >",
    "XACK r g 1-1 1-2",
    "XAUTOCLAIM r g alice 0 0",
    "XCLAIM r g bob 0 1-2 1-3 FORCE",
    "XDEL r 1-1",
    "XTRIM r MAXLEN 1",
    "XGROUP DELCONSUMER r g bob",
];

/// Looks at and changes a value in every way; commands that are not there yet are passed over.
fn exercise(world: &mut World) {
    for words in LOOKS {
        let args: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        if lookup(&args).is_some_and(|command| !matches!(command.run, Run::Container(_))) {
            world.run(&args);
        }
    }
}
