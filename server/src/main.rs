//! `ringfort`: one binary for the server, a local cluster and the admin tool.

// In a program `pub` says that other modules use it; nothing is public beyond.
#![allow(unreachable_pub)]
// A segment passes from hand to hand between threads: as one pointer, not as its 300 bytes.
#![allow(clippy::vec_box)]

mod admin;
mod batch;
mod blocked;
mod cli;
mod commands;
mod config;
mod connection;
mod dispatch;
mod exchange;
mod expiry;
mod forward;
mod free;
mod http;
mod leaders;
mod limits;
mod listener;
mod machine;
mod node;
mod pubsub;
mod router;
mod segment;
mod serve;
mod session;
mod settings;
#[allow(dead_code, reason = "what hands slots out is called by the driver of moves alone")]
mod slots;
mod transaction;
mod up;
mod watch;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command, ServeArgs};
use crate::config::Config;

/// Small objects come and go on several threads; the system's allocator costs more there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr();
    let result = match cli.command.unwrap_or(Command::Serve(ServeArgs::default())) {
        Command::Serve(args) => {
            Config::load(&args).map_err(|error| error.to_string()).and_then(serve::run)
        }
        Command::Up(args) => up::run(&args),
        Command::Admin(args) => admin::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("ringfort: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn log_to_stderr() {
    // openraft tells every step of an election; what of it matters is told by our own layers.
    let default = || EnvFilter::new("info,openraft=error");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| default());
    let colours = std::io::stderr().is_terminal();
    let writer = std::io::stderr;
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(writer).init();
}
