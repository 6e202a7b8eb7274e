//! `commands-page --check FILE | --write FILE`: the page of commands, from a running server.

use std::process::ExitCode;

use compat_tests::standalone::Standalone;
use compat_tests::table;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, file] = arguments.as_slice() else {
        eprintln!("usage: commands-page --check FILE | --write FILE");
        return ExitCode::FAILURE;
    };
    let server = Standalone::start(&["fsync=no"]);
    let page = table::page(&table::read(&mut server.client()));
    let fresh = std::fs::read_to_string(file).is_ok_and(|text| text == page);
    if fresh {
        return ExitCode::SUCCESS;
    }
    if mode == "--check" {
        eprintln!("{file} is stale: cargo xtask fix");
        return ExitCode::FAILURE;
    }
    match std::fs::write(file, page) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::FAILURE
        }
    }
}
