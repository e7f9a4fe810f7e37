//! How likely a model finds values behind the names of parameters.

use super::spoken;
use serde_json::Value;
use sparring_core::{Encoder, PolicyError, Prompt, Scorer, TokenBatch, TokenGroup};
use sparring_tools::ToolSpec;
use std::sync::Arc;

/// Tokens of a value that count: its beginning says what it is.
const BEGINNING: usize = 3;

/// Parameters of all sorts, to compare with.
pub(super) const OTHERS: [[&str; 2]; 18] = [
    ["send money", "amount"],
    ["send money", "recipient"],
    ["add contact", "phone"],
    ["find flight", "destination"],
    ["find flight", "departure date"],
    ["set alarm", "time"],
    ["order food", "dish"],
    ["search products", "color"],
    ["translate text", "language"],
    ["translate text", "text"],
    ["create event", "title"],
    ["track order", "order id"],
    ["log in", "password"],
    ["play video", "name"],
    ["book hotel", "guests"],
    ["find doctor", "specialty"],
    ["open website", "link"],
    ["turn on light", "room"],
];

/// Longest description of a parameter in a text, in characters.
const DESCRIPTION: usize = 80;

/// What a text says of a parameter.
pub(super) struct Place {
    pub(super) action: String,
    pub(super) parameter: String,
    /// The description in brackets behind a space, or nothing.
    pub(super) about: String,
}

impl Place {
    pub(super) fn of(tool: &ToolSpec, name: &str) -> Self {
        let described = tool.parameters.get(name).and_then(|schema| schema.get("description"));
        let about = described
            .and_then(Value::as_str)
            .unwrap_or_default()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let about: String = about.chars().take(DESCRIPTION).collect();
        let about = if about.is_empty() { about } else { format!(" ({about})") };
        Self { action: spoken(&tool.name), parameter: spoken(name), about }
    }

    pub(super) fn others() -> impl Iterator<Item = Self> {
        let other = |[action, parameter]: [&str; 2]| Self {
            action: action.to_owned(),
            parameter: parameter.to_owned(),
            about: String::new(),
        };
        OTHERS.into_iter().map(other)
    }

    /// A text that a value of the parameter may follow: it names the tool too.
    pub(super) fn of_action(&self) -> String {
        format!(
            "send money: amount = 45\nadd contact: name = Liam Byrne\nfind flight: airline = Lufthansa\nset alarm: time \
             = quarter to six\n{}: {} =",
            self.action, self.parameter
        )
    }

    /// Another one, which describes the parameter.
    pub(super) fn described(&self) -> String {
        format!("The {}{} is", self.parameter, self.about)
    }
}

/// For each context, the log-probability of the beginning of each value behind it.
pub(super) fn likelihoods(
    contexts: &[String],
    values: &[&str],
    scorer: &dyn Scorer,
    encoder: &dyn Encoder,
) -> Result<Vec<Vec<f32>>, PolicyError> {
    let encode = |text: String| encoder.prompt(&Prompt::Text(text));
    let values: Vec<Arc<[u32]>> =
        values.iter().map(|value| encode(format!(" {value}"))).collect::<Result<_, _>>()?;
    let beginnings: Vec<&[u32]> = values.iter().map(|value| &value[..value.len().min(BEGINNING)]).collect();
    let encoded = contexts.iter().map(|text| encode(text.clone())).collect::<Result<Vec<_>, _>>()?;
    let groups: Vec<TokenGroup<'_>> =
        encoded.iter().map(|context| TokenGroup::new(context, beginnings.clone())).collect();
    let mut logp = scorer.score(TokenBatch::new(&groups, 1.0))?.into_iter();
    let mut row = || beginnings.iter().map(|value| logp.by_ref().take(value.len()).sum()).collect();
    Ok(contexts.iter().map(|_| row()).collect())
}

/// How well a log-probability fits, by those of the same value behind other parameters.
#[derive(Clone, Copy)]
pub(super) struct Usual {
    mean: f32,
    deviation: f32,
}

impl Usual {
    pub(super) fn of(others: impl ExactSizeIterator<Item = f32> + Clone) -> Self {
        let n = others.len().max(1) as f32;
        let mean = others.clone().sum::<f32>() / n;
        let variance = others.map(|x| (x - mean).powi(2)).sum::<f32>() / n;
        Self { mean, deviation: variance.sqrt() }
    }

    /// s = (ℓ − mean) / (½ + standard deviation).
    pub(super) fn fit(self, logp: f32) -> f32 {
        (logp - self.mean) / (0.5 + self.deviation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fit_is_measured_in_deviations() {
        let usual = Usual::of([-4.0, -6.0].into_iter());
        assert!((usual.fit(-2.0) - 2.0).abs() < 1e-6);
        assert!(usual.fit(-5.0).abs() < 1e-6);
        // Where other parameters do not move the value, half a nat is a unit.
        assert!((Usual::of([-4.0].into_iter()).fit(-3.5) - 1.0).abs() < 1e-6);
    }
}
