//! Text in columns.

use crate::diagnose::printable;

/// Writes rows whose cells stand below each other, `gap` blanks apart; the last cell of a row ends it.
pub(super) fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]], gap: usize) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count() + gap);
        }
    }
    let mut out = String::new();
    for row in &rows {
        for (number, (width, cell)) in widths.iter().zip(row).enumerate() {
            out.push_str(cell);
            if number + 1 < COLUMNS {
                out.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count())));
            }
        }
        out.push('\n');
    }
    out
}
