//! One standalone Ringfort node.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::client::Client;
use crate::ports;
use crate::process::Process;
use crate::resp::Value;
use crate::wait;

/// A start replays at most some hundred megabytes of log.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The server's program: what `RINGFORT_BIN` names, else the build beside the tests.
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("RINGFORT_BIN") {
        return path.into();
    }
    let tests = std::env::current_exe().expect("a test knows its own program");
    let target = tests
        .ancestors()
        .find(|folder| folder.ends_with("debug") || folder.ends_with("release"))
        .and_then(Path::parent)
        .expect("tests are built in a target folder");
    let found = ["release", "debug"].map(|profile| target.join(profile).join("ringfort"));
    let found = found.into_iter().find(|path| path.is_file());
    found.expect("the server is not built: cargo build --release -p ringfort")
}

/// A node started with `ringfort serve`, and its folder.
pub struct Standalone {
    /// The process.
    pub process: Process,
    /// Its client port, the same after a restart.
    pub port: u16,
    arguments: Vec<String>,
    dir: TempDir,
}

impl Standalone {
    /// Starts it with settings (`fsync=no`) and waits until it answers.
    pub fn start(settings: &[&str]) -> Standalone {
        let port = ports::free();
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut arguments = vec!["serve".into(), "--listen".into(), format!("127.0.0.1:{port}")];
        for setting in settings {
            arguments.extend(["--set".into(), (*setting).into()]);
        }
        let process = spawn(&arguments, dir.path(), &dir.path().join("data"));
        let mut standalone = Standalone { process, port, arguments, dir };
        standalone.wait_until_ready();
        standalone
    }

    /// Starts it again on its folder, after a kill; does not wait.
    pub fn start_again(&mut self) {
        self.process = spawn(&self.arguments, self.dir.path(), &self.data_dir());
    }

    /// Waits until it answers commands.
    pub fn wait_until_ready(&mut self) {
        wait::until_true("ringfort to answer", START_LIMIT, || {
            self.process.expect_running();
            is_ready(self.port)
        });
    }

    /// Where it keeps its data.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A new connection.
    pub fn client(&self) -> Client {
        Client::connect(self.port).expect("a running server accepts connections")
    }
}

fn spawn(arguments: &[String], dir: &Path, data: &Path) -> Process {
    let mut command = Command::new(program());
    command.args(arguments).arg("--data-dir").arg(data);
    Process::start("ringfort", &mut command, dir)
}

/// Whether the server on `port` executes a command; one that asks for a password is ready too.
pub fn is_ready(port: u16) -> bool {
    let Ok(mut client) = Client::connect_within(port, Duration::from_secs(2)) else { return false };
    match client.try_call(&["GET", "is-ready"]) {
        Ok(Value::Error(text)) => text.starts_with("NOAUTH") || text.starts_with("MOVED"),
        Ok(_) => true,
        Err(_) => false,
    }
}
