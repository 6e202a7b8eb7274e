//! The checks that need no test run, and their repair.

use crate::shell::{Done, cargo, run as run_program};
use crate::{house, imports, protobuf};

/// Makes a test write what it would compare.
const BLESS: &str = "RINGFORT_BLESS";

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
        ("pages made from tables", || pages(false)),
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
    pages(true)
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

/// The pages made from the tables of commands and settings; the server's own tests know how.
fn pages(bless: bool) -> Done {
    let mut test = cargo();
    test.args(["test", "--quiet", "--package", "ringfort", "--", "page"]);
    if bless {
        test.env(BLESS, "1")
    } else {
        test.env_remove(BLESS)
    };
    run_program(&mut test)
}
