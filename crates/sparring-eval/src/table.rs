//! Renders a report as a table.

use crate::{Defect, Interval, OverlapRule, Report, Share};
use std::fmt;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, graded by {}, answers read as {}", self.benchmark, self.grader, self.format)?;
        for (key, value) in self.run.as_object().into_iter().flatten() {
            match value {
                serde_json::Value::String(text) => writeln!(f, "{key}: {text}")?,
                other => writeln!(f, "{key}: {other}")?,
            }
        }
        writeln!(f)?;
        writeln!(f, "{:32} {:>6} {:>6} {:>7}  95 % (Wilson)", "", "right", "of", "%")?;
        for row in &self.categories {
            write_share(f, &row.category, row.share)?;
        }
        write_share(f, "all items", self.total)?;
        self.write_leaderboard(f)?;
        self.write_overlap(f)?;
        if !self.errors.is_empty() {
            writeln!(f, "\nwrong answers by kind")?;
            let mut errors: Vec<_> = self.errors.iter().collect();
            errors.sort_by_key(|(name, n)| (std::cmp::Reverse(**n), name.as_str()));
            errors.iter().try_for_each(|(name, n)| writeln!(f, "{n:>6}  {name}"))?;
        }
        self.write_notes(f)
    }
}

impl Report {
    fn write_leaderboard(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(board) = &self.leaderboard else { return Ok(()) };
        writeln!(f, "\n{:47} {:>7}  95 % (Wilson, combined by MOVER)", "BFCL totals", "%")?;
        for (name, score) in [
            ("v4 non-live", board.v4_non_live),
            ("v4 live", board.v4_live),
            ("v4 irrelevance", board.v4_irrelevance),
            ("v4 overall, multi-turn and agentic counted 0", board.v4_overall),
            ("v3 non-live", board.v3_non_live),
            ("v3 live", board.v3_live),
            ("v3 overall, multi-turn counted 0", board.v3_overall),
            ("single turn only (ours: mean of v4's groups)", board.single_turn),
        ] {
            writeln!(f, "{name:47} {:>7.2}  {}", 100.0 * score.value + 0.0, range(score.interval))?;
        }
        if !board.missing.is_empty() {
            let missing: Vec<_> = board.missing.iter().map(ToString::to_string).collect();
            writeln!(f, "not run, counted 0: {}", missing.join(", "))?;
        }
        Ok(())
    }

    fn write_overlap(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for share in &self.overlap {
            let name = match share.rule {
                OverlapRule::Hammer => "Hammer's",
                OverlapRule::SealTools => "Seal-Tools'",
            };
            for (what, counts) in
                [("call names", share.overlap.calls), ("arguments", share.overlap.arguments)]
            {
                writeln!(
                    f,
                    "{name} {what}: precision {:.2} %, recall {:.2} %, F1 {:.2} %",
                    100.0 * counts.precision(),
                    100.0 * counts.recall(),
                    100.0 * counts.f1()
                )?;
            }
        }
        Ok(())
    }

    fn write_notes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, what) in [
            (self.truncated, "answers were cut off by the length limit"),
            (self.refused, "prompts were refused by the backend, and count as wrong"),
            (self.unanswered, "items have no answer, and are not counted"),
        ] {
            if n > 0 {
                writeln!(f, "{n} {what}")?;
            }
        }
        for (defect, ids) in &self.defects {
            let what = match defect {
                Defect::UnreadableGold => "have an unreadable gold: every answer is wrong",
                Defect::Placeholder => "have a placeholder for a gold value",
                Defect::NotOffered => "have a gold call of a tool that is not offered",
            };
            writeln!(f, "{} items {what}: {}", ids.len(), ids.join(", "))?;
        }
        Ok(())
    }
}

fn write_share(f: &mut fmt::Formatter<'_>, name: &str, share: Share) -> fmt::Result {
    let (tally, percent) = (share.tally, 100.0 * share.accuracy);
    writeln!(f, "{name:32} {:>6} {:>6} {percent:>7.2}  {}", tally.valid, tally.total, range(share.interval))
}

fn range(interval: Interval) -> String {
    // Adding 0 removes the sign of a negative zero.
    format!("{:.2} to {:.2}", 100.0 * interval.low + 0.0, 100.0 * interval.high + 0.0)
}
