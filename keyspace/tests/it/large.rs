//! What commands on large sets and hashes cost: one that visits or copies every element would cost
//! fifty times as much for fifty times as many.

use resp::Reply;

use crate::world::World;

/// Above one, since fewer elements lie in the caches, and machines are busy with other tests.
const RATIO_MAX: u32 = 30;

/// Set `s` and hash `h` with `len` elements each.
fn filled(len: usize) -> World {
    let mut world = World::new(1);
    let names: Vec<String> = (0..len).map(|at| format!("m{at}")).collect();
    for names in names.chunks(1000) {
        let mut members: Vec<&[u8]> = vec![b"sadd", b"s"];
        members.extend(names.iter().map(|name| name.as_bytes()));
        world.run(&members);
        let mut fields: Vec<&[u8]> = vec![b"hset", b"h"];
        fields.extend(names.iter().flat_map(|name| [name.as_bytes(), b"value"]));
        world.run(&fields);
    }
    assert_eq!(world.words("scard s"), Reply::Integer(len as i64));
    assert_eq!(world.words("hlen h"), Reply::Integer(len as i64));
    world
}

#[test]
fn a_million_members_and_fields_cost_little_more_than_some_thousand() {
    // Not fewer, since SPOP takes some thousand away.
    let (mut small, mut large) = (filled(20_000), filled(1_000_000));
    for words in [
        &["sismember", "s", "m777"][..],
        &["sadd", "s", "m777"],
        &["srandmember", "s"],
        &["srandmember", "s", "10"],
        &["srandmember", "s", "-10"],
        &["sscan", "s", "999"],
        &["sintercard", "2", "s", "s", "limit", "10"],
        &["smove", "s", "t", "none"],
        &["hget", "h", "m777"],
        &["hset", "h", "m777", "other"],
        &["hrandfield", "h", "10", "withvalues"],
        &["hscan", "h", "999"],
        &["hincrby", "h", "n", "1"],
        &["spop", "s"],
        &["spop", "s", "3"],
    ] {
        let (at_small, at_large) = (small.cost(words), large.cost(words));
        assert!(at_large < at_small * RATIO_MAX, "{words:?}: {at_large:?} against {at_small:?}");
    }
}
