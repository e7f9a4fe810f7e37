//! The command line.

use crate::models::ModelArgs;
use crate::numbers;
use serde::Serialize;
use sparring::core::BoxError;
use std::path::PathBuf;

/// Measures GRPO steps of fixed lengths on a checkpoint; the weights are thrown away.
///
/// A completion's reward is its share of even token ids. The last line is JSON: seconds are medians over the measured
/// steps, `train_tok_s` counts a prompt once for each of its completions though it is computed once, and memory is the
/// process's largest.
#[derive(Debug, Clone, clap::Args, Serialize)]
pub(crate) struct Settings {
    /// The model: a Hugging Face folder, a GGUF file or a hub id (OWNER/NAME). Texts of `prompts_P.json` in the folder
    /// (a list; each P tokens) are the prompts; without the file, random tokens are.
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// Prompts of a step.
    #[arg(long, default_value_t = 8, value_parser = numbers::samples)]
    pub(crate) prompts: usize,
    /// Completions of a prompt.
    #[arg(long, default_value_t = 8, value_parser = numbers::samples)]
    pub(crate) group: usize,
    /// Tokens of a prompt.
    #[arg(long, default_value_t = 128, value_parser = numbers::tokens)]
    pub(crate) prompt_tokens: usize,
    /// Tokens of a completion: none ends earlier.
    #[arg(long, default_value_t = 128, value_parser = numbers::tokens)]
    pub(crate) completion_tokens: usize,
    /// Measured steps, after one that warms up.
    #[arg(long, default_value_t = 4, value_parser = numbers::count)]
    pub(crate) steps: usize,
    /// Completions that are learned from at a time: more of them need more memory
    /// [default: one group for each thread].
    #[arg(long, value_name = "N", value_parser = numbers::count)]
    pub(crate) micro: Option<usize>,
    /// Maximum memory for what sampling computed and training then recalls, in MiB; with 0 training computes everything
    /// [default: the library's].
    #[arg(long, value_name = "MIB", value_parser = numbers::count)]
    pub(crate) recall_mib: Option<usize>,
    /// Compute a group's prompt anew for each of its completions, in sampling and in training.
    #[arg(long)]
    pub(crate) no_sharing: bool,
    /// Train adapters of this rank on all projections instead of the weights.
    #[arg(long, value_name = "RANK", value_parser = numbers::rank)]
    pub(crate) lora: Option<usize>,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) device: ModelArgs,
    /// Leave out the entropy that an update reports.
    #[arg(long)]
    pub(crate) no_entropy: bool,
    /// Seed of the completions, and of the prompts where the model's folder has none.
    #[arg(long, default_value_t = 0, value_parser = numbers::seed)]
    pub(crate) seed: u64,
}

impl Settings {
    /// Refuses sizes of 0.
    pub(crate) fn check(&self) -> Result<(), BoxError> {
        let sizes = [
            ("--prompts", self.prompts),
            ("--group", self.group),
            ("--prompt-tokens", self.prompt_tokens),
            ("--completion-tokens", self.completion_tokens),
            ("--steps", self.steps),
            ("--micro", self.micro()),
            ("--threads", self.device.threads),
        ];
        match sizes.into_iter().find(|(_, size)| *size == 0) {
            Some((flag, _)) => Err(format!("{flag} is 0; it must be at least 1").into()),
            None => Ok(()),
        }
    }

    /// Refuses lengths beyond the model's limit.
    pub(crate) fn check_length(&self, positions: usize) -> Result<(), BoxError> {
        let length = self.prompt_tokens + self.completion_tokens;
        if length <= positions {
            return Ok(());
        }
        Err(format!(
            "--prompt-tokens and --completion-tokens are {length} together; the model's limit is {positions} \
             (max_position_embeddings)"
        )
        .into())
    }

    /// Completions that are learned from at a time.
    pub(crate) fn micro(&self) -> usize {
        self.micro.unwrap_or(self.group * self.device.threads).min(self.completions())
    }

    /// Tokens of a micro-batch, as the update counts them: a group's prompt once.
    pub(crate) fn micro_tokens(&self) -> usize {
        self.micro().div_ceil(self.group) * self.prompt_tokens + self.micro() * self.completion_tokens
    }

    /// Completions of a step.
    pub(crate) fn completions(&self) -> usize {
        self.prompts * self.group
    }
}
