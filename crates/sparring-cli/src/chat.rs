//! Answers requests with calls of a person's tools: the quickest way to try a trained model.
//!
//! ```sh
//! sparring chat --model runs/own-tools-1/model --tools tools.json --request "Wake me at seven."
//! sparring chat --model runs/own-tools-1/model --tools tools.json      # a request a line, until the end of input
//! sparring chat --model runs/own-tools-1/model --mcp "npx -y my-server"
//! ```

use crate::mcp::Served;
use crate::models::{Model, ModelArgs};
use crate::numbers;
use crate::play::recipe::{catalogue, guide, kept_game};
use sparring::core::{BoxError, Message, SampleRequest, SamplingParams, Seed, one_line};
use sparring::guided::Guide;
use sparring::recipes::own_tools::{Catalogue, OwnToolsGame, PlanConfig};
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Answers requests with calls of your tools.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("own_tools").required(true).args(["tools", "mcp"])))]
pub(crate) struct Args {
    /// The model: a Hugging Face folder, a GGUF file, or the id of a model on the hub.
    #[arg(long, value_name = "MODEL")]
    model: PathBuf,
    /// Folder of an adapter on the model, in PEFT's layout.
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// The tools, as `sparring play --tools` takes them.
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
    /// The tools of an MCP server, as `sparring play --mcp` takes it.
    #[arg(long, value_name = "SERVER")]
    mcp: Option<String>,
    /// One request; without it, requests are read from standard input, one a line.
    #[arg(long, value_name = "TEXT")]
    request: Option<String>,
    /// Answers without a grammar.
    #[arg(long)]
    free: bool,
    /// Maximum number of tokens per answer.
    #[arg(long, default_value_t = 256, value_name = "N", value_parser = numbers::tokens)]
    max_tokens: usize,
    #[command(flatten)]
    device: ModelArgs,
}

/// Answers one request, or each line of standard input. A request that fails is reported, and the next one is read.
pub(crate) fn run(args: &Args) -> Result<(), BoxError> {
    let served = args.mcp.as_deref().map(Served::fetch).transpose()?;
    let file = served.as_ref().map(Served::path).or_else(|| args.tools.clone());
    let tools = catalogue(&file.ok_or("name the tools (--tools FILE)")?)?;
    let model = Model::load_adapted(&args.model, args.adapter.as_deref(), &args.device)?;
    let trained = args.adapter.as_deref().unwrap_or(&args.model);
    let game = game(trained, tools, guide(model.tokenizer())?)?;
    if let Some(request) = &args.request {
        let text = answer(args, &model, &game, request)?;
        return Ok(writeln!(std::io::stdout().lock(), "{text}")?);
    }
    let stdin = std::io::stdin();
    let prompt = || {
        if stdin.is_terminal() {
            eprint!("> ");
        }
    };
    prompt();
    for line in stdin.lock().lines() {
        let line = line?;
        if !line.trim().is_empty() {
            match answer(args, &model, &game, line.trim()) {
                Ok(text) => writeln!(std::io::stdout().lock(), "{text}")?,
                Err(error) => eprintln!("error: {}", one_line(&*error)),
            }
        }
        prompt();
    }
    Ok(())
}

/// The game over these tools that asks a model as it was trained.
fn game(trained: &Path, tools: Catalogue, guide: Guide) -> Result<OwnToolsGame, BoxError> {
    let settings = kept_game(trained)?.unwrap_or_default();
    // Nothing is planned here; with this, the plan fits any settings of the game.
    let mut plan = PlanConfig::default();
    plan.given_values = 0.0;
    Ok(OwnToolsGame::new(tools, plan, settings, Some(guide))?)
}

fn answer(args: &Args, model: &Model, game: &OwnToolsGame, request: &str) -> Result<String, BoxError> {
    let tools = game.catalogue().tools();
    let asked = [Message::user(request)];
    let prompt = game.prompt(tools, &asked);
    let params = SamplingParams::greedy().with_max_tokens(args.max_tokens);
    let hook = if args.free { None } else { game.answer_hook(tools, &asked) };
    let request = SampleRequest::new(prompt, 1, params, Seed::new(0)).with_shared_hook(hook);
    let text = model.sampler().sample_one(&request)?.remove(0).text;
    // The names that the model wrote first are for itself.
    let answer = text.split_once("</think>").map_or(text.as_str(), |(_, answer)| answer);
    Ok(answer.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sparring::guided::Vocabulary;

    #[test]
    fn a_model_is_asked_as_it_was_trained() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own-tools.json");
        let asked = || {
            let tools = Catalogue::from_text(r#"[{"name": "now", "parameters": {}}]"#, "tools.json").unwrap();
            game(folder.path(), tools, Guide::new(&Vocabulary::bytes()).unwrap())
        };
        assert_eq!(asked().unwrap().settings().decline, "No tool fits.");
        std::fs::write(&file, r#"{"decline": "None.", "order": "request_first"}"#).unwrap();
        assert_eq!(asked().unwrap().settings().decline, "None.");
        std::fs::write(&file, r#"{"declines": 1}"#).unwrap();
        let error = asked().unwrap_err().to_string();
        assert!(error.contains("own-tools.json") && error.contains("declines"), "{error}");
    }
}
