//! The other direction: what we train and save, for `transformers` and PEFT to load.
use super::checkpoint;
use super::checks::Weighted;
use rand::Rng;
use safetensors::{Dtype, tensor::TensorView};
use sparring::candle::{CandlePolicy, LoraConfig};
use sparring::core::BoxError;
use sparring::core::{Learner, Seed, TokenBatch, TokenGroup};
use std::path::Path;

const SEED: Seed = Seed::new(7);
/// Lengths of the sequences whose logits are written.
const LENGTHS: [usize; 4] = [1, 7, 33, 150];
/// Large enough that nothing is left as it was read: a step moves every parameter by about this much.
const LEARNING_RATE: f64 = 1e-2;
const RANK: usize = 3;
const LOGITS: &str = "ours.safetensors";

/// Trains the checkpoint of `folder` a little and saves it to `out`, then the same with an adapter on it, saved to
/// `out/lora`. Beside each lie the logits that we compute, as `logits.j` of the sequences `ids.j`.
pub(crate) fn export(folder: &Path, out: &Path) -> Result<(), BoxError> {
    let mut policy = checkpoint::load(folder)?;
    let config = policy.config();
    let (vocabulary, limit) = (config.vocab_size as u32, config.longest_sequence());
    let mut rng = SEED.child("ids").rng();
    let sequences: Vec<Vec<u32>> = LENGTHS
        .iter()
        .map(|&length| (0..length.min(limit)).map(|_| rng.random_range(0..vocabulary)).collect())
        .collect();
    train(&mut policy, &sequences[2])?;
    save(&policy, &sequences, out)?;
    // The second factor of a fresh adapter is 0 and hides the first: the second step moves both.
    let mut adapted = policy.with_lora(LoraConfig::new(RANK), SEED.child("lora"))?;
    train(&mut adapted, &sequences[2])?;
    train(&mut adapted, &sequences[2])?;
    save(&adapted, &sequences, &out.join("lora"))
}

/// One step up and down the log-probabilities of a sequence.
fn train(policy: &mut CandlePolicy, sequence: &[u32]) -> Result<(), BoxError> {
    let (prompt, completion) = sequence.split_at(1);
    let weights = (0..completion.len()).map(|i| if i % 3 == 0 { 1.0 } else { -0.4 }).collect();
    let group = [TokenGroup::new(prompt, vec![completion])];
    policy.accumulate(TokenBatch::new(&group, 1.0), &Weighted(weights))?;
    policy.step(LEARNING_RATE)?;
    Ok(())
}

fn save(policy: &CandlePolicy, sequences: &[Vec<u32>], out: &Path) -> Result<(), BoxError> {
    policy.save_pretrained(out)?;
    let mut tensors = Vec::new();
    for (j, ids) in sequences.iter().enumerate() {
        let logits = policy.logits(ids)?;
        let shape = vec![ids.len(), logits.len() / ids.len()];
        let wide: Vec<u8> = ids.iter().flat_map(|&id| i64::from(id).to_le_bytes()).collect();
        tensors.push((format!("ids.{j}"), Dtype::I64, vec![ids.len()], wide));
        tensors.push((
            format!("logits.{j}"),
            Dtype::F32,
            shape,
            logits.iter().flat_map(|x| x.to_le_bytes()).collect(),
        ));
    }
    let views = tensors.iter().map(|(name, dtype, shape, data)| Ok((name, view(*dtype, shape, data)?)));
    let bytes = safetensors::serialize(views.collect::<Result<Vec<_>, BoxError>>()?, None)?;
    let file = out.join(LOGITS);
    std::fs::write(&file, bytes).map_err(|error| format!("{}: {error}", file.display()).into())
}

fn view<'a>(dtype: Dtype, shape: &[usize], data: &'a [u8]) -> Result<TensorView<'a>, BoxError> {
    Ok(TensorView::new(dtype, shape.to_vec(), data)?)
}
