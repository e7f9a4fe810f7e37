use serde::{Deserialize, Serialize};

/// How predictions are assigned to gold calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Assignment {
    /// Each gold call, in order, takes the best remaining prediction (the first on ties). The result can depend on the
    /// order of the gold calls.
    Greedy,
    /// The assignment with the largest total (Kuhn 1955, Munkres 1957). The total does not depend on any order.
    Optimal,
}

impl Assignment {
    /// Returns the column assigned to each row of a matrix of non-negative scores with `columns` columns; a score of 0
    /// is no match.
    ///
    /// ```
    /// use sparring_tools::Assignment;
    /// let scores = [vec![0.9, 0.8], vec![0.9, 0.0]];
    /// assert_eq!(Assignment::Greedy.solve(&scores, 2), [Some(0), None]);
    /// assert_eq!(Assignment::Optimal.solve(&scores, 2), [Some(1), Some(0)]);
    /// ```
    ///
    /// # Panics
    /// If a row has fewer than `columns` scores.
    pub fn solve(self, scores: &[Vec<f64>], columns: usize) -> Vec<Option<usize>> {
        let assigned = match self {
            Self::Greedy => greedy(scores, columns),
            Self::Optimal if scores.len() <= columns => {
                hungarian(scores.len(), columns, |row, column| scores[row][column])
            }
            Self::Optimal => {
                let rows = hungarian(columns, scores.len(), |column, row| scores[row][column]);
                let mut out = vec![None; scores.len()];
                for (column, row) in rows.into_iter().enumerate() {
                    if let Some(row) = row {
                        out[row] = Some(column);
                    }
                }
                out
            }
        };
        let matches = |(row, column): (usize, Option<usize>)| column.filter(|&c| scores[row][c] > 0.0);
        assigned.into_iter().enumerate().map(matches).collect()
    }
}

fn greedy(scores: &[Vec<f64>], columns: usize) -> Vec<Option<usize>> {
    let mut free = vec![true; columns];
    scores
        .iter()
        .map(|row| {
            let mut best: Option<usize> = None;
            for (column, score) in row.iter().enumerate() {
                if free[column] && *score > best.map_or(0.0, |b| row[b]) {
                    best = Some(column);
                }
            }
            if let Some(column) = best {
                free[column] = false;
            }
            best
        })
        .collect()
}

/// Best total of `rows` ≤ `columns`: shortest augmenting paths with potentials, O(rows² · columns).
fn hungarian(rows: usize, columns: usize, score: impl Fn(usize, usize) -> f64) -> Vec<Option<usize>> {
    // Index 0 of rows and columns is a sentinel; cost is minus the score.
    let mut row_potential = vec![0.0; rows + 1];
    let mut column_potential = vec![0.0; columns + 1];
    let mut row_of = vec![0_usize; columns + 1];
    for row in 1..=rows {
        row_of[0] = row;
        let mut distance = vec![f64::INFINITY; columns + 1];
        let mut previous = vec![0_usize; columns + 1];
        let mut done = vec![false; columns + 1];
        let mut column = 0;
        while row_of[column] != 0 {
            done[column] = true;
            let current = row_of[column];
            let mut step = f64::INFINITY;
            let mut next = 0;
            for j in (1..=columns).filter(|&j| !done[j]) {
                let reduced = -score(current - 1, j - 1) - row_potential[current] - column_potential[j];
                if reduced < distance[j] {
                    distance[j] = reduced;
                    previous[j] = column;
                }
                if distance[j] < step {
                    step = distance[j];
                    next = j;
                }
            }
            for j in 0..=columns {
                if done[j] {
                    row_potential[row_of[j]] += step;
                    column_potential[j] -= step;
                } else {
                    distance[j] -= step;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[previous[column]];
            column = previous[column];
        }
    }
    let mut out = vec![None; rows];
    for (column, &row) in row_of.iter().enumerate().skip(1) {
        if row > 0 {
            out[row - 1] = Some(column - 1);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn total(scores: &[Vec<f64>], assigned: &[Option<usize>]) -> f64 {
        assigned.iter().enumerate().filter_map(|(row, column)| column.map(|c| scores[row][c])).sum()
    }

    /// The best total by exhaustive search.
    fn exhaustive(scores: &[Vec<f64>], used: u32) -> f64 {
        let Some((row, rest)) = scores.split_first() else { return 0.0 };
        let skipped = exhaustive(rest, used);
        let taken = row.iter().enumerate().filter(|(c, _)| used & (1 << c) == 0);
        taken.map(|(c, s)| s + exhaustive(rest, used | (1 << c))).fold(skipped, f64::max)
    }

    #[test]
    fn greedy_can_miss_the_best() {
        // If the first row takes column 0 (0.9), nothing is left for the second: 0.9 instead of 0.8 + 0.9.
        let scores = vec![vec![0.9, 0.8], vec![0.9, 0.0]];
        assert_eq!(Assignment::Greedy.solve(&scores, 2), [Some(0), None]);
        assert_eq!(Assignment::Optimal.solve(&scores, 2), [Some(1), Some(0)]);
        assert_eq!(Assignment::Optimal.solve(&[], 3), []);
        assert_eq!(Assignment::Optimal.solve(&[vec![], vec![]], 0), [None, None]);
    }

    proptest! {
        #[test]
        fn optimal_is_the_best_total(
            (columns, scores) in (0_usize..5).prop_flat_map(|columns| (
                Just(columns),
                prop::collection::vec(prop::collection::vec((0_u8..6).prop_map(|k| f64::from(k) / 5.0), columns), 0..5),
            )),
        ) {
            let assigned = Assignment::Optimal.solve(&scores, columns);
            prop_assert!((total(&scores, &assigned) - exhaustive(&scores, 0)).abs() < 1e-9);
            let mut used: Vec<_> = assigned.iter().flatten().collect();
            used.sort_unstable();
            used.dedup();
            prop_assert_eq!(used.len(), assigned.iter().flatten().count());
        }
    }
}
