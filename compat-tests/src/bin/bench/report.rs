//! The figures as a table for people and as JSON for programs.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::case::{Case, Done, Measure, Sample};
use crate::machine::Machine;

const HEAD: [&str; 7] = ["case", "measure", "ours", "theirs", "ratio", "least-most", "goal"];

/// Prints a scenario's table.
pub(crate) fn print(name: &str, about: &str, rounds: usize, cases: &[Case]) {
    let mut rows = vec![HEAD.map(str::to_owned)];
    for case in cases {
        rows.extend(case.measures().into_iter().map(|measure| row(case, measure)));
    }
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or_default())
        .collect();
    println!("\n{name}: {about}; medians of {rounds} rounds");
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            // Words to the left, numbers to the right.
            if column < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

fn row(case: &Case, measure: Measure) -> [String; 7] {
    let sides = if measure == case.measures()[0] {
        format!("{} ({} / {})", case.name, case.sides[0], case.sides[1])
    } else {
        case.name.clone()
    };
    let [ours, theirs] = [0, 1].map(|side| number(case.median(measure, side)));
    let mut row = [sides, measure.name().into(), ours, theirs, "".into(), "".into(), "".into()];
    if measure.is_compared() {
        let [ratio, least, most] = case.ratio(measure);
        row[4] = format!("{ratio:.2}x");
        row[5] = format!("{least:.2}-{most:.2}");
    }
    if let Some((goal, reached)) = case.goal(measure) {
        let sign = if measure.higher_is_better() { ">=" } else { "<=" };
        row[6] = format!("{sign} {goal:.2}x {}", if reached { "reached" } else { "MISSED" });
    }
    row
}

/// Three digits that matter.
fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// Writes a scenario's rounds beside the build, in `target/bench/<scenario>.json`.
pub(crate) fn write(name: &str, about: &str, machine: &Machine, cases: &[Case]) -> Done<PathBuf> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let measured = json!({
        "scenario": name,
        "about": about,
        "unix_seconds": since.map_or(0, |elapsed| elapsed.as_secs()),
        "machine": machine.json(),
        "cases": cases.iter().map(case_json).collect::<Vec<Value>>(),
    });
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = own.ancestors().nth(2).unwrap_or(Path::new("target"));
    let file = target.join("bench").join(format!("{name}.json"));
    std::fs::create_dir_all(target.join("bench"))
        .and_then(|()| std::fs::write(&file, format!("{measured:#}\n")))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

fn case_json(case: &Case) -> Value {
    let measures = case.measures().into_iter().map(|measure| {
        let [ratio, least, most] = case.ratio(measure);
        json!({
            "measure": measure.name(),
            "ours": case.median(measure, 0),
            "theirs": case.median(measure, 1),
            "ratio": ratio,
            "ratio_least": least,
            "ratio_most": most,
            "goal": case.goal(measure).map(|(goal, _)| goal),
            "reached": case.goal(measure).map(|(_, reached)| reached),
        })
    });
    let rounds = case.rounds.iter().map(|sides| sides.each_ref().map(sample_json));
    json!({
        "case": case.name,
        "sides": case.sides,
        "measures": measures.collect::<Vec<Value>>(),
        "rounds": rounds.collect::<Vec<_>>(),
    })
}

fn sample_json(sample: &Sample) -> Value {
    sample.iter().map(|(measure, value)| (measure.name().to_owned(), json!(value))).collect()
}
