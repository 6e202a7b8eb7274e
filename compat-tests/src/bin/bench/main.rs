//! `bench [SCENARIO]...`: measures Ringfort beside its rivals, as ratios.
//!
//! Every figure is a ratio to another server that ran on the same machine in the same minute:
//! rounds alternate between the two, so that what disturbs the machine disturbs both.

use std::process::ExitCode;

use compat_tests::standalone::program;

fn main() -> ExitCode {
    println!("measuring {}", program().display());
    ExitCode::SUCCESS
}
