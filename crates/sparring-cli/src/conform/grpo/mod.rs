//! Golden vectors of losses, advantages and their relatives.
mod advantages;
mod driver;
mod losses;
mod others;
mod peers;
mod read;
mod score;
mod trl;

use score::Scores;
use serde_json::Value;
use sparring::core::BoxError;
use std::path::Path;

/// Compares every case of a file.
///
/// # Errors
/// Where the file cannot be read, or a case lacks what its family has.
pub(crate) fn compare(file: &Path) -> Result<Scores, BoxError> {
    let text = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let golden: Value =
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let cases = golden["cases"].as_array().ok_or("the file should have a list of `cases`")?;
    let mut scores = Scores::default();
    for case in cases {
        let id = case["id"].as_str().unwrap_or("a case without an id");
        scores.begin(id, case["family"].as_str().unwrap_or("none"), read::is_extreme(case));
        let compared = one(case, &mut scores);
        scores.end(compared.err());
    }
    Ok(scores)
}

fn one(case: &Value, scores: &mut Scores) -> Result<(), BoxError> {
    match case["family"].as_str() {
        Some("trl_loss" | "verl_loss" | "openrlhf_loss" | "prime_loss" | "luffy_loss") => {
            losses::compare(case, scores)
        }
        Some("advantage_trl") => advantages::trl(case, scores),
        Some("advantage_verl" | "advantage_nemo" | "advantage_other") => advantages::others(case, scores),
        Some("kl_estimator" | "kl_estimator_score_fn") => others::kl(case, scores),
        Some("is_ratio_trl") => others::importance(case, scores),
        Some("reward_shaping") => others::overlong(case, scores),
        Some("overlong_filter") => others::filter(case, scores),
        Some("lm_head") => others::lm_head(case, scores),
        family => Err(format!("unknown family {family:?}").into()),
    }
}
