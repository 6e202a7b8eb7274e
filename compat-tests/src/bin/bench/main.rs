//! `bench [--rounds N] [SCENARIO]...`: measures Ringfort beside its rivals, as ratios.
//!
//! Every figure is a ratio to another server that ran on the same machine in the same minute:
//! rounds alternate between the two, so that what disturbs the machine disturbs both. Every load
//! is bounded in requests and in time, every reply is checked to be no error, and what was written
//! is read back. Leaves to the tests whether Ringfort is right, and to `cargo xtask bench` the
//! building of the server (`RINGFORT_BIN` names it).

mod case;
mod etcd;
mod follower;
mod load;
mod machine;
mod memory;
mod redis_benchmark;
mod replicated;
mod report;
mod single;
mod trio;
mod type_memory;
mod types;

use std::process::ExitCode;

use case::{Case, Done};

/// A scenario's name, what it compares, and how.
struct Scenario {
    name: &'static str,
    about: &'static str,
    run: fn(usize) -> Done<Vec<Case>>,
}

const SCENARIOS: [Scenario; 7] = [
    Scenario {
        name: "single",
        about: "one replica, fsync no, against redis-server without persistence",
        run: single::without_fsync,
    },
    Scenario {
        name: "single-fsync",
        about: "one replica, fsync always, against redis-server with appendfsync always",
        run: single::with_fsync,
    },
    Scenario {
        name: "replicated",
        about: "three replicas, fsync always, against etcd with three members",
        run: replicated::run,
    },
    Scenario {
        name: "memory",
        about: "bytes a key of 1,000,000 keys, against redis-server",
        run: memory::run,
    },
    Scenario {
        name: "types",
        about: "the families' commands, one replica, fsync no, against redis-server",
        run: types::run,
    },
    Scenario {
        name: "type-memory",
        about: "bytes an element of small and of large collections, against redis-server",
        run: type_memory::run,
    },
    Scenario {
        name: "follower",
        about: "three replicas, fsync always: through a follower, against through the leader",
        run: follower::run,
    },
];

/// Fewer rounds give no median worth the name; more take minutes.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("bench: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Done {
    let (rounds, names) = match arguments {
        [flag, count, names @ ..] if flag == "--rounds" => {
            (count.parse().map_err(|_| format!("--rounds {count}: not a number"))?, names)
        }
        names => (ROUNDS, names),
    };
    let mut chosen: Vec<&Scenario> = Vec::new();
    for name in names {
        let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
        chosen.push(found.ok_or_else(|| usage(name))?);
    }
    if chosen.is_empty() {
        chosen.extend(&SCENARIOS);
    }
    let machine = machine::describe()?;
    println!("{}", machine.line());
    for scenario in chosen {
        let cases = (scenario.run)(rounds)?;
        report::print(scenario.name, scenario.about, rounds, &cases);
        let file = report::write(scenario.name, scenario.about, &machine, &cases)?;
        println!("written to {}", file.display());
    }
    Ok(())
}

fn usage(unknown: &str) -> String {
    let mut text = format!("no scenario `{unknown}`; bench [--rounds N] [SCENARIO]...");
    for scenario in &SCENARIOS {
        text.push_str(&format!("\n  {:<14}{}", scenario.name, scenario.about));
    }
    text
}
