//! The import table and the external fences of ARCHITECTURE.md, held against `cargo metadata`.
//!
//! Each is a Markdown table after its marker comment. A dependency that the table does not allow
//! fails, and so does a row about a crate that does not exist. What a row allows but nobody uses
//! is fine.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::shell::{Done, cargo, output, read, root};

const IMPORTS_MARKER: &str = "<!-- table: imports -->";
const FENCES_MARKER: &str = "<!-- table: fences -->";

/// A folder of the workspace and the packages it depends on by name, tests included.
struct Member {
    folder: String,
    package: String,
    depends_on: BTreeSet<String>,
}

/// Fails on the first dependency that the tables do not allow, naming all of them.
pub(crate) fn check() -> Done {
    let text = read(&root().join("ARCHITECTURE.md"))?;
    let imports = table(&text, IMPORTS_MARKER)?;
    let fences = table(&text, FENCES_MARKER)?;
    let members = members()?;

    let folders: BTreeSet<&str> = members.iter().map(|member| member.folder.as_str()).collect();
    let packages: BTreeMap<&str, &str> =
        members.iter().map(|member| (member.package.as_str(), member.folder.as_str())).collect();
    let mut wrong = Vec::new();
    for folder in imports.keys().filter(|folder| !folders.contains(folder.as_str())) {
        wrong.push(format!("the import table has a row for `{folder}`, which is no crate"));
    }
    for member in &members {
        let Some(allowed) = imports.get(&member.folder) else {
            wrong.push(format!("the import table has no row for `{}`", member.folder));
            continue;
        };
        for package in &member.depends_on {
            if let Some(&folder) = packages.get(package.as_str())
                && !allowed.contains(folder)
            {
                wrong.push(format!("`{}` must not import `{folder}`", member.folder));
            }
            if let Some(inside) = fences.get(package)
                && !inside.contains(&member.folder)
            {
                wrong.push(format!("`{}` must not depend on `{package}`", member.folder));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn members() -> Done<Vec<Member>> {
    let text = output(cargo().args(["metadata", "--format-version=1", "--no-deps"]))?;
    let metadata: Value =
        serde_json::from_str(&text).map_err(|e| format!("cargo metadata: {e}"))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
    let mut members = Vec::new();
    for package in packages {
        let manifest = package["manifest_path"].as_str().ok_or("a package without a manifest")?;
        let folder = std::path::Path::new(manifest)
            .parent()
            .and_then(|path| path.strip_prefix(root()).ok())
            .ok_or("a member outside the repository")?;
        let names = package["dependencies"].as_array().into_iter().flatten();
        members.push(Member {
            folder: folder.to_string_lossy().into_owned(),
            package: package["name"].as_str().unwrap_or_default().to_owned(),
            depends_on: names.filter_map(|d| d["name"].as_str()).map(str::to_owned).collect(),
        });
    }
    Ok(members)
}

/// First column to the names in the second; names stand in backquotes.
fn table(text: &str, marker: &str) -> Done<BTreeMap<String, BTreeSet<String>>> {
    let after = text.split_once(marker).ok_or(format!("ARCHITECTURE.md lacks {marker}"))?.1;
    let rows = after
        .lines()
        .skip_while(|line| line.trim().is_empty())
        .take_while(|line| line.starts_with('|'))
        .skip(2);
    let mut table = BTreeMap::new();
    for row in rows {
        let mut columns = row.trim_matches('|').split('|');
        let (Some(key), Some(names)) = (columns.next(), columns.next()) else {
            return Err(format!("a row of two columns, please: {row}"));
        };
        for name in quoted(key) {
            table.insert(name, quoted(names).collect());
        }
    }
    if table.is_empty() { Err(format!("no rows after {marker}")) } else { Ok(table) }
}

fn quoted(cell: &str) -> impl Iterator<Item = String> + '_ {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_after_its_marker() {
        let text = "x\n<!-- table: imports -->\n\n| a | b |\n|---|---|\n| `p`, `q` | `r`, `s` |\n| `t` | nothing |\n\n| `no` | `no` |\n";
        let table = table(text, IMPORTS_MARKER).unwrap();
        assert_eq!(table.keys().collect::<Vec<_>>(), ["p", "q", "t"]);
        assert_eq!(table["p"].iter().collect::<Vec<_>>(), ["r", "s"]);
        assert!(table["t"].is_empty());
    }
}
