//! The promises of `SPECIFICATION.md`, read from its table: the document is the one place where they stand.
//!
//! ```text
//! | `register-plain` | what is promised | ≤ 150 ns | measured by | 17 ns |
//! | `probe-traps`    | what is reported | traps    | measured by | 3812 traps |
//! ```

use std::fs;

use anyhow::{Context, Result, bail, ensure};

use crate::repository;

/// A number that vgate promises to keep, or only reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Promise {
    /// Its name: `register-plain`.
    pub id: String,
    /// What is promised.
    pub what: String,
    /// The most that it may be; `None` where it is only reported.
    pub limit: Option<f64>,
    /// Its unit: `ns`.
    pub unit: String,
}

impl Promise {
    /// All promises, in the document's order.
    ///
    /// # Errors
    /// If the document can't be read or a row of its table makes no sense.
    pub fn all() -> Result<Vec<Self>> {
        let path = repository().join("SPECIFICATION.md");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Self::parse(&text)
    }

    fn parse(document: &str) -> Result<Vec<Self>> {
        let rows = document.lines().filter(|line| line.starts_with("| `"));
        let promises = rows
            .map(|row| Self::parse_row(row).with_context(|| format!("in the row {row:?}")))
            .collect::<Result<Vec<_>>>()?;
        ensure!(!promises.is_empty(), "there is no promise in the document");
        for (n, promise) in promises.iter().enumerate() {
            let id = &promise.id;
            ensure!(promises.iter().take(n).all(|p| p.id != *id), "{id} is promised twice");
        }
        Ok(promises)
    }

    fn parse_row(row: &str) -> Result<Self> {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [id, what, limit, how, last] = cells[..] else { bail!("not five cells") };
        ensure!(![what, how, last].contains(&""), "an empty cell");
        let (limit, unit) = match limit.strip_prefix("≤ ") {
            None => (None, limit),
            Some(limit) => {
                let (number, unit) = limit.split_once(' ').context("a limit without a unit")?;
                (Some(number.parse()?), unit)
            }
        };
        let id = id.trim_matches('`').to_owned();
        Ok(Self { id, what: what.to_owned(), limit, unit: unit.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_promises_or_reports() {
        let text = "text\n| id | a | b |\n|---|\n| `a` | fast | ≤ 1.5 µs | f | 1 µs |\n| `b` | so it is | traps | f | - |\n";
        let promises = Promise::parse(text).unwrap();
        assert_eq!((promises[0].limit, promises[0].unit.as_str()), (Some(1.5), "µs"));
        assert_eq!((promises[1].limit, promises[1].unit.as_str()), (None, "traps"));
    }

    #[test]
    fn rows_that_promise_nothing_clear_are_refused() {
        for row in
            ["| `a` | b | ≤ 5 | f | 1 |", "| `a` | b | ≤ x ns | f | 1 |", "| `a` | b |", "no row"]
        {
            assert!(Promise::parse(row).is_err(), "{row}");
        }
        let row = "| `a` | b | ≤ 5 ns | f | 1 |";
        assert!(Promise::parse(&format!("{row}\n{row}")).is_err());
    }

    #[test]
    fn the_document_can_be_read() {
        Promise::all().unwrap();
    }
}
