use super::softmax::{d_logits, entropy};
use super::{NextToken, NextTokenPolicy, TokenContext};
use sparring_core::{
    Learner, PolicyError, Scorer, StepReport, TokenBatch, TokenGradients, TokenLoss, TokenMask, TokenStats,
};

/// Adam's constants (arXiv:1412.6980, algorithm 1).
const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// One completion token and its context.
struct Place<'a> {
    context: TokenContext<'a>,
    token: usize,
    mask: TokenMask,
}

impl<M: NextToken> Scorer for NextTokenPolicy<M> {
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
        let temperature = f64::from(batch.temperature);
        let logp = |p: Place<'_>| Ok(self.log_softmax(p.context, &p.mask, temperature)?[p.token] as f32);
        self.places(batch)?.into_iter().map(logp).collect()
    }
}

impl<M: NextToken> NextTokenPolicy<M> {
    /// Returns the tokens of a checked batch, flat.
    fn places<'a>(&self, batch: TokenBatch<'a>) -> Result<Vec<Place<'a>>, PolicyError> {
        if !(batch.temperature.is_finite() && batch.temperature > 0.0) {
            return Err(PolicyError::invalid("the temperature must be a finite number above 0"));
        }
        let mut places = Vec::with_capacity(batch.completion_tokens());
        for group in batch.groups {
            let prompt = group.prompt;
            self.check_prompt(prompt)?;
            let start = TokenContext::new(prompt);
            for (c, &completion) in group.completions.iter().enumerate() {
                self.check_tokens(completion)?;
                if prompt.len() + completion.len() > self.max_length {
                    let most = self.max_length;
                    let what = format!("a sequence is longer than {most} tokens; shorten it");
                    return Err(PolicyError::invalid(what));
                }
                let masks = group.masks(c, self.vocabulary_size())?;
                places.extend(completion.iter().zip(masks).enumerate().map(|(t, (&token, mask))| Place {
                    context: start.after(&completion[..t]),
                    token: token as usize,
                    mask,
                }));
            }
        }
        Ok(places)
    }
}

impl<M: NextToken> Learner for NextTokenPolicy<M> {
    fn accumulate(&mut self, batch: TokenBatch<'_>, loss: &dyn TokenLoss) -> Result<f64, PolicyError> {
        let places = self.places(batch)?;
        let temperature = f64::from(batch.temperature);
        let forward: Vec<Vec<f64>> = places
            .iter()
            .map(|p| self.log_softmax(p.context, &p.mask, temperature))
            .collect::<Result<_, _>>()?;
        let logp: Vec<f32> = forward.iter().zip(&places).map(|(logps, p)| logps[p.token] as f32).collect();
        let entropies: Option<Vec<f32>> =
            loss.needs_entropy().then(|| forward.iter().map(|logps| entropy(logps) as f32).collect());
        let mut d_logp = vec![0.0; places.len()];
        let mut d_entropy = entropies.as_ref().map(|e| vec![0.0; e.len()]);
        let value = loss.evaluate(
            TokenStats::new(&logp, entropies.as_deref()),
            TokenGradients::new(&mut d_logp, d_entropy.as_deref_mut()),
        );
        if !value.is_finite() {
            return Err(PolicyError::NonFinite { what: "the loss".to_owned() });
        }
        if let Some(t) = d_logp.iter().chain(d_entropy.iter().flatten()).position(|d| !d.is_finite()) {
            let what = format!("the gradient of completion token {}", t % places.len().max(1));
            return Err(PolicyError::NonFinite { what });
        }
        for (t, (place, logps)) in places.iter().zip(&forward).enumerate() {
            let d_logp = f64::from(d_logp[t]) / temperature;
            let d_entropy = d_entropy.as_ref().map_or(0.0, |d| f64::from(d[t])) / temperature;
            let by_logit = d_logits(logps, place.token, d_logp, d_entropy);
            self.model.backward(&self.weights, place.context, &by_logit, &mut self.gradient);
        }
        Ok(value)
    }

    fn step(&mut self, lr: f64) -> Result<StepReport, PolicyError> {
        let norm = self.gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        if !norm.is_finite() {
            let weight = self.gradient.iter().position(|g| !g.is_finite());
            let what = weight.map_or("the gradient".to_owned(), |i| format!("the gradient of weight {i}"));
            self.discard();
            return Err(PolicyError::NonFinite { what });
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
