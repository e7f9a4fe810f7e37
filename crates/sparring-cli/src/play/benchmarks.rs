//! The benchmarks of a run: `--eval NAME:PATH`.

use crate::asking::{Method, Notation, PromptChoice};
use crate::errors::at;
use crate::eval::identity::{data_files, file_digest};
use crate::models::Model;
use serde::Serialize;
use serde_json::{Value, json};
use sparring::core::{BoxError, Game, Hook, Prompt, Sampler, Seed};
use sparring::eval::{
    AnswerReader, Benchmark, Expected, Item, Journal, Prompter, Report, RunConfig, Suite, paired_bootstrap,
    score,
};
use sparring::recipes::own_tools::OwnToolsGame;
use sparring::recipes::tool_r0::ToolR0Game;
use sparring::tools::Format;
use sparring::train::accuracy_with_error;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `NAME:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EvalArg {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

impl std::str::FromStr for EvalArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, path) = text.split_once(':').ok_or("give NAME:PATH, such as mine:requests.jsonl")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(plain) {
            return Err("a name is made of letters, digits, `_` and `-`".to_owned());
        }
        Ok(Self { name: name.to_owned(), path: path.into() })
    }
}

impl EvalArg {
    /// The items: of a file in the unified form, or of a benchmark's folder.
    pub(super) fn load(&self, limit: Option<usize>) -> Result<Benchmark, BoxError> {
        let suite = self.suite()?;
        let loaded = suite.load(&self.path, &[]);
        let mut benchmark =
            loaded.map_err(|error| format!("--eval {}:{}: {error}", self.name, self.path.display()))?;
        benchmark.name.clone_from(&self.name);
        Ok(match limit {
            Some(limit) => spread(benchmark, limit),
            None => benchmark,
        })
    }

    fn suite(&self) -> Result<Suite, BoxError> {
        if self.path.is_file() {
            return Ok(Suite::Unified);
        }
        if !self.path.exists() {
            return Err(
                format!("--eval {}:{}: no such file or folder", self.name, self.path.display()).into()
            );
        }
        let known = Suite::ALL.into_iter().find(|suite| suite.name() == self.name);
        known.ok_or_else(|| {
            let all = Suite::ALL.map(Suite::name).join(", ");
            let path = self.path.display();
            format!("--eval {}:{path}: a folder holds a benchmark; name it one of {all}", self.name).into()
        })
    }

    /// The name of the data among a run's inputs.
    pub(crate) fn input(&self) -> String {
        format!("evaluation {}", self.name)
    }

    /// What a run depends on.
    pub(crate) fn digest(&self) -> Result<String, BoxError> {
        self.suite()?;
        if self.path.is_file() { file_digest(&self.path) } else { Ok(data_files(&self.path)?.join(" ")) }
    }
}

/// `limit` items, evenly spaced over all: a file that is sorted by tool would otherwise show its first tools only.
fn spread(mut benchmark: Benchmark, limit: usize) -> Benchmark {
    let n = benchmark.items.len();
    if limit < n {
        let mut place = 0;
        benchmark.items.retain(|_| {
            place += 1;
            // Of place − 1 and place, one more is kept whenever the share crosses a whole number.
            place * limit / n > (place - 1) * limit / n
        });
    }
    benchmark
}

/// In which way a game's model is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Constrained,
    Free,
    /// Constrained, with worked examples in the prompt.
    Examples,
}

impl Way {
    /// What is added to a benchmark's name.
    fn suffix(self) -> &'static str {
        match self {
            Self::Constrained => "",
            Self::Free => "-free",
            Self::Examples => "-examples",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Constrained => "own tools, constrained",
            Self::Free => "own tools, free",
            Self::Examples => "own tools, constrained, with examples",
        }
    }
}

/// How a run's model is asked.
pub(crate) enum Asking {
    /// As in the game over own tools.
    OwnTools { game: Arc<OwnToolsGame>, way: Way, reader: AnswerReader },
    /// As in Tool-R0's game, under its grammar.
    ToolR0 { game: Arc<ToolR0Game>, reader: AnswerReader },
    /// By the model's chat template or in words, as `sparring eval` asks.
    Model { method: Method, base: Arc<Model> },
}

impl Asking {
    pub(crate) fn own_tools(game: &Arc<OwnToolsGame>, way: Way) -> Self {
        let reader = AnswerReader::Format(game.settings().format);
        Self::OwnTools { game: Arc::clone(game), way, reader }
    }

    pub(crate) fn tool_r0(game: &Arc<ToolR0Game>) -> Self {
        Self::ToolR0 { game: Arc::clone(game), reader: AnswerReader::Format(Format::ToolR0) }
    }

    /// As `sparring eval` would ask this model.
    pub(crate) fn model(base: &Arc<Model>) -> Result<Self, BoxError> {
        let template = base.tokenizer().template_source().unwrap_or_default().to_owned();
        let fallback = AnswerReader::Format(Format::Hermes);
        let method = Method::choose(Notation::Guessed { fallback }, PromptChoice::Auto, false, &template)?;
        Ok(Self::Model { method, base: Arc::clone(base) })
    }

    /// The settings that the answers depend on, beside the prompter's name.
    fn settings(&self) -> Value {
        match self {
            Self::OwnTools { game, .. } => json!(game.settings()),
            Self::ToolR0 { game, .. } => json!(game.solver_prompt(&ToolR0Game::task(&[], &[]))),
            Self::Model { .. } => Value::Null,
        }
    }

    fn suffix(&self) -> &'static str {
        if let Self::OwnTools { way, .. } = self { way.suffix() } else { "" }
    }

    fn reader(&self) -> &AnswerReader {
        match self {
            Self::OwnTools { reader, .. } | Self::ToolR0 { reader, .. } => reader,
            Self::Model { method, .. } => &method.reader,
        }
    }

    fn prompter(&self) -> Result<Box<dyn Prompter + '_>, BoxError> {
        Ok(match self {
            Self::OwnTools { game, way, .. } => Box::new(OwnToolsPrompter { game, way: *way }),
            Self::ToolR0 { game, .. } => Box::new(ToolR0Prompter(game)),
            Self::Model { method, base } => method.prompter(base.tokenizer())?,
        })
    }
}

/// Asks as the game over own tools does.
struct OwnToolsPrompter<'a> {
    game: &'a OwnToolsGame,
    way: Way,
}

impl Prompter for OwnToolsPrompter<'_> {
    fn name(&self) -> &'static str {
        self.way.name()
    }

    fn prompt(&self, item: &Item) -> Result<Prompt, BoxError> {
        Ok(match self.way {
            Way::Examples => self.game.prompt_with_examples(&item.tools, &item.messages).into(),
            Way::Constrained | Way::Free => self.game.prompt(&item.tools, &item.messages).into(),
        })
    }

    fn hook(&self, item: &Item) -> Option<Hook> {
        (self.way != Way::Free).then(|| self.game.answer_hook(&item.tools, &item.messages)).flatten()
    }
}

/// Asks as Tool-R0's game does.
struct ToolR0Prompter<'a>(&'a ToolR0Game);

impl Prompter for ToolR0Prompter<'_> {
    fn name(&self) -> &'static str {
        "Tool-R0, constrained"
    }

    fn prompt(&self, item: &Item) -> Result<Prompt, BoxError> {
        Ok(self.0.solver_prompt(&ToolR0Game::task(&item.tools, &item.messages)).into())
    }

    fn hook(&self, item: &Item) -> Option<Hook> {
        self.0.solver_hook(&ToolR0Game::task(&item.tools, &item.messages))
    }
}

/// A benchmark between iterations: its items, and the same without the tools that serve them.
pub(crate) struct InRun {
    parts: [Benchmark; 2],
    asking: Asking,
    config: RunConfig,
    identity: Value,
    /// Where the answers of the base are kept for other runs.
    shared: PathBuf,
}

/// Every fourth item is asked without its tools too.
const NO_CALL_EVERY: usize = 4;

impl InRun {
    /// Asks `items` in one way. `identity` says what the answers depend on: the model and the data.
    pub(crate) fn new(
        mut items: Benchmark,
        asking: Asking,
        max_tokens: usize,
        mut identity: Value,
        runs: &Path,
    ) -> Self {
        items.name = format!("{}{}", items.name, asking.suffix());
        let mut declined = items.without_called_tools();
        let mut place = 0;
        declined.items.retain(|_| {
            place += 1;
            place % NO_CALL_EVERY == 1
        });
        let config = RunConfig::default().with_max_tokens(max_tokens).with_batch(64);
        // With another version of the program, prompts and grammars may be others.
        identity["version"] = json!(env!("CARGO_PKG_VERSION"));
        identity["config"] = json!(config.identity());
        identity["game"] = asking.settings();
        let shared = runs.join("base-answers");
        Self { parts: [items, declined], asking, config, identity, shared }
    }

    /// Asks one part, and returns its report and the items that were answered right.
    fn part(
        &self,
        benchmark: &Benchmark,
        sampler: &dyn Sampler,
        at_model: &str,
        dir: &Path,
        done: &mut dyn FnMut(usize),
    ) -> Result<(Report, Vec<bool>), BoxError> {
        let prompter = self.asking.prompter()?;
        let mut identity = self.identity.clone();
        identity["prompt"] = json!(prompter.name());
        identity["part"] = json!(benchmark.name);
        // What is asked, whatever made it so.
        if let Some(first) = benchmark.items.first() {
            identity["first prompt"] = json!(format!("{:?}", prompter.prompt(first)?));
        }
        let path = dir.join(format!("{at_model}-{}.jsonl", benchmark.name));
        // The base answers alike in every run: its answers are made once.
        let name = format!("{:016x}.jsonl", Seed::new(0).child(&identity.to_string()).value());
        let shared = self.shared.join(name);
        let is_base = at_model == BASE;
        if is_base && !path.exists() && shared.exists() {
            std::fs::copy(&shared, &path).map_err(at(&path))?;
        }
        let mut journal = Journal::open(&path, &identity)?;
        sparring::eval::run(benchmark, sampler, &*prompter, &self.config, &mut journal, done)?;
        if is_base && !shared.exists() {
            keep(&path, &shared)?;
        }
        let (report, failures) = score(benchmark, self.asking.reader(), journal.answers());
        let wrong: HashSet<&str> = failures.iter().map(|failure| failure.id.as_str()).collect();
        let right = benchmark.items.iter().map(|item| !wrong.contains(item.id.as_str())).collect();
        Ok((report, right))
    }
}

/// What a run calls its first evaluation.
const BASE: &str = "base";

/// Scores of one state of the model. `right` has a `1` for each item that was answered right.
#[derive(Debug, Serialize)]
struct Scores {
    accuracy: f64,
    standard_error: f64,
    no_call_accuracy: Option<f64>,
    f1_names: f64,
    f1_arguments: f64,
    /// Right answers and items by the first tool that is to be called.
    tools: BTreeMap<String, [usize; 2]>,
    right: String,
}

/// Right answers and items by tool. Items that no call serves count nowhere.
fn by_tool(items: &[Item], right: &[bool]) -> BTreeMap<String, [usize; 2]> {
    let mut tools: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for (item, right) in items.iter().zip(right) {
        if let Expected::Calls(calls) = &item.expected
            && let Some(call) = calls.first()
        {
            let [solved, all] = tools.entry(call.name.clone()).or_default();
            *solved += usize::from(*right);
            *all += 1;
        }
    }
    tools
}

impl sparring::train::Benchmark for InRun {
    fn name(&self) -> &str {
        &self.parts[0].name
    }

    fn items(&self) -> usize {
        self.parts.iter().map(|part| part.items.len()).sum()
    }

    fn run(
        &self,
        sampler: &dyn Sampler,
        at_model: &str,
        dir: &Path,
        done: &mut dyn FnMut(usize),
    ) -> Result<Value, BoxError> {
        let [items, declined] = &self.parts;
        let (report, right) = self.part(items, sampler, at_model, dir, done)?;
        let before = items.items.len();
        let no_call = if declined.items.is_empty() {
            None
        } else {
            let (report, _) = self.part(declined, sampler, at_model, dir, &mut |n| done(before + n))?;
            Some(report.total.accuracy)
        };
        let rates: Vec<f32> = right.iter().map(|right| f32::from(u8::from(*right))).collect();
        let (accuracy, standard_error) = accuracy_with_error(&rates, 1);
        let overlap = report.overlap.first();
        Ok(serde_json::to_value(Scores {
            accuracy,
            standard_error,
            no_call_accuracy: no_call,
            f1_names: overlap.map_or(0.0, |share| share.calls_f1),
            f1_arguments: overlap.map_or(0.0, |share| share.arguments_f1),
            tools: by_tool(&items.items, &right),
            right: right.iter().map(|right| if *right { '1' } else { '0' }).collect(),
        })?)
    }

    fn summary(&self, base: &Value, later: &[Value]) -> Value {
        let last = later.last().unwrap_or(base);
        let shown = |score: &Value| {
            let mut score = score.as_object().cloned().unwrap_or_default();
            score.remove("right");
            Value::Object(score)
        };
        let verdicts = |score: &Value| -> Vec<bool> {
            score["right"].as_str().unwrap_or_default().chars().map(|c| c == '1').collect()
        };
        let (before, after) = (base["accuracy"].as_f64(), last["accuracy"].as_f64());
        let gain =
            before.zip(after).filter(|(before, _)| *before > 0.0).map(|(before, after)| after / before - 1.0);
        json!({
            "items": self.parts[0].items.len(),
            "base": shown(base),
            "final": shown(last),
            "relative_gain": gain,
            "paired_difference": paired_bootstrap(&verdicts(base), &verdicts(last), Seed::new(0)),
            "iterations": later.iter().map(shown).collect::<Vec<_>>(),
        })
    }

    fn note(&self, score: &Value) -> String {
        let percent = |field: &str| score[field].as_f64().map(|share| format!("{:.1} %", 100.0 * share));
        let accuracy = percent("accuracy").unwrap_or_default();
        percent("no_call_accuracy")
            .map_or(accuracy.clone(), |no_call| format!("{accuracy} (no call {no_call})"))
    }
}

/// Copies a file whole or not at all.
fn keep(from: &Path, to: &Path) -> Result<(), BoxError> {
    let folder = to.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    let part = tempfile::NamedTempFile::new_in(folder).map_err(at(folder))?;
    std::fs::copy(from, part.path()).map_err(at(from))?;
    part.persist(to).map_err(at(to))?;
    Ok(())
}
