use super::ToyPolicy;
use super::tokens::END;
use sparring_core::{
    Learner, PolicyError, Scorer, StepReport, TokenBatch, TokenCotangents, TokenLoss, TokenStats,
};

/// Adam's constants (arXiv:1412.6980, algorithm 1).
const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// One completion token: where its logits come from, and which it is.
struct Place {
    sources: [usize; 2],
    token: usize,
}

impl Scorer for ToyPolicy {
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
        let places = self.places(batch)?;
        let temperature = f64::from(batch.temperature);
        Ok(places.iter().map(|p| self.log_softmax(p.sources, temperature)[p.token] as f32).collect())
    }
}

impl ToyPolicy {
    /// The tokens of a checked batch, flat.
    fn places(&self, batch: TokenBatch<'_>) -> Result<Vec<Place>, PolicyError> {
        if !(batch.temperature.is_finite() && batch.temperature > 0.0) {
            return Err(PolicyError::invalid("the temperature must be a finite number above 0"));
        }
        let mut places = Vec::with_capacity(batch.completion_tokens());
        for group in batch.groups {
            self.check_prompt(group.prompt)?;
            let row = self.row(group.prompt);
            for completion in &group.completions {
                self.check_tokens(completion)?;
                if group.prompt.len() + completion.len() > self.max_length {
                    return Err(PolicyError::invalid(format!(
                        "a sequence is longer than {} tokens; shorten it",
                        self.max_length
                    )));
                }
                let mut previous = group.prompt.last().copied().unwrap_or(END);
                for (t, &token) in completion.iter().enumerate() {
                    places.push(Place { sources: self.sources(row, t, previous), token: token as usize });
                    previous = token;
                }
            }
        }
        Ok(places)
    }
}

/// H = −Σ p·log p, nats.
fn entropy(logps: &[f64]) -> f64 {
    -logps.iter().map(|l| l.exp() * l).sum::<f64>()
}

impl Learner for ToyPolicy {
    fn accumulate(&mut self, batch: TokenBatch<'_>, loss: &dyn TokenLoss) -> Result<f64, PolicyError> {
        let places = self.places(batch)?;
        let temperature = f64::from(batch.temperature);
        let forward: Vec<Vec<f64>> =
            places.iter().map(|p| self.log_softmax(p.sources, temperature)).collect();
        let logp: Vec<f32> = forward.iter().zip(&places).map(|(logps, p)| logps[p.token] as f32).collect();
        let entropies: Option<Vec<f32>> =
            loss.needs_entropy().then(|| forward.iter().map(|logps| entropy(logps) as f32).collect());
        let mut d_logp = vec![0.0; places.len()];
        let mut d_entropy = entropies.as_ref().map(|e| vec![0.0; e.len()]);
        let value = loss.evaluate(
            TokenStats { logp: &logp, entropy: entropies.as_deref() },
            TokenCotangents { logp: &mut d_logp, entropy: d_entropy.as_deref_mut() },
        );
        if !value.is_finite() {
            return Err(PolicyError::NonFinite { what: "the loss".to_owned() });
        }
        if let Some(t) = d_logp.iter().chain(d_entropy.iter().flatten()).position(|d| !d.is_finite()) {
            let what = format!("the cotangent of completion token {}", t % places.len().max(1));
            return Err(PolicyError::NonFinite { what });
        }
        for (t, (place, logps)) in places.iter().zip(&forward).enumerate() {
            let d_entropy = d_entropy.as_ref().map_or(0.0, |d| f64::from(d[t]));
            self.backward(place, logps, f64::from(d_logp[t]) / temperature, d_entropy / temperature);
        }
        Ok(value)
    }

    fn step(&mut self, lr: f64) -> Result<StepReport, PolicyError> {
        let norm = self.gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        if !norm.is_finite() {
            self.discard();
            return Err(PolicyError::NonFinite { what: "the gradient".to_owned() });
        }
        self.steps += 1;
        let correct = |beta: f64| 1.0 - beta.powi(i32::try_from(self.steps).unwrap_or(i32::MAX));
        let (correct1, correct2) = (correct(BETA1), correct(BETA2));
        for (i, g) in self.gradient.iter_mut().enumerate() {
            self.first[i] = BETA1 * self.first[i] + (1.0 - BETA1) * *g;
            self.second[i] = BETA2 * self.second[i] + (1.0 - BETA2) * *g * *g;
            let scale = (self.second[i] / correct2).sqrt() + EPSILON;
            self.weights[i] -= lr * self.first[i] / correct1 / scale;
            *g = 0.0;
        }
        Ok(StepReport::new(norm, false))
    }

    fn reset(&mut self) {
        self.discard();
        self.first.fill(0.0);
        self.second.fill(0.0);
        self.steps = 0;
    }

    fn discard(&mut self) {
        self.gradient.fill(0.0);
    }
}

impl ToyPolicy {
    /// Adds d_logp·∂logp/∂z + d_entropy·∂H/∂z, where ∂logp/∂z_j = [j = token] − p_j and
    /// ∂H/∂z_j = −p_j·(log p_j + H).
    fn backward(&mut self, place: &Place, logps: &[f64], d_logp: f64, d_entropy: f64) {
        let h = if d_entropy == 0.0 { 0.0 } else { entropy(logps) };
        for (j, &l) in logps.iter().enumerate() {
            let p = l.exp();
            let hit = f64::from(u8::from(j == place.token));
            let d = d_logp * (hit - p) - d_entropy * p * (l + h);
            for source in place.sources {
                self.gradient[source + j] += d;
            }
        }
    }
}
