//! The command line, and what it asks for.

use clap::ValueEnum;
use sparring::core::{BoxError, Seed};
use sparring::eval::bfcl::with_underscores;
use sparring::eval::{AnswerReader, Benchmark, RunConfig, Suite};
use sparring::tools::Format;
use std::path::{Path, PathBuf};

/// Scores a model on a tool-calling benchmark.
#[derive(Debug, clap::Args)]
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
    pub(crate) data: PathBuf,
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
    /// How the model is asked: in its chat template, in words of our own, or `auto`, the template if it asks for calls
    /// in the format that is read.
    #[arg(long, default_value = "auto")]
    prompt: Prompt,
    /// Ask in the words of this file instead of ours; `{functions}` in it becomes the JSON of the functions. Name the
    /// --format that it asks for.
    #[arg(long, value_name = "FILE")]
    pub(crate) system: Option<PathBuf>,
    /// For models that write `_` for the dots of names: BFCL's tools are offered so, and checked so.
    #[arg(long)]
    underscore_to_dot: bool,
    /// The model's name in the official registry, for BFCL's result files [default: the folder's].
    #[arg(long, value_name = "NAME")]
    pub(crate) bfcl_model: Option<String>,
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

/// How the model is asked and read.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) style: PromptStyle,
    pub(crate) reader: AnswerReader,
    /// What the user may not expect.
    pub(crate) note: Option<String>,
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

    /// How a model with this chat template is asked and read. It is never asked for one format and read in another,
    /// unless both are named.
    pub(crate) fn method(&self, template: &str) -> Result<Method, BoxError> {
        let guess = Format::guess(template);
        let named = self.format != "auto";
        if self.system.is_some() && !named {
            return Err("name the --format that the --system prompt asks for".into());
        }
        let reader = match guess {
            _ if named => reader(&self.format)?,
            Some(format) => AnswerReader::Format(format),
            None if self.benchmark == Suite::Bfcl.name() => AnswerReader::Bfcl,
            None => AnswerReader::Format(Format::Hermes),
        };
        let says = guess.map(Format::name);
        // What the template does not say, the user may know; BFCL's notation is asked for in words.
        let fits = says == Some(reader.name()) || says.is_none() && named && reader.name() != "bfcl";
        let tools = template.contains("tools");
        let style = match self.prompt {
            Prompt::Template if self.system.is_some() => {
                return Err("--system and --prompt template exclude each other".into());
            }
            Prompt::Template if !named && says.is_none() => {
                return Err("the chat template does not say how calls are written; name a --format".into());
            }
            Prompt::Template => PromptStyle::Template,
            Prompt::Auto if tools && fits && self.system.is_none() => PromptStyle::Template,
            Prompt::Auto | Prompt::Own => PromptStyle::Own,
        };
        let unused = tools && matches!(self.prompt, Prompt::Auto) && style == PromptStyle::Own;
        let note = (unused && self.system.is_none()).then(|| {
            let why = says
                .map_or("does not say how calls are written".to_owned(), |says| format!("asks for {says}"));
            format!("the chat template knows tools but {why}: asking in our own words for {}", reader.name())
        });
        Ok(Method { style, reader, note })
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
pub(crate) fn reader(name: &str) -> Result<AnswerReader, BoxError> {
    if name == "bfcl" {
        return Ok(AnswerReader::Bfcl);
    }
    Format::from_name(name).map(AnswerReader::Format).ok_or_else(|| {
        let all = Format::ALL.map(Format::name).join(", ");
        format!("there is no format `{name}`; there are bfcl, {all}").into()
    })
}
