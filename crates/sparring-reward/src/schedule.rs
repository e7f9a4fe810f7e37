use crate::RewardError;

/// A number that changes over the steps of a phase.
///
/// Steps count from 0; the last is `total_steps - 1`. Beyond the ends, the value stays constant.
///
/// In settings, a constant is a number, and the other kinds are tables with a `kind`:
/// `{ kind = "sigmoid", from = 0.0, to = 1.0, slope = 0.1, middle = 25.0 }`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Schedule {
    /// Always the same value.
    Constant(f64),
    /// Linear from the first step to the last.
    Linear {
        /// At the first step.
        from: f64,
        /// At the last step.
        to: f64,
    },
    /// Linear from `from` at step 0 to `to` at step `steps`, and constant afterwards, regardless of the phase's length.
    Ramp {
        /// At step 0.
        from: f64,
        /// From the step `steps` on.
        to: f64,
        /// The first step with the value `to`; with 0 it is `to` from the start.
        steps: usize,
    },
    /// `before` up to the step `at`, `after` from then on.
    Step {
        /// Before `at`.
        before: f64,
        /// From `at` on.
        after: f64,
        /// The first step with the value `after`.
        at: usize,
    },
    /// `from + (to - from) / (1 + exp(-slope·(step - middle)))`: Tool-Zero's σ(t, m) with 0, 1, slope 0.1 and middle
    /// 25.
    Sigmoid {
        /// Limit long before the middle.
        from: f64,
        /// Limit long after the middle.
        to: f64,
        /// Steepness κ, per step.
        slope: f64,
        /// The step at which the value is halfway.
        middle: f64,
    },
    /// Half a cosine from the first step to the last.
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
    /// Checks that every number is finite.
    ///
    /// # Errors
    /// [`RewardError::Invalid`], without a path.
    pub fn validate(&self) -> Result<(), RewardError> {
        let numbers = match *self {
            Self::Constant(value) => vec![value],
            Self::Linear { from, to } | Self::Ramp { from, to, .. } | Self::Cosine { from, to } => {
                vec![from, to]
            }
            Self::Step { before, after, .. } => vec![before, after],
            Self::Sigmoid { from, to, slope, middle } => vec![from, to, slope, middle],
        };
        if numbers.iter().all(|number| number.is_finite()) {
            Ok(())
        } else {
            Err(RewardError::invalid("", "must contain finite numbers only"))
        }
    }

    /// Returns the value at `step` of `total_steps`.
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
            Self::Ramp { to, steps, .. } if step >= steps => to,
            Self::Ramp { from, to, steps } => from + (to - from) * (step as f64 / steps as f64),
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

mod settings;

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
        let ramp = Schedule::Ramp { from: 2.0, to: 1.0, steps: 4 };
        assert_eq!([0, 1, 4, 9].map(|t| ramp.at(t, 2)), [2.0, 1.75, 1.0, 1.0]);
        assert_eq!(Schedule::Ramp { from: 2.0, to: 1.0, steps: 0 }.at(0, 9), 1.0);
        assert!(Schedule::Constant(f64::NAN).validate().is_err());
        let cosine = Schedule::Cosine { from: 1.0, to: 0.0 };
        for (t, want) in [(0, 1.0), (2, 0.853_553_390_593_273_8), (4, 0.5), (8, 0.0)] {
            assert!((cosine.at(t, 9) - want).abs() < 1e-12);
        }
    }

    /// Tool-Zero's σ(t, 25) for κ = 0.1, to the printed digits.
    #[test]
    fn sigma_of_tool_zero() {
        let sigma = Schedule::Sigmoid { from: 0.0, to: 1.0, slope: 0.1, middle: 25.0 };
        for (t, want) in
            [(0, 0.076), (10, 0.182), (25, 0.5), (35, 0.731), (50, 0.924), (70, 0.989), (100, 0.9995)]
        {
            assert!((sigma.at(t, 1) - want).abs() < 6e-4, "{t}: {}", sigma.at(t, 1));
        }
    }

    #[test]
    fn settings_hold_numbers_and_tables() {
        let read = |text: &str| serde_json::from_str::<Schedule>(text);
        assert_eq!(read("1").unwrap(), Schedule::Constant(1.0));
        assert_eq!(read("0.5").unwrap(), Schedule::Constant(0.5));
        let ramp = r#"{"kind":"ramp","from":2.0,"to":1.0,"steps":150}"#;
        assert_eq!(read(ramp).unwrap(), Schedule::Ramp { from: 2.0, to: 1.0, steps: 150 });
        assert_eq!(serde_json::to_string(&read(ramp).unwrap()).unwrap(), ramp);
        assert_eq!(serde_json::to_string(&Schedule::Constant(2.0)).unwrap(), "2.0");
        for wrong in [r#"{"kind":"ramp","from":2.0,"to":1.0}"#, r#"{"kind":"jump"}"#, "true", "[1]"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let extra = r#"{"kind":"linear","from":2.0,"to":1.0,"step":1}"#;
        assert!(read(extra).unwrap_err().to_string().contains("unknown field"));
    }

    proptest! {
        #[test]
        fn every_ramp_is_monotone_and_inside_its_ends(step in 0_usize..300, total in 0_usize..300) {
            let (from, to) = (0.25, 0.75);
            for ramp in [
                Schedule::Linear { from, to },
                Schedule::Cosine { from, to },
                Schedule::Step { before: from, after: to, at: 7 },
                Schedule::Ramp { from, to, steps: 105 },
                Schedule::Sigmoid { from, to, slope: 0.1, middle: 25.0 },
            ] {
                prop_assert!((from..=to).contains(&ramp.at(step, total)));
                prop_assert!(ramp.at(step + 1, total) >= ramp.at(step, total));
            }
        }
    }
}
