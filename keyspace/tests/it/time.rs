//! Time is the last entry's, or later; what is over is hidden, and deleted when a write meets it.

use keyspace::{Call, Clock, lookup};
use resp::Reply;

use crate::world::{START_MS, World};

#[test]
fn time_never_runs_backwards() {
    let mut world = World::new(1);
    world.words("set a 1 px 100");
    world.now_ms += 101;
    world.words("set b 1");
    // A reader and a new leader whose clocks are behind.
    world.now_ms = START_MS;
    assert_eq!(world.words("get a"), Reply::Null);
    world.words("set c 1 px 100");
    assert_eq!(world.words("pttl c"), Reply::Integer(100));
    assert_eq!(world.keyspace.last_now_ms(), START_MS + 101);
}

#[test]
fn a_write_that_meets_an_expired_key_deletes_it_and_says_so() {
    let mut world = World::new(1);
    for words in ["del a", "set a 2", "append a x", "setrange a 0 x", "rename b a"] {
        world.words("set a 1 px 100");
        world.words("set b 1");
        world.now_ms += 101;
        assert_eq!(world.keyspace.volatile_len(0), 1);
        world.words(words);
        assert!(world.touched.0.contains(&(0, b"a".to_vec())), "{words}");
        assert_eq!(world.keyspace.volatile_len(0), 0, "{words}");
        world.words("del a");
    }
}

#[test]
fn a_copy_of_an_expired_key_is_no_copy() {
    let mut world = World::new(1);
    world.words("set a 1 px 100");
    world.now_ms += 101;
    assert_eq!(world.words("copy a b"), Reply::Integer(0));
    assert_eq!(world.words("exists a b"), Reply::Integer(0));
}

#[test]
fn the_sweep_finds_each_key_once_it_is_over_in_steps_of_any_size() {
    let mut world = World::new(2);
    for db in 0..2 {
        world.db = db;
        for n in 0..50 {
            world.words(&format!("set k{n} 1 px {}", 10 + n));
            world.words(&format!("set {{t}}{n} 1 px {}", 10 + n));
        }
        world.words("set stays 1");
    }
    assert!(world.sweep(7).is_empty());
    for _ in 0..30 {
        world.now_ms += 2;
        world.sweep(7);
    }
    // The one slot with many keys gives up to seven a round, and all of them in the end.
    while !world.sweep(7).is_empty() {}
    assert_eq!((world.keyspace.len(0), world.keyspace.len(1)), (1, 1));
    assert_eq!(world.keyspace.volatile_len(0), 0);
}

#[test]
fn a_slot_of_many_keys_is_swept_in_parts() {
    let mut world = World::new(1);
    for n in 0..25_000 {
        world.words(&format!("set {{t}}{n} 1"));
    }
    for n in 0..300 {
        world.words(&format!("set {{t}}over{n} 1 px 1"));
    }
    world.now_ms += 2;
    let mut found = 0;
    let mut cursor = 0;
    let mut calls = 0;
    loop {
        cursor = world.keyspace.expired(world.now_ms, cursor, 1_000, &mut |_, _| found += 1);
        calls += 1;
        if cursor == 0 {
            break;
        }
    }
    assert_eq!((found, calls), (300, 2));
}

#[test]
fn random_numbers_go_on_within_an_entry() {
    let mut world = World::new(1);
    for n in 0..64 {
        world.words(&format!("set k{n} 1"));
    }
    let command = lookup(&[b"randomkey"]).unwrap();
    let args: [&[u8]; 1] = [b"randomkey"];
    let mut drawn = Vec::new();
    for _ in 0..8 {
        let clock = Clock { now_ms: START_MS, seed: 99 };
        let calls = [Call { command, args: &args, db: 0 }];
        world.keyspace.write(&calls, clock, &mut world.touched, &mut |reply| {
            drawn.push(reply.into_owned());
        });
    }
    assert!(drawn.iter().any(|key| *key != drawn[0]));
}
