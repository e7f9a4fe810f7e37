//! The table of what was compared.
use std::fmt;
use std::path::Path;

/// One comparison.
#[derive(Debug)]
struct Row {
    folder: usize,
    what: String,
    /// The largest difference and its bound; `None` where nothing could be compared.
    found: Option<(f64, f64)>,
    details: String,
}

impl Row {
    fn holds(&self) -> bool {
        self.found.is_some_and(|(difference, bound)| difference <= bound)
    }
}

/// All comparisons so far.
#[derive(Debug, Default)]
pub(crate) struct Scores {
    folders: Vec<String>,
    rows: Vec<Row>,
}

impl Scores {
    pub(super) fn begin(&mut self, folder: &Path) {
        let name = folder.file_name().unwrap_or(folder.as_os_str());
        self.folders.push(name.to_string_lossy().into_owned());
    }

    pub(super) fn see(&mut self, what: &str, difference: f64, bound: f64, details: &str) {
        self.push(what, Some((difference, bound)), details);
    }

    pub(super) fn fail(&mut self, error: &(dyn std::error::Error + 'static)) {
        self.push("error", None, &sparring::core::one_line(error));
    }

    fn push(&mut self, what: &str, found: Option<(f64, f64)>, details: &str) {
        let folder = self.folders.len().saturating_sub(1);
        self.rows.push(Row { folder, what: what.to_owned(), found, details: details.to_owned() });
    }

    /// Whether every comparison is within its bound, and every folder has one.
    pub(crate) fn agrees(&self) -> bool {
        let compared = |folder| self.rows.iter().any(|row| row.folder == folder);
        !self.folders.is_empty() && (0..self.folders.len()).all(compared) && self.rows.iter().all(Row::holds)
    }
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            let (folder, what, details) = (&self.folders[row.folder], &row.what, &row.details);
            match row.found {
                Some((difference, bound)) => {
                    let verdict = if row.holds() { "ok" } else { "DIFFERS" };
                    writeln!(
                        f,
                        "{folder:24} {what:10} {difference:9.2e} <= {bound:.0e}  {verdict:8} {details}"
                    )?;
                }
                None => writeln!(f, "{folder:24} {what:10} {details}")?,
            }
        }
        let agree = self.rows.iter().filter(|row| row.holds()).count();
        writeln!(f, "agree {agree} of {}", self.rows.len())
    }
}
