//! The Rust code of the protobuf files: committed, so that building needs no compiler for them,
//! and checked to be fresh.
//!
//! `<crate>/proto/*.proto` becomes `<crate>/src/gen/<protobuf package>.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::shell::{Done, cargo, command, read, root, run, target};

/// The crates that have a `proto` folder.
const CRATES: [&str; 3] = ["raft", "cluster", "server"];

/// Writes the generated code.
pub(crate) fn write() -> Done {
    for name in CRATES {
        let committed = committed_dir(name);
        let wanted = generated(name)?;
        for path in files(&committed)?.into_keys().filter(|file| !wanted.contains_key(file)) {
            std::fs::remove_file(committed.join(&path)).map_err(|e| format!("{path}: {e}"))?;
        }
        if !wanted.is_empty() {
            std::fs::create_dir_all(&committed).map_err(|e| e.to_string())?;
        }
        for (file, code) in wanted {
            let path = committed.join(&file);
            if read(&path).ok().as_deref() != Some(code.as_str()) {
                std::fs::write(&path, code).map_err(|e| format!("{}: {e}", path.display()))?;
                eprintln!("wrote {}", path.display());
            }
        }
    }
    Ok(())
}

/// Fails when the committed code is not what the protobuf files say.
pub(crate) fn check() -> Done {
    for name in CRATES {
        if files(&committed_dir(name))? != generated(name)? {
            return Err(format!("{name}/src/gen is stale: cargo xtask gen"));
        }
    }
    Ok(())
}

fn committed_dir(name: &str) -> PathBuf {
    root().join(name).join("src/gen")
}

fn generated(name: &str) -> Done<BTreeMap<String, String>> {
    let proto_dir = root().join(name).join("proto");
    let protos: Vec<PathBuf> =
        files(&proto_dir)?.into_keys().map(|file| proto_dir.join(file)).collect();
    if protos.is_empty() {
        return Ok(BTreeMap::new());
    }
    let out = target().join("xtask-gen").join(name);
    if out.exists() {
        std::fs::remove_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    }
    std::fs::create_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    run(cargo().args(["run", "--quiet", "--package", "xtask-gen", "--"]).arg(&out).args(&protos))?;
    let written: Vec<PathBuf> = files(&out)?.into_keys().map(|file| out.join(file)).collect();
    let mut format = command("rustfmt");
    run(format.args(["--edition", "2024", "--config-path", "rustfmt.toml"]).args(&written))?;
    files(&out)
}

/// The files of a folder with their text; none if there is no such folder.
fn files(dir: &Path) -> Done<BTreeMap<String, String>> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Ok(BTreeMap::new()) };
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(|e| format!("{}: {e}", dir.display()))?.path();
        let name = path.file_name().expect("read_dir names files").to_string_lossy().into_owned();
        files.insert(name, read(&path)?);
    }
    Ok(files)
}
