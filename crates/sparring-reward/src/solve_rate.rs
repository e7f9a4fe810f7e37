//! Rewards for the difficulty of a task: functions of the share `p` of the frozen Solver's samples that solve it.

use crate::RewardError;
use serde::{Deserialize, Serialize};
use sparring_core::{BoxError, Reward, RewardContext, Rollout};

/// The reward outside the band.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Shoulders {
    /// `exp(-(distance to the band)² / 2σ²)`: a smooth decrease (Eq. 4).
    #[default]
    Gaussian,
    /// 0: the ablation "rectangular band" (arXiv 2602.21320, Table 3).
    Rectangular,
    /// 1: no band; every task that passes the gate scores the same.
    Off,
}

/// Tool-R0's band-pass reward (arXiv 2602.21320, Eq. 4), in [0, 1].
///
/// `0` if `p < gate`; `1` if `low ≤ p ≤ high`; else as [`Shoulders`] says.
///
/// ```
/// use sparring_reward::solve_rate::Band;
/// let band = Band::for_probes(8);
/// assert_eq!(band.evaluate(0.0), 0.0); // not solved once: perhaps it is wrong
/// assert_eq!(band.evaluate(0.5), 1.0); // the frontier
/// assert!(band.evaluate(1.0) < 0.12); // too easy
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Band {
    /// Lower edge, in [0, 1].
    pub low: f64,
    /// Upper edge, in [low, 1].
    pub high: f64,
    /// Width σ of the Gaussian shoulders, above 0, in units of `p`.
    pub sigma: f64,
    /// Smallest `p` that is rewarded: 1/K for K probes, so that at least one sample must have solved the task. It takes
    /// precedence over everything else.
    pub gate: f64,
    /// The reward outside the band.
    pub shoulders: Shoulders,
}

impl Default for Band {
    /// Tool-R0's band for 8 probes.
    fn default() -> Self {
        Self::for_probes(8)
    }
}

/// Rates are counts divided in `f32`; a rate equal to the gate must pass it.
const ROUNDING: f64 = 1e-6;

impl Band {
    /// Returns Tool-R0's band, [0.25, 0.75] with σ = 0.12 and the gate 1/`probes`.
    pub fn for_probes(probes: usize) -> Self {
        Self {
            low: 0.25,
            high: 0.75,
            sigma: 0.12,
            gate: 1.0 / probes.max(1) as f64,
            shoulders: Shoulders::Gaussian,
        }
    }

    /// Sets the shoulders.
    #[must_use]
    pub fn with_shoulders(mut self, shoulders: Shoulders) -> Self {
        self.shoulders = shoulders;
        self
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`RewardError::Invalid`] with the setting.
    pub fn validate(&self) -> Result<(), RewardError> {
        if !(0.0 <= self.low && self.low <= self.high && self.high <= 1.0) {
            return Err(RewardError::invalid("low and high", "must satisfy 0 ≤ low ≤ high ≤ 1"));
        }
        if !(self.sigma > 0.0 && self.sigma.is_finite()) {
            return Err(RewardError::invalid("sigma", "must be a finite number above 0"));
        }
        if !(0.0..=1.0).contains(&self.gate) {
            return Err(RewardError::invalid("gate", "must be in [0, 1]"));
        }
        Ok(())
    }

    /// Returns the reward for solve rate `p` in [0, 1].
    pub fn evaluate(&self, p: f64) -> f64 {
        if p < self.gate - ROUNDING {
            return 0.0;
        }
        let distance = (self.low - p).max(p - self.high);
        if distance <= ROUNDING {
            return 1.0;
        }
        match self.shoulders {
            Shoulders::Gaussian => (-distance * distance / (2.0 * self.sigma * self.sigma)).exp(),
            Shoulders::Rectangular => 0.0,
            Shoulders::Off => 1.0,
        }
    }
}

/// Returns `1 - 2·|p - 1/2|`, in [0, 1]: R-Zero's uncertainty reward (arXiv 2508.05004).
pub fn tent(p: f64) -> f64 {
    1.0 - 2.0 * (p - 0.5).abs()
}

/// Returns `min(p, 1 - p)`, in [0, 1/2]: half of [`tent`].
pub fn margin(p: f64) -> f64 {
    p.min(1.0 - p)
}

/// Returns `1 - p`, or 0 if `p` is 0, in [0, 1): Absolute Zero's learnability (arXiv 2505.03335).
pub fn hard_but_solved(p: f64) -> f64 {
    if p <= 0.0 { 0.0 } else { 1.0 - p }
}

/// The shapes without settings, by their names in settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RateShape {
    /// [`tent`]: `1 - 2·|p - 1/2|`.
    Tent,
    /// [`margin`]: `min(p, 1 - p)`.
    Margin,
    /// [`hard_but_solved`]: `1 - p`, or 0 if `p` is 0.
    HardButSolved,
    /// 1 for every `p`: the proposal could be probed.
    Probed,
}

impl Shape for RateShape {
    fn reward(&self, p: f64) -> f64 {
        match self {
            Self::Tent => tent(p),
            Self::Margin => margin(p),
            Self::HardButSolved => hard_but_solved(p),
            Self::Probed => 1.0,
        }
    }
}

/// Scores a Generator's completions by a function of their solve rates, which are in the context.
///
/// A completion that was not probed gets `None`, and so does the whole group if nothing was probed.
#[derive(Debug, Clone)]
pub struct SolveRate<F> {
    shape: F,
}

impl SolveRate<Band> {
    /// Returns the band-pass reward.
    ///
    /// # Errors
    /// As [`Band::validate`].
    pub fn band(band: Band) -> Result<Self, RewardError> {
        band.validate()?;
        Ok(Self { shape: band })
    }
}

impl<F: Shape> SolveRate<F> {
    /// Returns a reward by any function of the solve rate: a closure, or a [`RateShape`].
    pub fn shaped(shape: F) -> Self {
        Self { shape }
    }
}

/// A function of the solve rate: a [`Band`], or a closure.
pub trait Shape: Send + Sync {
    /// Returns the reward for solve rate `p` in [0, 1].
    fn reward(&self, p: f64) -> f64;
}

impl Shape for Band {
    fn reward(&self, p: f64) -> f64 {
        self.evaluate(p)
    }
}

impl<F: Fn(f64) -> f64 + Send + Sync> Shape for F {
    fn reward(&self, p: f64) -> f64 {
        self(p)
    }
}

impl<T: ?Sized, F: Shape> Reward<T> for SolveRate<F> {
    fn name(&self) -> &'static str {
        "solve_rate"
    }

    fn score(&self, _: &T, group: &[Rollout], ctx: &RewardContext<'_>) -> Result<Vec<Option<f32>>, BoxError> {
        if ctx.solve_rates.is_empty() {
            return Ok(vec![None; group.len()]);
        }
        if ctx.solve_rates.len() != group.len() {
            let what = format!("has {} solve rates for {} completions", ctx.solve_rates.len(), group.len());
            return Err(RewardError::contract("solve_rate", what).into());
        }
        let reward = |p: &Option<f32>| p.map(|p| self.shape.reward(f64::from(p)) as f32);
        Ok(ctx.solve_rates.iter().map(reward).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Eq. 4 at K = 8, computed by hand: exp(-0.125²/(2·0.12²)) = 0.5813, exp(-0.25²/(2·0.12²)) = 0.1142.
    #[test]
    fn table_at_eight_probes() {
        let want = [0.0, 0.5813, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5813, 0.1142];
        for (solved, want) in want.into_iter().enumerate() {
            let got = Band::default().evaluate(solved as f64 / 8.0);
            assert!((got - want).abs() < 5e-5, "{solved}/8: {got}, expected {want}");
        }
        let rectangular = Band::default().with_shoulders(Shoulders::Rectangular);
        assert_eq!([1, 2, 6, 7].map(|k| rectangular.evaluate(f64::from(k) / 8.0)), [0.0, 1.0, 1.0, 0.0]);
        let off = Band::default().with_shoulders(Shoulders::Off);
        assert_eq!([0, 1, 8].map(|k| off.evaluate(f64::from(k) / 8.0)), [0.0, 1.0, 1.0]);
    }

    /// R-Zero's and Absolute Zero's: at p = 1 nothing is left to learn, at p = 0 nothing can be learned.
    #[test]
    fn shapes_by_hand() {
        let rates = [0.0, 0.25, 0.5, 0.75, 1.0];
        assert_eq!(rates.map(|p| RateShape::Tent.reward(p)), [0.0, 0.5, 1.0, 0.5, 0.0]);
        assert_eq!(rates.map(|p| RateShape::Margin.reward(p)), [0.0, 0.25, 0.5, 0.25, 0.0]);
        assert_eq!(rates.map(|p| RateShape::HardButSolved.reward(p)), [0.0, 0.75, 0.5, 0.25, 0.0]);
    }

    #[test]
    fn one_of_k_passes_the_gate_for_every_k() {
        for k in 1..200_usize {
            let rate = f64::from(1.0_f32 / k as f32);
            assert!(Band::for_probes(k).evaluate(rate) > 0.0, "{k}");
        }
    }

    #[test]
    fn an_unprobed_completion_is_none_and_a_wrong_count_an_error() {
        let group = [Rollout::from_text("a"), Rollout::from_text("b")];
        let reward = SolveRate::band(Band::default()).unwrap();
        let score = |rates: &[Option<f32>]| {
            reward.score("", &group, &RewardContext::default().with_solve_rates(rates)).ok()
        };
        assert_eq!(score(&[]), Some(vec![None, None]));
        assert_eq!(score(&[Some(0.5), None]), Some(vec![Some(1.0), None]));
        assert_eq!(score(&[Some(0.5)]), None);
        assert!(SolveRate::band(Band { sigma: 0.0, ..Band::default() }).is_err());
    }

    proptest! {
        #[test]
        fn in_the_unit_interval_and_symmetric(p in 0.0..=1.0_f64) {
            let band = Band { gate: 0.0, ..Band::default() };
            prop_assert!((0.0..=1.0).contains(&band.evaluate(p)));
            prop_assert!((band.evaluate(p) - band.evaluate(1.0 - p)).abs() < 1e-9);
            prop_assert!((tent(p) - 2.0 * margin(p)).abs() < 1e-12);
            prop_assert!((0.0..=1.0).contains(&hard_but_solved(p)));
            prop_assert!((0.0..=0.5).contains(&RateShape::Margin.reward(p)));
        }
    }
}
