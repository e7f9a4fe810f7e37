use crate::drift::Drift;

/// Statistics collected while a loss is evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    /// Tokens that count.
    pub(crate) tokens: usize,
    pub(crate) kl: f64,
    pub(crate) entropy: f64,
    pub(crate) clip_low: usize,
    pub(crate) clip_high: usize,
    pub(crate) ratio_min: f64,
    pub(crate) ratio_max: f64,
    pub(crate) ratio_sum: f64,
    pub(crate) ratio_squares: f64,
    pub(crate) drift: Drift,
    /// Distance from the old log-probabilities.
    pub(crate) moved: Drift,
    pub(crate) fault: Option<Fault>,
}

/// Why a loss has no value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// The backend passed slices whose length is not the batch's number of tokens.
    Length,
    /// A number of this completion of the micro-batch is not finite.
    NonFinite { place: usize, what: &'static str },
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            tokens: 0,
            kl: 0.0,
            entropy: 0.0,
            clip_low: 0,
            clip_high: 0,
            ratio_min: f64::INFINITY,
            ratio_max: 0.0,
            ratio_sum: 0.0,
            ratio_squares: 0.0,
            drift: Drift::default(),
            moved: Drift::default(),
            fault: None,
        }
    }
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.tokens += other.tokens;
        self.kl += other.kl;
        self.entropy += other.entropy;
        self.clip_low += other.clip_low;
        self.clip_high += other.clip_high;
        self.ratio_min = self.ratio_min.min(other.ratio_min);
        self.ratio_max = self.ratio_max.max(other.ratio_max);
        self.ratio_sum += other.ratio_sum;
        self.ratio_squares += other.ratio_squares;
        self.drift.add(&other.drift);
        self.moved.add(&other.moved);
        self.fault = self.fault.or(other.fault);
    }

    /// Adds one token; `bounds` are those of [`Surrogate::bounds`](crate::Surrogate).
    pub(crate) fn see(&mut self, ratio: f64, kl: f64, advantage: f64, bounds: (f64, f64)) {
        self.tokens += 1;
        self.kl += kl;
        self.clip_low += usize::from(ratio < bounds.0 && advantage < 0.0);
        self.clip_high += usize::from(ratio > bounds.1 && advantage > 0.0);
        self.ratio_min = self.ratio_min.min(ratio);
        self.ratio_max = self.ratio_max.max(ratio);
        self.ratio_sum += ratio;
        self.ratio_squares += ratio * ratio;
    }

    /// (Σr)² / (n·Σr²), in (0, 1]; 1 without tokens.
    pub(crate) fn effective_sample_size(&self) -> f64 {
        if self.ratio_squares == 0.0 || !self.ratio_squares.is_finite() {
            return if self.tokens == 0 { 1.0 } else { 0.0 };
        }
        self.ratio_sum * self.ratio_sum / (self.tokens as f64 * self.ratio_squares)
    }
}
