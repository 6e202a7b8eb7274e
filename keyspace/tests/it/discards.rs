//! Large things are handed on instead of being freed, and small ones are not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::world::World;

fn world() -> (World, Arc<AtomicUsize>) {
    let world = World::new(1);
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    world.keyspace.discard_to(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    (world, count)
}

#[test]
fn deleting_or_replacing_a_large_value_hands_it_on() {
    let (mut world, count) = world();
    let large = vec![b'x'; 100_000];
    for last in [&[&b"del"[..], b"k"][..], &[b"set", b"k", b"v"], &[b"rename", b"j", b"k"]] {
        world.run(&[b"set", b"j", b"small"]);
        world.run(&[b"set", b"k", &large]);
        let before = count.load(Ordering::Relaxed);
        world.run(last);
        assert_eq!(count.load(Ordering::Relaxed), before + 1, "{last:?}");
    }
}

#[test]
fn small_values_are_freed_at_once() {
    let (mut world, count) = world();
    world.words("set k v");
    world.words("set k vv");
    world.words("del k");
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[test]
fn a_flushed_database_is_handed_on_whole() {
    let (mut world, count) = world();
    world.words("flushall");
    assert_eq!(count.load(Ordering::Relaxed), 0);
    world.words("mset a 1 b 2 c 3");
    world.words("flushall");
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert!(world.keyspace.is_empty(0));
}
