//! The command line and the settings that follow from it.

use crate::asking::{self, Method, Notation, PromptChoice};
use crate::errors::read_text;
use crate::models::ModelArgs;
use crate::numbers;
use sparring::core::{BoxError, Seed};
use sparring::eval::bfcl::with_underscores;
use sparring::eval::{AnswerReader, Benchmark, RunConfig, Suite};
use sparring::tools::Format;
use std::path::{Path, PathBuf};

/// Scores a model on a tool-calling benchmark.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model: a Hugging Face folder, a GGUF file, or the id of a model that is downloaded from the hub (OWNER/NAME,
    /// OWNER/NAME@REVISION, OWNER/NAME:FILE.gguf).
    #[arg(long, value_name = "MODEL", conflicts_with = "golds")]
    pub(crate) model: Option<PathBuf>,
    /// Score the benchmark's own answers, written in this format, instead of a model's.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) golds: Option<String>,
    /// bfcl, toolalpaca, seal-tools, nexus-raven, api-bank, hammer, snips or unified.
    #[arg(long)]
    benchmark: String,
    /// Folder of the benchmark's files.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Folder of an adapter on the model, in PEFT's layout.
    #[arg(long, value_name = "DIR", requires = "model")]
    pub(crate) adapter: Option<PathBuf>,
    /// Only these categories [default: all that are there].
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    categories: Vec<String>,
    /// Only the first items of each category.
    #[arg(long, value_name = "N", value_parser = numbers::count)]
    limit: Option<usize>,
    /// How the model writes calls: the name of a format, `bfcl` for `[f(a=1)]` as BFCL reads it, or `auto`: the format
    /// of the chat template if it is known, else `bfcl` for BFCL and `hermes` for the others.
    #[arg(long, default_value = "auto")]
    format: String,
    /// How tools are shown to the model: by its chat template, in words, or `auto`: the template if it asks for calls
    /// in the format that is read.
    #[arg(long, default_value = "auto")]
    prompt: PromptChoice,
    /// A system prompt to use instead of our words; `{functions}` in it becomes the JSON of the tools. Also name the
    /// --format that it asks for.
    #[arg(long, value_name = "FILE")]
    pub(crate) system: Option<PathBuf>,
    /// For models that write `_` for the dots of names: BFCL's tools are offered and checked under such names.
    #[arg(long)]
    underscore_to_dot: bool,
    /// The model's name in the official registry, for BFCL's result files [default: the model's].
    #[arg(long, value_name = "NAME")]
    pub(crate) bfcl_model: Option<String>,
    /// Maximum number of tokens per answer.
    #[arg(long, default_value_t = 512, value_name = "N", value_parser = numbers::tokens)]
    max_tokens: usize,
    /// Prompts that are answered at a time; the result does not depend on it.
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = numbers::count)]
    batch: usize,
    /// Folder of answers and report [default: runs/eval-BENCHMARK].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Seed of the sampler; greedy answers do not depend on it.
    #[arg(long, default_value_t = 0, value_parser = numbers::seed)]
    seed: u64,
    #[command(flatten)]
    pub(crate) device: ModelArgs,
}

impl Args {
    /// The items to ask.
    pub(crate) fn benchmark(&self) -> Result<Benchmark, BoxError> {
        let suite = self.benchmark.parse::<Suite>()?;
        if self.underscore_to_dot && suite != Suite::Bfcl {
            return Err(
                "--underscore-to-dot is a rule of BFCL's checker, and for --benchmark bfcl only".into()
            );
        }
        let mut benchmark = suite.load(&self.data, &self.categories)?;
        if let Some(limit) = self.limit {
            benchmark = benchmark.limited(limit);
        }
        Ok(if self.underscore_to_dot { with_underscores(benchmark) } else { benchmark })
    }

    /// How a model with this chat template is asked and read.
    pub(crate) fn method(&self, template: &str) -> Result<Method, BoxError> {
        if self.system.is_some() && self.format == "auto" {
            return Err("name the --format that the --system prompt asks for".into());
        }
        let fallback = if self.benchmark == Suite::Bfcl.name() {
            AnswerReader::Bfcl
        } else {
            AnswerReader::Format(Format::Hermes)
        };
        let notation = match self.format.as_str() {
            "auto" => Notation::Guessed { fallback },
            name => Notation::Named(asking::reader(name)?),
        };
        let mut method = Method::choose(notation, self.prompt, self.system.is_some(), template)?;
        if let Some(path) = &self.system {
            method.system = Some(read_text(path, "--system")?);
        }
        Ok(method)
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
