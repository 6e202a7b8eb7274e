//! Readers on many threads see whole writes only, and nobody waits for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keyspace::{Call, Keyspace, lookup};
use resp::Reply;

use crate::world::World;

const ROUNDS: u64 = 1_000;

/// Reads several requests at once, each in its database.
fn read(keyspace: &Keyspace, requests: &[(u8, &[&[u8]])]) -> Vec<Reply<'static>> {
    let call = |(db, args): &(u8, &'_ [&'_ [u8]])| lookup(args).map(|command| (*db, command));
    let commands: Vec<_> =
        requests.iter().map(|request| call(request).expect("a command")).collect();
    let calls: Vec<Call<'_>> = requests
        .iter()
        .zip(commands)
        .map(|((_, args), (db, command))| Call { command, args, db })
        .collect();
    let mut answers = Vec::new();
    keyspace.read(&calls, 0, &mut |reply| answers.push(reply.into_owned()));
    answers
}

fn until(done: &AtomicBool, mut work: impl FnMut()) {
    while !done.load(Ordering::Relaxed) {
        work();
    }
}

#[test]
fn reads_see_all_of_a_write_or_nothing_of_it() {
    let mut world = World::new(4);
    let keyspace = world.keyspace.clone();
    world.words("mset a 0 b 0 c 0");
    world.db = 2;
    world.words("set m 1");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            until(&done, || {
                let answers = read(&keyspace, &[(0, &[b"mget", b"c", b"a", b"b"])]);
                let [Reply::Array(values)] = &answers[..] else { panic!("{answers:?}") };
                assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
            });
        });
        scope.spawn(|| {
            // The key is in one of the two databases, whichever way they were exchanged.
            until(&done, || {
                let answers = read(&keyspace, &[(3, &[b"exists", b"m"]), (2, &[b"exists", b"m"])]);
                let one = [Reply::Integer(0), Reply::Integer(1)];
                assert!(one.iter().all(|count| answers.contains(count)), "{answers:?}");
            });
        });
        scope.spawn(|| {
            until(&done, || {
                read(&keyspace, &[(0, &[b"keys", b"*"])]);
                read(&keyspace, &[(0, &[b"dbsize"]), (1, &[b"scan", b"0"])]);
            });
        });
        scope.spawn(|| {
            until(&done, || {
                let copy = Arc::new(Keyspace::new(4));
                let mut pin = keyspace.pin(None);
                while let Some((unit, bytes)) = pin.next_unit() {
                    copy.load_unit(unit, &bytes).unwrap();
                }
                let answers = read(&copy, &[(0, &[b"mget", b"c", b"a", b"b"])]);
                let [Reply::Array(values)] = &answers[..] else { panic!("{answers:?}") };
                assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
            });
        });
        for round in 0..ROUNDS {
            world.db = 0;
            world.words(&format!("mset a {round} b {round} c {round}"));
            if round % 50 == 0 {
                world.words("swapdb 2 3");
            }
            // Wherever it is now, it goes to the other one.
            world.db = 2;
            if world.words("move m 3") == Reply::Integer(0) {
                world.db = 3;
                assert_eq!(world.words("move m 2"), Reply::Integer(1));
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_block_may_name_any_keys_and_databases() {
    let mut world = World::new(16);
    let lines = [
        "set a 1",
        "move a 5",
        "set a 2",
        "copy a b db 7",
        "dbsize",
        "keys *",
        "flushdb",
        "swapdb 0 7",
        "get b",
        "get nothing",
    ];
    let answers = world.block(&lines);
    assert_eq!(answers[8], Reply::BulkInteger(2));
    assert_eq!(answers[9], Reply::Null);
    world.db = 5;
    assert_eq!(world.words("get a"), Reply::BulkInteger(1));
}
