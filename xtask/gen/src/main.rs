//! Writes, into the directory named by the first argument, the Rust code of the `.proto` files
//! named by the others: one file per protobuf package.
//!
//! protox compiles in Rust, so nobody needs protoc. Where the files go, and whether they are
//! fresh, is `cargo xtask gen`'s and `verify`'s business.

use std::error::Error;
use std::path::PathBuf;

/// Linted where it is written by hand, not here.
const HEADER: &str = "\
// Written by `cargo xtask gen`; change the .proto file instead.
#![allow(clippy::all, missing_docs, unreachable_pub)]
";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let out = arguments.next().ok_or("usage: xtask-gen OUT_DIR FILE.proto...")?;
    let protos: Vec<PathBuf> = arguments.collect();
    let includes: Vec<PathBuf> =
        protos.iter().map(|proto| proto.parent().map(PathBuf::from).unwrap_or_default()).collect();

    let descriptors = protox::compile(&protos, &includes)?;
    tonic_prost_build::configure()
        // Entries and chunks pass through as slices of the received buffer, not as copies.
        .bytes(".")
        .emit_rerun_if_changed(false)
        .out_dir(&out)
        .compile_fds(descriptors)?;

    for entry in std::fs::read_dir(&out)? {
        let path = entry?.path();
        let code = std::fs::read_to_string(&path)?;
        std::fs::write(&path, format!("{HEADER}{code}"))?;
    }
    Ok(())
}
