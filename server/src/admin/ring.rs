//! `ringfort admin ring`: the map of the slots for a number of shards, and what growing moves.

use cluster::ring::{SLOTS, SlotMap, SlotMove};
use serde::Serialize;

use super::print_json;
use super::table::aligned;

#[derive(Debug, Serialize)]
struct RingReport {
    shards: Vec<ShardSlots>,
    checksum: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    growth: Option<Growth>,
}

#[derive(Debug, Serialize)]
struct ShardSlots {
    shard: u32,
    slots: u32,
    ranges: usize,
    /// After growing.
    #[serde(skip_serializing_if = "Option::is_none")]
    slots_after: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Growth {
    shards: u32,
    slots_moved: u32,
    /// Slots that must move so that every shard has the same number.
    slots_moved_ideal: u32,
    moves: Vec<MovedRange>,
}

#[derive(Debug, Serialize)]
struct MovedRange {
    first: u16,
    last: u16,
    from: u32,
    to: u32,
}

/// Prints the map.
pub(super) fn print(shards: u32, to: Option<u32>, json: bool) -> Result<(), String> {
    let report = report(shards, to);
    if json {
        print_json(&report);
    } else {
        print!("{}", render(&report));
    }
    Ok(())
}

fn report(shards: u32, to: Option<u32>) -> RingReport {
    let before = SlotMap::even(shards);
    let ranges = before.ranges();
    let after = to.map(SlotMap::even);
    let rows = (0..shards.max(to.unwrap_or(0))).map(|shard| ShardSlots {
        shard,
        slots: before.count(shard),
        ranges: ranges.iter().filter(|range| range.shard == shard).count(),
        slots_after: after.as_ref().map(|after| after.count(shard)),
    });
    RingReport {
        shards: rows.collect(),
        checksum: format!("{:016x}", before.checksum()),
        growth: to.zip(after.as_ref()).map(|(to, after)| growth(shards, to, &before.moves(after))),
    }
}

fn growth(shards: u32, to: u32, moves: &[SlotMove]) -> Growth {
    Growth {
        shards: to,
        slots_moved: moves.iter().map(SlotMove::slots).sum(),
        slots_moved_ideal: u32::from(SLOTS) * shards.abs_diff(to) / shards.max(to),
        moves: moves
            .iter()
            .map(|m| MovedRange { first: m.first, last: m.last, from: m.from, to: m.to })
            .collect(),
    }
}

fn render(report: &RingReport) -> String {
    let mut rows = vec![vec!["shard".to_owned(), "slots".to_owned(), "ranges".to_owned()]];
    if let Some(growth) = &report.growth {
        rows[0].push(format!("slots of {} shards", growth.shards));
    }
    for shard in &report.shards {
        let mut row = vec![shard.shard.to_string(), shard.slots.to_string()];
        row.push(shard.ranges.to_string());
        row.extend(shard.slots_after.map(|slots| slots.to_string()));
        rows.push(row);
    }
    let mut text = aligned(&rows);
    if let Some(growth) = &report.growth {
        let (moved, ideal) = (growth.slots_moved, growth.slots_moved_ideal);
        let ratio = if ideal == 0 { 1.0 } else { f64::from(moved) / f64::from(ideal) };
        text.push_str(&format!(
            "\n{moved} slots would move in {} ranges, {ratio:.2} times the least possible\n\n",
            growth.moves.len()
        ));
        let mut rows = vec![["slots", "from", "to"].map(String::from).to_vec()];
        for moved in &growth.moves {
            let slots = format!("{}-{}", moved.first, moved.last);
            rows.push(vec![slots, moved.from.to_string(), moved.to.to_string()]);
        }
        text.push_str(&aligned(&rows));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_reads_as_reviewed() {
        let text = render(&report(3, Some(4)));
        let head: Vec<&str> = text.lines().take(12).collect();
        insta::assert_snapshot!("ring_text", head.join("\n"));
    }

    #[test]
    fn growing_and_shrinking_move_the_same() {
        let (up, down) = (report(3, Some(4)).growth.unwrap(), report(4, Some(3)).growth.unwrap());
        assert_eq!(up.slots_moved, down.slots_moved);
        assert_eq!(up.slots_moved_ideal, 4096);
        assert_eq!(report(3, Some(3)).growth.unwrap().slots_moved, 0);
        assert!(report(3, None).growth.is_none());
    }
}
