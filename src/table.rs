//! Text in aligned columns.

use std::fmt::{self, Write};

/// Which side a column's cells keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table: a line of headings, if there are any, and lines of cells.
#[derive(Debug)]
pub(crate) struct Table {
    sides: Vec<Side>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these headings.
    pub(crate) fn new(columns: &[(&str, Side)]) -> Self {
        let headings = columns.iter().map(|&(heading, _)| heading.to_owned()).collect();
        Self { sides: columns.iter().map(|&(_, side)| side).collect(), rows: vec![headings] }
    }

    /// An empty table of names and what belongs to them.
    pub(crate) fn pairs() -> Self {
        Self { sides: vec![Side::Left; 2], rows: Vec::new() }
    }

    /// Adds a line, a cell for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| printable(&cell)).collect());
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        (0..self.sides.len()).map(width).collect()
    }
}

/// Nothing that reaches a terminal from here can steer it.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, side), &width) in row.iter().zip(&self.sides).zip(&widths) {
                match side {
                    Side::Left => write!(line, "{cell:<width$}  ")?,
                    Side::Right => write!(line, "{cell:>width$}  ")?,
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&[("VM", Side::Left), ("N", Side::Right), ("X", Side::Left)]);
        table.row(["cluster", "5", "a"].map(String::from));
        table.row(["é", "1024", "\x1b[2J"].map(String::from));
        assert_eq!(
            table.to_string(),
            "VM          N  X\n\
             cluster     5  a\n\
             é        1024  ?[2J\n"
        );
    }
}
