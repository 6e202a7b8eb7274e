//! `cargo xtask bench`: builds what is measured and hands over to the measuring program.

use crate::shell::{Done, cargo, run as run_program, server};
use crate::{tools, verify};

/// Runs the scenarios named in `arguments`, or all.
pub(crate) fn run(arguments: &[String]) -> Done {
    tools::ensure(&[tools::REDIS_SERVER, tools::REDIS_CLI, tools::REDIS_BENCHMARK, tools::ETCD])?;
    verify::build_server()?;
    let mut bench = cargo();
    bench.args([
        "run",
        "--release",
        "--quiet",
        "--package",
        "compat-tests",
        "--bin",
        "bench",
        "--",
    ]);
    run_program(bench.args(arguments).env("RINGFORT_BIN", server()))
}
