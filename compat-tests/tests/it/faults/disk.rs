//! Disks that are full or broken: the node says what and where, serves nothing wrong, and the
//! others go on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use compat_tests::cluster::Cluster;
use compat_tests::load::Load;
use compat_tests::process::Process;
use compat_tests::standalone::Standalone;
use compat_tests::wait;

use super::{CLIENTS, cluster_client, expect_kept};

/// Random enough that nothing compresses it, so that it is found again on the disk.
const NEEDLE: &[u8] = b"\x8f\x13n\xe3\xb1\x07e\x95e\xdd\xa2d\x1fl\xc9\x0ee\x7f\x02\xbb\x91z";
/// A segment of the log is 64 MiB: two fit, with little else.
const SMALL_DISK_MIB: u64 = 150;

#[test]
fn a_flipped_bit_in_the_log_is_not_served() {
    let mut node = Standalone::start(&[]);
    let mut client = node.client();
    client.call(&[b"SET".as_slice(), b"needle", NEEDLE]);
    for number in 0..200 {
        client.call(&["SET", &format!("k{number}"), "v"]);
    }
    node.process.kill();
    let log = node.data_dir().join("log");
    flip_a_bit(&log);
    node.start_again();
    expect_refusal(&mut node.process, &log);
}

#[test]
fn flipped_bits_in_the_checkpoint_are_not_served() {
    let mut node = Standalone::start(&["checkpoint-entries=10"]);
    let mut client = node.client();
    for number in 0..200 {
        client.call(&["SET", &format!("k{number}"), "v"]);
    }
    // Stopped in good order: what the checkpoint store wrote is in its files.
    node.process.terminate();
    let checkpoints = node.data_dir().join("checkpoints");
    // All of it: what the store compressed or replaced cannot be told from outside.
    for file in files(&checkpoints.join("slabs")) {
        let mut bytes = std::fs::read(&file).expect("our own file");
        bytes.iter_mut().skip(25).step_by(50).for_each(|byte| *byte ^= 1);
        std::fs::write(&file, bytes).expect("our own file");
    }
    node.start_again();
    expect_refusal(&mut node.process, &checkpoints);
}

#[test]
fn a_follower_with_a_broken_log_refuses_and_the_others_go_on() {
    let mut cluster = Cluster::start(1, 3, &[]);
    let leader = cluster.leader(0);
    let follower = (leader + 1) % 3;
    let mut client = cluster.client(leader);
    client.call(&[b"SET".as_slice(), b"needle", NEEDLE]);
    client.call(&["WAIT", "2", "5000"]);
    for number in 0..200 {
        client.call(&["SET", &format!("k{number}"), "v"]);
    }
    cluster.kill_node(follower);
    let log = cluster.nodes[follower].data_dir.join("log");
    flip_a_bit(&log);
    cluster.start_node(follower);
    expect_refusal(cluster.nodes[follower].process.as_mut().expect("just started"), &log);
    assert_eq!(client.call(&["SET", "k", "w"]).to_string(), "+OK", "the others go on");
    assert_eq!(client.call(&["GET", "k"]).text(), "w");
}

#[test]
fn a_full_disk_stops_one_node_and_loses_nothing() {
    let disks = tempfile::tempdir().expect("a temporary folder");
    let small = SmallDisk::mount(&disks.path().join("small"));
    let data = small.path.join("data");
    let place = |index: usize| (index == 0).then(|| data.clone());
    let mut cluster = Cluster::start_with_data(1, 3, &[], place);
    let load = Load::start("full", &cluster.ports(), CLIENTS, &["t".into()]);
    load.wait_for_more(500);
    fill(&small.path);
    let mut client = cluster_client(&cluster);
    let big = vec![b'v'; 256 << 10];
    wait::until_true("the node to meet its full disk", Duration::from_secs(60), || {
        client.call(b"big", &[b"SET", b"big", &big]);
        cluster.nodes[0].process.as_mut().is_none_or(|process| process.ended().is_some())
    });
    let log = cluster.nodes[0].process.as_ref().expect("kept for its log").log();
    let said = log.lines().any(|line| line.contains("No space left") && line.contains("small"));
    assert!(said, "the node does not say which disk is full:\n{log}");
    load.wait_for_more(500);
    let record = load.stop();
    cluster.nodes[0].process = None;
    expect_kept(&record, &mut cluster_client(&cluster), 1);
}

/// Changes one bit of the needle wherever a file of the folder has it.
fn flip_a_bit(folder: &Path) {
    let mut flipped = false;
    for file in files(folder) {
        let mut bytes = std::fs::read(&file).expect("our own file");
        let mut found = false;
        while let Some(at) = bytes.windows(NEEDLE.len()).position(|window| window == NEEDLE) {
            bytes[at + NEEDLE.len() / 2] ^= 1;
            found = true;
        }
        if found {
            std::fs::write(&file, bytes).expect("our own file");
            flipped = true;
        }
    }
    assert!(flipped, "the value is not in {}", folder.display());
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of data") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// The node ends with an error, and a line that names a place in the folder.
fn expect_refusal(process: &mut Process, folder: &Path) {
    let status = wait::until("the node to refuse", Duration::from_secs(30), || process.ended());
    assert!(!status.success(), "a node with a broken disk ended as if all were well");
    let (log, folder) = (process.log(), folder.display().to_string());
    let said = log.lines().rev().take(10).any(|line| line.contains(&folder));
    assert!(said, "the node does not say that {folder} is broken:\n{}", process.tail());
}

/// A disk of its own in memory; mounting it needs root.
struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    fn mount(path: &Path) -> SmallDisk {
        std::fs::create_dir(path).expect("a new folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={SMALL_DISK_MIB}m"), "tmpfs"]).arg(path);
        let mounted = mount.status().is_ok_and(|status| status.success());
        assert!(mounted, "a small disk could not be mounted: this test needs root");
        SmallDisk { path: path.to_owned() }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}

/// Takes what room is left.
fn fill(disk: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(disk.join("filler")).expect("a file on the small disk");
    let block = vec![0; 1 << 20];
    while file.write_all(&block).is_ok() {}
}
