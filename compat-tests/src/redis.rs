//! Debian's redis-server, to compare with.

use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::client::Client;
use crate::ports;
use crate::process::Process;
use crate::wait;

/// A redis-server without persistence unless told otherwise.
pub struct Redis {
    /// The process.
    pub process: Process,
    /// Its port.
    pub port: u16,
    _dir: TempDir,
}

impl Redis {
    /// Starts it with further arguments (`--requirepass x`) and waits until it answers.
    pub fn start(arguments: &[&str]) -> Redis {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let port = ports::free();
        let mut command = Command::new("redis-server");
        command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--dir"])
            .arg(dir.path())
            .args(arguments);
        let mut process = Process::start("redis", &mut command, dir.path());
        wait::until_true("redis-server to answer", Duration::from_secs(10), || {
            process.expect_running();
            Client::connect(port).is_ok()
        });
        Redis { process, port, _dir: dir }
    }
}
