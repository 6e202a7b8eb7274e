//! Rows of text in aligned columns.

/// Spaces between two columns.
const GAP: usize = 2;

/// The rows, the heading first, each column as wide as its widest cell; numbers stand right.
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let numeric = |column: usize| {
        let cells = rows.iter().skip(1).filter_map(|row| row.get(column));
        let mut filled = cells.filter(|cell| !cell.is_empty()).peekable();
        filled.peek().is_some()
            && filled.all(|cell| cell == "-" || cell.bytes().all(|b| b.is_ascii_digit()))
    };
    let shapes: Vec<(usize, bool)> = (0..columns).map(|c| (width(c), numeric(c))).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, (width, numeric)) in row.iter().zip(&shapes) {
            if *numeric {
                line.push_str(&format!("{cell:>width$}"));
            } else {
                line.push_str(&format!("{cell:<width$}"));
            }
            line.push_str(&" ".repeat(GAP));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_words_left() {
        let rows = [["node", "lag", "health"], ["1", "-", "ok"], ["22", "1000", ""]];
        let rows: Vec<Vec<String>> = rows.map(|row| row.map(String::from).to_vec()).to_vec();
        assert_eq!(aligned(&rows), "node   lag  health\n   1     -  ok\n  22  1000\n");
    }
}
