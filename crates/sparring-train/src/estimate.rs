//! What a run will need, in numbers and for people.

use serde::{Deserialize, Serialize};
use sparring_core::Work;
use std::time::Duration;

/// How fast a model samples and learns, in seconds: what a short trial measures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Speed {
    /// For a prompt, before its completions.
    pub prompt: f64,
    /// For a sampled token.
    pub token: f64,
    /// For a prompt in the learner.
    pub learned_prompt: f64,
    /// For a token that is learned from.
    pub learned_token: f64,
    /// Mean length of completions as a share of their limit, in [0, 1]; `None` if unknown: at most 1.
    pub length: Option<f64>,
}

impl Default for Speed {
    /// Unknown: a second for each token, and nothing for prompts. Only ratios of such times have a meaning.
    fn default() -> Self {
        Self { prompt: 0.0, token: 1.0, learned_prompt: 0.0, learned_token: 1.0, length: None }
    }
}

impl Speed {
    /// Seconds that this work takes.
    pub fn seconds(&self, work: &Work) -> f64 {
        let length = self.length.unwrap_or(1.0);
        self.prompt * work.prompts
            + self.token * work.tokens * length
            + self.learned_prompt * work.learned_prompts
            + self.learned_token * work.learned_tokens * length
    }
}

/// What is known about a run's demands before it starts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Demands {
    /// The model's speed.
    pub speed: Speed,
    /// Bytes of memory that the run needs; `None` if unknown.
    pub memory: Option<u64>,
}

impl Demands {
    /// Of a model of this speed.
    pub fn new(speed: Speed, memory: Option<u64>) -> Self {
        Self { speed, memory }
    }
}

/// The record `estimate` of `events.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Estimate {
    /// The least that the run still takes, in seconds.
    pub seconds_from: f64,
    /// The most.
    pub seconds_to: f64,
    /// What is left to do, at most.
    pub left: Work,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// The speed that a trial measured.
    pub speed: Speed,
    /// Whether it rests on the run itself, not only on a trial.
    pub measured: bool,
}

/// A time for people, with two units: `35 min 10 s`.
///
/// ```
/// use std::time::Duration;
/// let show = |seconds| sparring_train::show_time(Duration::from_secs_f64(seconds));
/// assert_eq!([show(7.4), show(200.0), show(7_260.0), show(90_000.0)], ["7 s", "3 min 20 s", "2 h 1 min", "1 d 1 h"]);
/// ```
pub fn show_time(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// An amount of memory for people: `751 MiB`, `7.2 GiB`.
pub fn show_memory(bytes: u64) -> String {
    let mib = bytes as f64 / (1_u64 << 20) as f64;
    if mib < 1024.0 { format!("{mib:.0} MiB") } else { format!("{:.1} GiB", mib / 1024.0) }
}

impl std::fmt::Display for Estimate {
    /// `about 35 to 50 minutes: at most 1200 completions with 307 thousand tokens to sample, 120 thousand tokens to
    /// learn from; memory about 1.2 GiB`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (unit, name) = match self.seconds_to {
            to if to < 120.0 => (1.0, "seconds"),
            to if to < 7_200.0 => (60.0, "minutes"),
            to if to < 172_800.0 => (3_600.0, "hours"),
            _ => (86_400.0, "days"),
        };
        let (from, to) = ((self.seconds_from / unit).floor(), (self.seconds_to / unit).ceil());
        let Work { completions, tokens, learned_tokens, .. } = self.left;
        write!(f, "about {from:.0} to {to:.0} {name}: at most {completions:.0} completions with ")?;
        write!(f, "{} tokens to sample, {} tokens to learn from", count(tokens), count(learned_tokens))?;
        match self.memory {
            Some(bytes) => write!(f, "; memory about {}", show_memory(bytes)),
            None => Ok(()),
        }
    }
}

/// `307 thousand`, `3.1 million`.
fn count(n: f64) -> String {
    match n {
        n if n < 10_000.0 => format!("{n:.0}"),
        n if n < 1e6 => format!("{:.0} thousand", n / 1e3),
        n if n < 1e9 => format!("{:.1} million", n / 1e6),
        n => format!("{:.1} billion", n / 1e9),
    }
}
