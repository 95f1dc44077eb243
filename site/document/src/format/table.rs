//! Lays out a table so that its columns stand below each other.
//!
//! `edits` hands in the rows as written and gets the new ones, or nothing where the table is better
//! left alone.

use comrak::nodes::TableAlignment;
use unicode_width::UnicodeWidthStr;

/// A column grows to this width; longer cells stick out.
const COLUMN_MAX: usize = 60;
/// A wider table is left as it is, for missing cells of each row would be put in.
const COLUMNS_MAX: usize = 64;

/// The table's text; `prefix` stands before every row but the first.
pub(super) fn align(rows: &[&str], columns: &[TableAlignment], prefix: &str) -> Option<String> {
    let count = columns.len();
    if rows.len() < 2 || count == 0 || count > COLUMNS_MAX || !is_delimiter(rows[1]) {
        return None;
    }
    let mut table: Vec<Vec<&str>> = rows.iter().map(|row| cells(row)).collect();
    if table.iter().any(|row| row.len() > count) {
        return None; // cells too many are not shown, and would be lost
    }
    table.iter_mut().for_each(|row| row.resize(count, ""));
    let width = |column: usize| {
        let widths = table.iter().enumerate().filter(|(at, _)| *at != 1);
        let widths = widths.map(|(_, row)| row[column].width()).filter(|w| *w <= COLUMN_MAX);
        widths.max().unwrap_or_default().max(3)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut out = String::new();
    for (at, row) in table.iter().enumerate() {
        if at > 0 {
            out.push('\n');
            out.push_str(prefix);
        }
        out.push('|');
        for (column, cell) in row.iter().enumerate() {
            let (alignment, width) = (columns[column], widths[column]);
            let cell = match at {
                1 => delimiter(alignment, width),
                _ => pad(cell, alignment, width),
            };
            out.push_str(&format!(" {cell} |"));
        }
    }
    Some(out)
}

fn is_delimiter(row: &str) -> bool {
    row.contains('-') && row.chars().all(|c| matches!(c, '|' | '-' | ':' | ' ' | '\t'))
}

/// The cells of a row; a bar behind a backslash is text.
fn cells(row: &str) -> Vec<&str> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let mut cells = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (at, byte) in row.bytes().enumerate() {
        if byte == b'|' && !escaped {
            cells.push(row[start..at].trim());
            start = at + 1;
        }
        escaped = byte == b'\\' && !escaped;
    }
    if start < row.len() {
        cells.push(row[start..].trim());
    }
    cells
}

fn delimiter(alignment: TableAlignment, width: usize) -> String {
    let dashes = |less: usize| "-".repeat(width - less);
    match alignment {
        TableAlignment::None => dashes(0),
        TableAlignment::Left => format!(":{}", dashes(1)),
        TableAlignment::Right => format!("{}:", dashes(1)),
        TableAlignment::Center => format!(":{}:", dashes(2)),
    }
}

fn pad(cell: &str, alignment: TableAlignment, width: usize) -> String {
    let room = width.saturating_sub(cell.width());
    let (before, behind) = match alignment {
        TableAlignment::Right => (room, 0),
        TableAlignment::Center => (room / 2, room - room / 2),
        _ => (0, room),
    };
    format!("{}{cell}{}", " ".repeat(before), " ".repeat(behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let columns = [TableAlignment::None, TableAlignment::Right];
        for (rows, expected) in [
            (
                vec!["a|b", "-|-:", "long cell|1", "日本"],
                Some(
                    "| a         |   b |\n| --------- | --: |\n| long cell |   1 |\n| 日本      |     |",
                ),
            ),
            (vec!["|a \\| x|b|", "|-|-:|"], Some("| a \\| x |   b |\n| ------ | --: |")),
            (vec!["a|b", "-|-:", "1|2|3"], None),
            (vec!["a|b", "text|1"], None),
        ] {
            assert_eq!(align(&rows, &columns, "").as_deref(), expected, "{rows:?}");
        }
    }
}
