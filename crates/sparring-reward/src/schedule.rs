use serde::{Deserialize, Serialize};

/// A number that changes over the steps of a phase.
///
/// Steps count from 0; the last is `total_steps - 1`. Outside of that range, the ends hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Schedule {
    /// Always the same.
    Constant(f64),
    /// From the first step's value to the last step's in a straight line.
    Linear {
        /// At the first step.
        from: f64,
        /// At the last step.
        to: f64,
    },
    /// `before` up to the step `at`, `after` from it on.
    Step {
        /// Before `at`.
        before: f64,
        /// From `at` on.
        after: f64,
        /// The first step of `after`.
        at: usize,
    },
    /// `from + (to - from) / (1 + exp(-slope·(step - middle)))`: Tool-Zero's σ(t, m) for 0 to 1, slope 0.1 and
    /// middle 25 steps.
    Sigmoid {
        /// Long before the middle.
        from: f64,
        /// Long after it.
        to: f64,
        /// Steepness κ, per step.
        slope: f64,
        /// The step at which half of the way is done.
        middle: f64,
    },
    /// From the first step's value to the last step's along half a cosine.
    Cosine {
        /// At the first step.
        from: f64,
        /// At the last step.
        to: f64,
    },
}

impl From<f64> for Schedule {
    fn from(value: f64) -> Self {
        Self::Constant(value)
    }
}

impl Schedule {
    /// The value at `step` of `total_steps`.
    ///
    /// ```
    /// use sparring_reward::Schedule;
    /// let sigma = Schedule::Sigmoid { from: 0.0, to: 1.0, slope: 0.1, middle: 25.0 };
    /// assert_eq!(sigma.at(25, 100), 0.5);
    /// assert_eq!(Schedule::Linear { from: 1.0, to: 3.0 }.at(5, 11), 2.0);
    /// ```
    pub fn at(&self, step: usize, total_steps: usize) -> f64 {
        let last = total_steps.saturating_sub(1);
        let progress = if last == 0 { 0.0 } else { step.min(last) as f64 / last as f64 };
        match *self {
            Self::Constant(value) => value,
            Self::Linear { from, to } => from + (to - from) * progress,
            Self::Step { before, after, at } => {
                if step < at {
                    before
                } else {
                    after
                }
            }
            Self::Sigmoid { from, to, slope, middle } => {
                from + (to - from) / (1.0 + (-slope * (step as f64 - middle)).exp())
            }
            Self::Cosine { from, to } => {
                to + (from - to) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ends_and_middles() {
        let linear = Schedule::Linear { from: 0.0, to: 1.0 };
        assert_eq!([0, 2, 4, 9].map(|t| linear.at(t, 5)), [0.0, 0.5, 1.0, 1.0]);
        assert_eq!([linear.at(0, 1), linear.at(0, 0)], [0.0, 0.0]);
        let step = Schedule::Step { before: 2.0, after: 3.0, at: 4 };
        assert_eq!([0, 3, 4, 5].map(|t| step.at(t, 9)), [2.0, 2.0, 3.0, 3.0]);
        let cosine = Schedule::Cosine { from: 1.0, to: 0.0 };
        for (t, want) in [(0, 1.0), (2, 0.853_553_390_593_273_8), (4, 0.5), (8, 0.0)] {
            assert!((cosine.at(t, 9) - want).abs() < 1e-12);
        }
    }

    proptest! {
        #[test]
        fn every_ramp_is_monotone_and_inside_its_ends(step in 0_usize..300, total in 0_usize..300) {
            let (from, to) = (0.25, 0.75);
            for ramp in [
                Schedule::Linear { from, to },
                Schedule::Cosine { from, to },
                Schedule::Step { before: from, after: to, at: 7 },
                Schedule::Sigmoid { from, to, slope: 0.1, middle: 25.0 },
            ] {
                prop_assert!((from..=to).contains(&ramp.at(step, total)));
                prop_assert!(ramp.at(step + 1, total) >= ramp.at(step, total));
            }
        }
    }
}
