//! What agrees, and how closely.
use sparring::core::BoxError;
use std::collections::BTreeMap;
use std::fmt;

/// Width of the arithmetic that a number went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Width {
    /// Pure functions on `f64`.
    F64,
    /// The seam: log-probabilities and gradients in `f32`.
    F32,
}

impl Width {
    /// The bound on the relative error.
    const fn tolerance(self) -> f64 {
        match self {
            Self::F64 => 1e-9,
            Self::F32 => 1e-5,
        }
    }
}

#[derive(Debug, Default)]
struct Quantity {
    compared: usize,
    largest: f64,
    largest_extreme: f64,
}

/// The comparison so far.
#[derive(Debug, Default)]
pub(crate) struct Scores {
    families: BTreeMap<String, (usize, usize)>,
    quantities: BTreeMap<(String, Width), Quantity>,
    misses: Vec<String>,
    id: String,
    family: String,
    extreme: bool,
    wrong: Vec<String>,
}

impl Scores {
    pub(super) fn begin(&mut self, id: &str, family: &str, extreme: bool) {
        (self.id, self.family, self.extreme) = (id.to_owned(), family.to_owned(), extreme);
    }

    pub(super) fn end(&mut self, error: Option<BoxError>) {
        self.wrong.extend(error.map(|error| error.to_string()));
        let (agree, all) = self.families.entry(std::mem::take(&mut self.family)).or_default();
        *all += 1;
        if self.wrong.is_empty() {
            *agree += 1;
        } else {
            self.misses.push(format!("{}: {}", self.id, self.wrong.join("; ")));
            self.wrong.clear();
        }
    }

    /// Compares numbers; the error is relative to the largest of those expected.
    pub(super) fn see(&mut self, name: &str, width: Width, ours: &[f64], expected: &[f64]) {
        let scale = expected.iter().filter(|x| x.is_finite()).fold(0.0, |top: f64, x| top.max(x.abs()));
        self.see_scaled(name, width, ours, expected, scale);
    }

    /// Compares numbers; the error is relative to `scale`, for sums that cancel.
    pub(super) fn see_scaled(
        &mut self,
        name: &str,
        width: Width,
        ours: &[f64],
        expected: &[f64],
        scale: f64,
    ) {
        if ours.len() != expected.len() {
            self.wrong.push(format!("{name}: {} numbers, expected {}", ours.len(), expected.len()));
            return;
        }
        let mut worst = (0.0, 0);
        for (i, (a, b)) in ours.iter().zip(expected).enumerate() {
            let gap = (a - b).abs();
            // A tiny scale says that all should be 0.
            let error = if a.is_nan() && b.is_nan() || gap == 0.0 { 0.0 } else { gap / scale.max(1e-12) };
            if error > worst.0 || error.is_nan() {
                worst = (if error.is_nan() { f64::INFINITY } else { error }, i);
            }
        }
        let quantity = self.quantities.entry((name.to_owned(), width)).or_default();
        quantity.compared += ours.len();
        let largest = if self.extreme { &mut quantity.largest_extreme } else { &mut quantity.largest };
        *largest = largest.max(worst.0);
        if worst.0 > width.tolerance() {
            let i = worst.1;
            self.wrong.push(format!(
                "{name} {width:?} [{i}] is {:e}, expected {:e} (relative error {:.1e})",
                ours[i], expected[i], worst.0
            ));
        }
    }

    pub(crate) fn agrees(&self) -> bool {
        self.misses.is_empty()
    }
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<20} {:>5} {:>9} {:>16} {:>16}",
            "quantity", "width", "numbers", "largest error", "ratios e^±30"
        )?;
        for ((name, width), quantity) in &self.quantities {
            let width = format!("{width:?}").to_lowercase();
            let Quantity { compared, largest, largest_extreme } = quantity;
            writeln!(f, "{name:<20} {width:>5} {compared:>9} {largest:>16.1e} {largest_extreme:>16.1e}")?;
        }
        for (family, (agree, all)) in &self.families {
            writeln!(f, "{family}: agree {agree} of {all}")?;
        }
        for miss in &self.misses {
            writeln!(f, "differs: {miss}")?;
        }
        let sum = |pick: fn(&(usize, usize)) -> usize| self.families.values().map(pick).sum::<usize>();
        writeln!(f, "agree {} of {}", sum(|f| f.0), sum(|f| f.1))
    }
}
