//! What the tests and measurements need beside Rust: found, or installed, or named in one line.

use std::path::PathBuf;
use std::process::Command;

use crate::shell::{Done, command, output, root, run, target};

/// A program and the Debian package that brings it.
pub(crate) struct Tool {
    program: &'static str,
    package: &'static str,
}

pub(crate) const REDIS_SERVER: Tool = Tool { program: "redis-server", package: "redis-server" };
pub(crate) const REDIS_CLI: Tool = Tool { program: "redis-cli", package: "redis-tools" };
pub(crate) const REDIS_BENCHMARK: Tool =
    Tool { program: "redis-benchmark", package: "redis-tools" };
pub(crate) const ETCD: Tool = Tool { program: "etcd", package: "etcd-server" };
const PYTHON: Tool = Tool { program: "python3", package: "python3" };
const NODE: Tool = Tool { program: "node", package: "nodejs" };
const NPM: Tool = Tool { program: "npm", package: "npm" };

/// Installs what is missing where that is possible; else an error with the one command to type.
pub(crate) fn ensure(tools: &[Tool]) -> Done {
    let missing: Vec<&str> =
        tools.iter().filter(|tool| !found(tool.program)).map(|tool| tool.package).collect();
    install(&missing)
}

/// A Python with the pinned redis-py; its path.
pub(crate) fn python_with_redis() -> Done<PathBuf> {
    ensure(&[PYTHON])?;
    if output(command("python3").args(["-c", "import ensurepip, venv"])).is_err() {
        install(&["python3-venv"])?;
    }
    let venv = target().join("compat-clients/python");
    let python = venv.join("bin/python");
    let requirements = root().join("compat-tests/clients/python/requirements.txt");
    if !python.exists() {
        run(command("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    run(command(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(requirements))?;
    Ok(python)
}

/// A folder with the pinned ioredis in `node_modules`.
pub(crate) fn node_with_ioredis() -> Done<PathBuf> {
    ensure(&[NODE, NPM])?;
    let folder = target().join("compat-clients/node");
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for file in ["package.json", "package-lock.json"] {
        let from = root().join("compat-tests/clients/node").join(file);
        std::fs::copy(&from, folder.join(file)).map_err(|e| format!("{}: {e}", from.display()))?;
    }
    let mut npm = Command::new("npm");
    run(npm.args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(&folder))?;
    Ok(folder)
}

fn found(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn install(packages: &[&str]) -> Done {
    if packages.is_empty() {
        return Ok(());
    }
    let wanted = packages.join(" ");
    let root = output(command("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root || !found("apt-get") {
        return Err(format!("missing, please install: apt-get install {wanted}"));
    }
    // A fresh machine's list of packages may be empty or old.
    run(apt().arg("update").arg("-qq"))?;
    run(apt().args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages))
}

fn apt() -> Command {
    let mut apt = command("apt-get");
    // RUNLEVEL: the packages' services stay off; the tests start their own on free ports.
    apt.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    apt
}
