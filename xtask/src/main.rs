//! Every chore of the repository: `cargo xtask help`.
//!
//! `verify` never writes; `fix` may. Nothing needs to be installed beforehand: what a chore lacks
//! it installs, or names in one line.

mod bench;
mod house;
mod imports;
mod protobuf;
mod shell;
mod suite;
mod tools;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Ringfort's chores")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Checks format, lints, imports, generated files and house rules; writes nothing.
    Verify,
    /// Formats, and writes again what is generated.
    Fix,
    /// Writes the Rust code of the protobuf files.
    Gen,
    /// Runs every test; installs what the tests need.
    Test {
        /// Only the black-box tests whose names contain this.
        filter: Option<String>,
    },
    /// Measures Ringfort against Redis and etcd, in interleaved rounds.
    Bench {
        /// Passed on: a scenario's name, `--rounds N`; none: all scenarios.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Verify => verify::run(),
        Chore::Fix => verify::fix(),
        Chore::Gen => protobuf::write(),
        Chore::Test { filter } => suite::run(filter.as_deref()),
        Chore::Bench { arguments } => bench::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("xtask: {trouble}");
            ExitCode::FAILURE
        }
    }
}
