//! What waiting for entries means, and what commands on large streams and groups cost: one that visits every entry
//! would cost a hundred times as much for a hundred times as many.

use keyspace::{Block, Call, Run, lookup};
use resp::Reply;

use crate::world::World;

/// Above one, since fewer entries lie in the caches, and machines are busy with other tests.
const RATIO_MAX: u32 = 30;

/// A stream `s` of `len` entries, all pending in group `g` for `c`.
fn filled(len: usize) -> World {
    let mut world = World::new(1);
    for at in 1..=len {
        let id = format!("{at}-0");
        world.run(&[b"xadd", b"s", id.as_bytes(), b"field", b"value"]);
    }
    assert_eq!(world.words("xlen s"), Reply::Integer(len as i64));
    world.words("xgroup create s g 0");
    for _ in 0..len.div_ceil(10_000) {
        world.words("xreadgroup group g c count 10000 streams s >");
    }
    let Reply::Array(pending) = world.words("xpending s g") else { panic!("a group") };
    assert_eq!(pending[0], Reply::Integer(len as i64));
    world
}

#[test]
fn a_million_entries_cost_little_more_than_some_thousand() {
    let (mut small, mut large) = (filled(10_000), filled(1_000_000));
    for (at_small, at_large) in [
        ("xrange s 5000 5009", "xrange s 500000 500009"),
        ("xrevrange s 5009 5000", "xrevrange s 500009 500000"),
        ("xrange s - + count 10", "xrange s - + count 10"),
        ("xrange s 20000 +", "xrange s 2000000 +"),
        ("xread count 10 streams s 5000", "xread count 10 streams s 500000"),
        ("xadd s * field value", "xadd s * field value"),
        ("xadd s maxlen ~ 10000 * field value", "xadd s maxlen ~ 1000000 * field value"),
        ("xtrim s maxlen ~ 10000", "xtrim s maxlen ~ 1000000"),
        ("xdel s 5005", "xdel s 500005"),
        ("xlen s", "xlen s"),
        ("xinfo stream s", "xinfo stream s"),
        ("xinfo groups s", "xinfo groups s"),
        ("xreadgroup group g c count 10 streams s >", "xreadgroup group g c count 10 streams s >"),
        (
            "xreadgroup group g c count 9 streams s 5000",
            "xreadgroup group g c count 9 streams s 500000",
        ),
        ("xack s g 5001", "xack s g 500001"),
        ("xpending s g", "xpending s g"),
        ("xpending s g 5000 + 10", "xpending s g 500000 + 10"),
        ("xpending s g 5000 + 10 c", "xpending s g 500000 + 10 c"),
        ("xclaim s g d 0 5050", "xclaim s g d 0 500050"),
        ("xautoclaim s g d 0 5060 count 5", "xautoclaim s g d 0 500060 count 5"),
    ] {
        let words = |line: &'static str| line.split(' ').collect::<Vec<&str>>();
        let (cost_small, cost_large) = (small.cost(&words(at_small)), large.cost(&words(at_large)));
        assert!(
            cost_large < cost_small * RATIO_MAX,
            "{at_large}: {cost_large:?} against {cost_small:?}"
        );
    }
}

/// The row of a command that may wait.
fn block(args: &[&[u8]]) -> &'static Block {
    let Run::Block(block) = lookup(args).expect("a command").run else { panic!("it never waits") };
    block
}

#[test]
fn how_long_to_wait_is_what_block_says() {
    for (line, timeout_ms) in [
        ("xread streams s 0", None),
        ("xread block 0 streams s $", Some(0)),
        ("xread count 1 BLOCK 1500 streams s $", Some(1500)),
        ("xread block -1 streams s $", None),
        ("xread block x streams s $", None),
        ("xread block 5 streams s", None),
        ("xread block 5 group g c streams s 0", None),
        ("xreadgroup group g c streams s >", None),
        ("xreadgroup group g c block 7 streams s >", Some(7)),
        ("xreadgroup block 7 streams s >", None),
    ] {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        assert_eq!((block(&args).timeout_ms)(&args), timeout_ms, "{line}");
    }
}

#[test]
fn the_last_entry_is_the_last_when_the_client_came() {
    let mut world = World::new(1);
    world.words("xadd s 5-3 field value");
    let later = |world: &World, line: &str| {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let command = lookup(&args).expect("a command");
        let later = world.keyspace.later(&Call { command, args: &args, db: 0 });
        later.map(|args| String::from_utf8(args.join(&b' ')).expect("text"))
    };
    let line = "xread block 0 streams s $ none $ 7";
    assert_eq!(later(&world, line), None, "unbalanced, which its attempt says");
    let line = "xread block 0 streams s $ none $ 1 $";
    let expected = "xread block 0 streams s $ none 5-3 1 0-0";
    assert_eq!(later(&world, line).as_deref(), Some(expected), "a key may have that name");
    assert_eq!(later(&world, "xread block 0 streams s 5-3"), None);
    assert_eq!(later(&world, "xreadgroup group g c block 0 streams s >"), None);
}

#[test]
fn who_waits_for_a_group_hears_that_it_is_gone() {
    let attempt = "xreadgroup group g c block 0 streams s >";
    let args: Vec<&[u8]> = attempt.split(' ').map(str::as_bytes).collect();
    assert!(!block(&args).waits_out_types);
    assert!(block(&[b"xread"]).waits_out_types);
    for (line, text) in
        [("xgroup destroy s g", "NOGROUP"), ("del s", "NOGROUP"), ("set s v", "WRONGTYPE")]
    {
        let mut world = World::new(1);
        world.words("xgroup create s g $ mkstream");
        assert_eq!(world.words(attempt), Reply::NullArray);
        assert!(world.touched.0.is_empty(), "who waits must not wake others");
        world.words(line);
        assert_eq!(world.touched.0, [(0, b"s".to_vec())], "{line}");
        let reply = world.words(attempt);
        assert!(matches!(&reply, Reply::Error(error) if error.starts_with(text)), "{reply:?}");
    }
}
