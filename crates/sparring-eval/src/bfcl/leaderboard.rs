//! The leaderboard's totals, from the accuracies of the categories.

use super::Category::{
    self, Irrelevance, LiveIrrelevance, LiveMultiple, LiveParallel, LiveParallelMultiple, LiveRelevance,
    LiveSimple, Multiple, Parallel, ParallelMultiple, SimpleJava, SimpleJavascript, SimplePython,
};
use crate::interval::combine;
use crate::{Interval, Tally};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A total and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// In [0, 1].
    pub value: f64,
    /// Combined from the Wilson intervals of the categories by MOVER. A category that was not run adds nothing.
    pub interval: Interval,
}

/// The totals of v4 and v3, and a total of the single-turn groups alone.
///
/// As on the leaderboard, a category that was not run counts 0. Multi-turn and agentic categories are never run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Leaderboard {
    /// `mean(mean(simple_python, simple_java, simple_javascript), multiple, parallel, parallel_multiple)`.
    pub v4_non_live: Score,
    /// The four live categories with answers, weighted by their number of entries.
    pub v4_live: Score,
    /// `mean(irrelevance, live_irrelevance)`.
    pub v4_irrelevance: Score,
    /// 10 % of each of the three above; 30 % multi-turn and 40 % agentic count 0.
    pub v4_overall: Score,
    /// As in v4, with `irrelevance` as a fifth term of the mean (the form since April 2025, without the executable
    /// categories).
    pub v3_non_live: Score,
    /// All six live categories, weighted by their number of entries.
    pub v3_live: Score,
    /// `mean(non_live, live, multi_turn)`; multi-turn counts 0.
    pub v3_overall: Score,
    /// Ours, not the leaderboard's: the mean of v4's three single-turn groups.
    pub single_turn: Score,
    /// Categories that were not run, which count 0.
    pub missing: Vec<Category>,
}

const LIVE: [Category; 4] = [LiveSimple, LiveMultiple, LiveParallel, LiveParallelMultiple];
const LIVE_V3: [Category; 6] =
    [LiveSimple, LiveMultiple, LiveParallel, LiveParallelMultiple, LiveIrrelevance, LiveRelevance];

impl Category {
    /// Number of entries in `bfcl-eval` 2026.3.23: the weight of a live category that was not run.
    pub const fn entries(self) -> usize {
        match self {
            SimplePython => 400,
            SimpleJava => 100,
            SimpleJavascript => 50,
            Multiple | Parallel | ParallelMultiple => 200,
            Irrelevance => 240,
            LiveSimple => 258,
            LiveMultiple => 1053,
            LiveParallel | LiveRelevance => 16,
            LiveParallelMultiple => 24,
            LiveIrrelevance => 884,
        }
    }
}

/// Computes the totals.
pub fn leaderboard(tallies: &BTreeMap<Category, Tally>) -> Leaderboard {
    let tallies = Tallies(tallies);
    let simple = mean(&[SimplePython, SimpleJava, SimpleJavascript].map(one));
    let ast = [simple, one(Multiple), one(Parallel), one(ParallelMultiple)];
    let non_live = mean(&ast);
    let live = tallies.pooled(&LIVE);
    let irrelevance = mean(&[one(Irrelevance), one(LiveIrrelevance)]);
    let groups = [non_live.clone(), live.clone(), irrelevance.clone()];
    let [simple, multiple, parallel, both] = ast;
    let non_live_v3 = mean(&[simple, multiple, parallel, both, one(Irrelevance)]);
    let live_v3 = tallies.pooled(&LIVE_V3);
    Leaderboard {
        v4_non_live: tallies.score(&non_live),
        v4_live: tallies.score(&live),
        v4_irrelevance: tallies.score(&irrelevance),
        v4_overall: tallies.score(&scaled(&mean(&groups), 0.3)),
        v3_non_live: tallies.score(&non_live_v3),
        v3_live: tallies.score(&live_v3),
        v3_overall: tallies.score(&scaled(&mean(&[non_live_v3, live_v3]), 2.0 / 3.0)),
        single_turn: tallies.score(&mean(&groups)),
        missing: Category::ALL.into_iter().filter(|category| !tallies.0.contains_key(category)).collect(),
    }
}

/// A weighted sum of categories' accuracies.
type Mix = BTreeMap<Category, f64>;

fn one(category: Category) -> Mix {
    Mix::from([(category, 1.0)])
}

fn scaled(mix: &Mix, factor: f64) -> Mix {
    mix.iter().map(|(category, weight)| (*category, weight * factor)).collect()
}

fn mean(mixes: &[Mix]) -> Mix {
    let mut out = Mix::new();
    for (category, weight) in mixes.iter().flatten() {
        *out.entry(*category).or_insert(0.0) += weight / mixes.len() as f64;
    }
    out
}

struct Tallies<'a>(&'a BTreeMap<Category, Tally>);

impl Tallies<'_> {
    fn pooled(&self, categories: &[Category]) -> Mix {
        let size = |c: &Category| self.0.get(c).map_or(c.entries(), |tally| tally.total) as f64;
        let total: f64 = categories.iter().map(size).sum();
        categories.iter().map(|c| (*c, size(c) / total)).collect()
    }

    fn score(&self, mix: &Mix) -> Score {
        let parts: Vec<_> = mix
            .iter()
            .filter_map(|(category, weight)| {
                self.0.get(category).map(|tally| (*weight, tally.accuracy(), tally.interval()))
            })
            .collect();
        let value = parts.iter().map(|(weight, share, _)| weight * share).sum();
        Score { value, interval: combine(&parts) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(score: Score, want: f64) {
        assert!((score.value - want).abs() < 1e-12, "{score:?}, wanted {want}");
        assert!(score.interval.low <= want && want <= score.interval.high, "{score:?}");
    }

    fn tallies(rows: &[(Category, usize, usize)]) -> BTreeMap<Category, Tally> {
        rows.iter().map(|&(category, valid, total)| (category, Tally { valid, total })).collect()
    }

    /// By hand, with categories of made-up sizes.
    #[test]
    fn every_total_by_hand() {
        let board = leaderboard(&tallies(&[
            (SimplePython, 9, 10),        // 0.9
            (SimpleJava, 3, 10),          // 0.3
            (SimpleJavascript, 6, 10),    // 0.6: simple is 0.6
            (Multiple, 8, 10),            // 0.8
            (Parallel, 4, 10),            // 0.4
            (ParallelMultiple, 2, 10),    // 0.2: non_live is 0.5
            (Irrelevance, 9, 10),         // 0.9
            (LiveSimple, 30, 40),         // of 100
            (LiveMultiple, 20, 50),       //
            (LiveParallel, 5, 6),         //
            (LiveParallelMultiple, 1, 4), // live is 56/100
            (LiveIrrelevance, 10, 20),    // 0.5: irrelevance is 0.7
            (LiveRelevance, 4, 5),        // v3's live is 70/125
        ]));
        close(board.v4_non_live, 0.5);
        close(board.v4_live, 0.56);
        close(board.v4_irrelevance, 0.7);
        close(board.v4_overall, 0.1 * (0.5 + 0.56 + 0.7));
        close(board.v3_non_live, (0.6 + 0.8 + 0.4 + 0.2 + 0.9) / 5.0);
        close(board.v3_live, 70.0 / 125.0);
        close(board.v3_overall, (0.58 + 0.56) / 3.0);
        close(board.single_turn, (0.5 + 0.56 + 0.7) / 3.0);
        assert_eq!(board.missing, []);
    }

    #[test]
    fn what_was_not_run_counts_nothing() {
        let board = leaderboard(&tallies(&[(SimplePython, 400, 400), (LiveSimple, 258, 258)]));
        close(board.v4_non_live, 1.0 / 12.0);
        close(board.v4_live, 258.0 / 1351.0);
        close(board.v4_overall, 0.1 * (1.0 / 12.0 + 258.0 / 1351.0));
        close(board.v3_live, 258.0 / (1351.0 + 884.0 + 16.0));
        assert_eq!(board.missing.len(), 11);
        let none = leaderboard(&BTreeMap::new());
        assert_eq!((none.v4_overall.value, none.v3_overall.value), (0.0, 0.0));
    }

    #[test]
    fn sizes_are_those_of_the_spec() {
        let ast: usize =
            Category::ALL.into_iter().filter(|c| c.relevance().is_none()).map(Category::entries).sum();
        assert_eq!(ast, 2501);
        assert_eq!(LIVE.iter().map(|c| c.entries()).sum::<usize>(), 1351);
    }
}
