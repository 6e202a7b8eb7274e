//! `cargo xtask test`: every test there is, in one command.
//!
//! The crates' own tests first, since they are quick to blame; then the black-box tests against a
//! release build of the server, one at a time, since they measure times on few cores.

use crate::shell::{Done, cargo, run as run_program, server};
use crate::{tools, verify};

/// Runs the suite; steps go on after a failure, so that one run tells all.
pub(crate) fn run(filter: Option<&str>) -> Done {
    let mut steps: Vec<(&str, Done)> = Vec::new();
    if filter.is_none() {
        let mut tests = cargo();
        tests.args(["test", "--quiet", "--workspace", "--exclude", "compat-tests"]);
        steps.push(("the crates' tests", run_program(&mut tests)));
    }
    steps.push(("black-box tests", black_box(filter)));
    let passed = steps.iter().filter(|(_, done)| done.is_ok()).count();
    let failed = steps.len() - passed;
    for (step, done) in &steps {
        if let Err(trouble) = done {
            println!("FAILED {step}: {trouble}");
        }
    }
    println!("steps: {passed} passed, {failed} failed");
    if failed == 0 { Ok(()) } else { Err(format!("{failed} steps failed")) }
}

fn black_box(filter: Option<&str>) -> Done {
    tools::ensure(&[tools::REDIS_SERVER, tools::REDIS_CLI, tools::REDIS_BENCHMARK])?;
    let python = tools::python_with_redis()?;
    let node = tools::node_with_ioredis()?;
    verify::build_server()?;
    let mut tests = cargo();
    tests.args(["test", "--package", "compat-tests", "--"]);
    tests.args(["--test-threads=1", "--show-output"]).args(filter);
    tests.env("RINGFORT_BIN", server()).env("COMPAT_PYTHON", python).env("COMPAT_NODE", node);
    run_program(&mut tests)
}
