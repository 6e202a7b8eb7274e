//! The checks that need no test run, and their repair.

use crate::shell::{Done, cargo, run as run_program, server};
use crate::{house, imports, protobuf};

/// A check's name and the check.
type Check = (&'static str, fn() -> Done);

/// Runs every check, also after one failed; writes nothing.
pub(crate) fn run() -> Done {
    let checks: [Check; 6] = [
        ("format", || run_program(cargo().args(["fmt", "--all", "--check"]))),
        ("imports", imports::check),
        ("house rules", house::check),
        ("protobuf code", protobuf::check),
        ("clippy", clippy),
        ("docs/commands.md", || commands_page("--check")),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        match check() {
            Ok(()) => eprintln!("verify {name}: ok"),
            Err(trouble) => {
                eprintln!("verify {name}: FAILED\n{trouble}");
                failed.push(name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("verify failed: {}", failed.join(", "))) }
}

/// Formats, and writes again what is generated.
pub(crate) fn fix() -> Done {
    protobuf::write()?;
    run_program(cargo().args(["fmt", "--all"]))?;
    commands_page("--write")
}

/// Builds the server that the black-box tests and the measurements start.
pub(crate) fn build_server() -> Done {
    run_program(cargo().args(["build", "--release", "--package", "ringfort"]))
}

fn clippy() -> Done {
    let mut clippy = cargo();
    clippy.args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]);
    run_program(&mut clippy)
}

/// The page is written from what a running server says of its own commands.
fn commands_page(mode: &str) -> Done {
    build_server()?;
    let mut page = cargo();
    page.args(["run", "--quiet", "--package", "compat-tests", "--bin", "commands-page", "--"]);
    run_program(page.args([mode, "docs/commands.md"]).env("RINGFORT_BIN", server()))
}
