//! The command line, and what it asks for.

use clap::{Parser, ValueEnum};
use sparring::core::{BoxError, Seed};
use sparring::eval::{Benchmark, Reader, RunConfig, Suite};
use sparring::tools::Format;
use std::path::{Path, PathBuf};

/// Scores a model on a tool-calling benchmark.
#[derive(Debug, Parser)]
#[command(name = "evaluate")]
pub(crate) struct Args {
    /// Hugging Face folder of the model.
    #[arg(long, value_name = "DIR", conflicts_with = "golds")]
    pub(crate) model: Option<PathBuf>,
    /// Score the benchmark's own answers, written in this format, instead of a model's.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) golds: Option<String>,
    /// bfcl, toolalpaca, seal-tools, nexus-raven, api-bank, hammer, snips or unified.
    #[arg(long)]
    benchmark: String,
    /// Folder of the benchmark's files.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Only these categories [default: all that are there].
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    categories: Vec<String>,
    /// Only the first items of each category.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// How the model writes calls: the name of a format, `bfcl` for `[f(a=1)]` as BFCL reads it, or `auto` to see what
    /// the chat template says (else `bfcl` for BFCL, and `hermes`).
    #[arg(long, default_value = "auto")]
    format: String,
    /// How the model is asked: in its chat template, in words of our own, or `auto`, the template if it knows tools.
    #[arg(long, default_value = "auto")]
    prompt: Prompt,
    /// Most tokens of an answer.
    #[arg(long, default_value_t = 512, value_name = "N")]
    max_tokens: usize,
    /// Prompts at a time; the result does not depend on it.
    #[arg(long, default_value_t = 16, value_name = "N")]
    batch: usize,
    /// Folder of answers and report [default: runs/eval-BENCHMARK].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// For models that draw even where there is nothing to choose.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Prompt {
    Auto,
    Template,
    Own,
}

/// How the model is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PromptStyle {
    /// In its chat template, which is told about the tools.
    Template,
    /// In words of our own.
    Own,
}

impl Args {
    /// The items to ask.
    pub(crate) fn benchmark(&self) -> Result<Benchmark, BoxError> {
        let benchmark = self.benchmark.parse::<Suite>()?.load(&self.data, &self.categories)?;
        Ok(match self.limit {
            Some(limit) => benchmark.limited(limit),
            None => benchmark,
        })
    }

    /// How answers are read, for a model with this chat template.
    pub(crate) fn reader(&self, template: &str) -> Result<Reader, BoxError> {
        if self.format != "auto" {
            return reader(&self.format);
        }
        Ok(match Format::guess(template) {
            Some(format) => Reader::Format(format),
            None if self.benchmark == Suite::Bfcl.name() => Reader::Bfcl,
            None => Reader::Format(Format::Hermes),
        })
    }

    /// How the model is asked, with this chat template.
    pub(crate) fn prompt_style(&self, template: &str) -> PromptStyle {
        let by_template = match self.prompt {
            Prompt::Template => true,
            Prompt::Own => false,
            Prompt::Auto => template.contains("tools") && self.format != "bfcl",
        };
        if by_template { PromptStyle::Template } else { PromptStyle::Own }
    }

    /// Where answers and report go.
    pub(crate) fn folder(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| Path::new("runs").join(format!("eval-{}", self.benchmark)))
    }

    /// How to ask.
    pub(crate) fn run_config(&self) -> RunConfig {
        let config = RunConfig::default().with_batch(self.batch).with_max_tokens(self.max_tokens);
        config.with_seed(Seed::new(self.seed))
    }
}

/// The reader of this name.
pub(crate) fn reader(name: &str) -> Result<Reader, BoxError> {
    if name == "bfcl" {
        return Ok(Reader::Bfcl);
    }
    Format::from_name(name).map(Reader::Format).ok_or_else(|| {
        let all = Format::ALL.map(Format::name).join(", ");
        format!("there is no format `{name}`; there are bfcl, {all}").into()
    })
}
