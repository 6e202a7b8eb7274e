//! The rules of STYLE.md that can be counted: file lengths, words that must not be left behind,
//! paths of the machine it was written on.

use crate::shell::{Done, command, output, root};

/// Lines in a file (STYLE.md rule 6); tests apart, so theirs are counted without `mod tests`.
const FILE_LINES_MAX: usize = 800;

/// Left behind by someone who meant to come back. Spelled in halves, to not find themselves.
const LEFT_BEHIND: [(&str, &str); 6] = [
    ("to", "do!("),
    ("unimple", "mented!("),
    ("db", "g!("),
    ("TO", "DO"),
    ("FIX", "ME"),
    ("#[ig", "nore"),
];

/// Fails with every file and line that breaks a rule.
pub(crate) fn check() -> Done {
    // Files that are not yet added count: verify runs before a commit.
    let list = output(command("git").args(["ls-files", "-co", "--exclude-standard"]))?;
    let here = format!("{}/", root().display());
    let mut wrong = Vec::new();
    for file in list.lines() {
        let Ok(text) = std::fs::read_to_string(root().join(file)) else { continue };
        let code = is_code(file) && !file.contains("/gen/");
        if code {
            let lines = text.split("\nmod tests {").next().unwrap_or_default().lines().count();
            if lines > FILE_LINES_MAX {
                wrong.push(format!("{file}: {lines} lines, at most {FILE_LINES_MAX}"));
            }
        }
        for (number, line) in text.lines().enumerate() {
            let at = format!("{file}:{}", number + 1);
            if line.contains(&here) {
                wrong.push(format!("{at}: names a path of this machine"));
            }
            if code {
                let found = LEFT_BEHIND.map(|(a, b)| format!("{a}{b}"));
                if let Some(word) = found.iter().find(|word| line.contains(word.as_str())) {
                    wrong.push(format!("{at}: `{word}` was left behind"));
                }
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn is_code(file: &str) -> bool {
    [".rs", ".py", ".js", ".c"].iter().any(|ending| file.ends_with(ending))
}
