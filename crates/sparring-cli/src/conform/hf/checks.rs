//! What is compared.
use super::reference::Reference;
use super::scores::Scores;
use sparring::candle::CandlePolicy;
use sparring::core::BoxError;
use sparring::core::{
    Learner, Prompt, SampleRequest, Sampler, SamplingParams, Seed, TokenBatch, TokenGradients, TokenGroup,
    TokenLoss, TokenStats,
};

/// Largest difference of a logit, and of a gradient's element over the largest of its parameter.
const BOUND: f64 = 1e-4;

/// Logits of every sequence `ids.j` of `sequences`, where `recorded` has `logits.j`.
pub(super) fn logits(
    what: &str,
    policy: &CandlePolicy,
    sequences: &Reference,
    recorded: &Reference,
    scores: &mut Scores,
) -> Result<(), BoxError> {
    let names = recorded.names()?;
    let (mut largest, mut count) = (0.0, 0);
    for index in names.iter().filter_map(|name| name.strip_prefix("logits.")) {
        let ours = policy.logits(&sequences.ids(&format!("ids.{index}"))?)?;
        largest = max(largest, difference(&ours, &recorded.floats(&format!("logits.{index}"))?));
        count += 1;
    }
    if count == 0 {
        return Err(format!("{what}: no logits were recorded").into());
    }
    scores.see(what, largest, BOUND, &format!("{count} sequences"));
    Ok(())
}

/// The most probable continuation of `greedy.prompt`, up to a token that ends it.
pub(super) fn greedy(
    policy: &CandlePolicy,
    recorded: &Reference,
    scores: &mut Scores,
) -> Result<(), BoxError> {
    let expected = recorded.ids("greedy.tokens")?;
    let prompt = Prompt::Tokens(recorded.ids("greedy.prompt")?.into());
    let params = SamplingParams::greedy().with_max_tokens(expected.len());
    let request = SampleRequest::new(prompt, 1, params, Seed::new(0));
    let ours = policy.sample_one(&request)?.remove(0).tokens;
    let ended = ours.last().is_some_and(|&token| policy.tokenizer().is_end(token));
    let missing = if ended { 0 } else { expected.len() - ours.len() };
    let different = ours.iter().zip(&expected).filter(|(ours, expected)| ours != expected).count();
    scores.see("greedy", (different + missing) as f64, 0.0, &format!("{} tokens", ours.len()));
    Ok(())
}

/// The gradient of Σ_t w_t·logp_t over the last tokens of `grad.ids`, one weight of `grad.weights` each.
pub(super) fn gradients(
    policy: &mut CandlePolicy,
    recorded: &Reference,
    scores: &mut Scores,
) -> Result<(), BoxError> {
    let (ids, weights) = (recorded.ids("grad.ids")?, recorded.floats("grad.weights")?);
    let start = ids.len().checked_sub(weights.len()).filter(|&at| at > 0);
    let (prompt, completion) = ids.split_at(start.ok_or("grad.weights: more weights than predicted tokens")?);
    let group = [TokenGroup::new(prompt, vec![completion])];
    policy.accumulate(TokenBatch::new(&group, 1.0), &Weighted(weights))?;
    let names: Vec<String> = policy.parameters().map(|(name, ..)| name.to_owned()).collect();
    let mut worst = (0.0, "");
    for (name, ours) in names.iter().zip(policy.gradients()) {
        let expected = recorded.floats(&format!("grad.{name}"))?;
        let scale = expected.iter().fold(0.0_f32, |scale, value| scale.max(value.abs()));
        // A parameter without a gradient would be compared with nothing: 0/0 counts as infinite.
        let relative = max(difference(&ours, &expected) / f64::from(scale), 0.0);
        if relative >= worst.0 {
            worst = (relative, name.as_str());
        }
    }
    policy.discard();
    let other = |name: &&String| name.strip_prefix("grad.").is_some_and(|n| !["ids", "weights"].contains(&n));
    let expected = recorded.names()?.iter().filter(other).count();
    if expected != names.len() {
        return Err(
            format!("gradients of {expected} parameters were recorded, ours has {}", names.len()).into()
        );
    }
    scores.see("gradients", worst.0, BOUND, &format!("{expected} parameters, worst {}", worst.1));
    Ok(())
}

/// The largest absolute difference; infinite where a number is missing or none.
pub(super) fn difference(ours: &[f32], expected: &[f32]) -> f64 {
    if ours.len() != expected.len() {
        return f64::INFINITY;
    }
    ours.iter().zip(expected).fold(0.0, |largest, (a, b)| max(largest, f64::from((a - b).abs())))
}

/// The larger one; infinite where one is not a number.
fn max(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::INFINITY } else { a.max(b) }
}

/// L = Σ_t w_t·logp_t.
pub(super) struct Weighted(pub(super) Vec<f32>);

impl TokenLoss for Weighted {
    fn evaluate(&self, stats: TokenStats<'_>, gradients: TokenGradients<'_>) -> f64 {
        gradients.logp.copy_from_slice(&self.0);
        stats.logp.iter().zip(&self.0).map(|(logp, weight)| f64::from(*logp) * f64::from(*weight)).sum()
    }
}
