//! A number for a model: one of the tool-calling benchmarks, asked greedily, read, and scored.
//!
//! ```sh
//! sparring eval --model DIR --benchmark bfcl --data DIR --out runs/eval
//! sparring eval --golds hermes --benchmark bfcl --data DIR    # no model needed
//! ```
//!
//! `--model` is a Hugging Face folder (Qwen2, Qwen3, Llama), `--data` the folder of the benchmark's files; nothing is
//! fetched. Answers are kept in the folder of `--out` as they come: the same command again goes on where it stopped.
//! Beside the report stand the failures, each with its reason, and for BFCL the result files that the official
//! `bfcl evaluate` reads. `--golds` scores the benchmark's own answers, written in a call format, instead of a model's.

mod identity;
mod settings;
#[cfg(test)]
mod tests;

use identity::{data_files, model_digest, model_name};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
pub(crate) use settings::Args;
use settings::{Method, PromptStyle};
use sparring::candle::{CandlePolicy, PolicyOptions};
use sparring::core::BoxError;
use sparring::eval::bfcl::write_results;
use sparring::eval::{
    Benchmark, Failure, InWords, Journal, Prompter, Report, Templated, gold_answers, score, write_report,
};
use std::io::Write;
use std::path::Path;

/// Evaluates, and prints the report.
pub(crate) fn run(args: &Args) -> Result<(), BoxError> {
    let report = evaluate(args)?;
    // A closed pipe is the reader's choice.
    let _ = writeln!(std::io::stdout().lock(), "{report}");
    Ok(())
}

fn evaluate(args: &Args) -> Result<Report, BoxError> {
    // 1. What is asked.
    let benchmark = args.benchmark()?;

    // 2. Who answers: the golds, or a model.
    if let Some(format) = &args.golds {
        let reader = settings::reader(format)?;
        let (report, failures) = score(&benchmark, &reader, &gold_answers(&benchmark, &reader));
        let report = report.with_run(json!({"model": "golds", "data": data_files(&args.data)?}));
        if let Some(dir) = &args.out {
            write_report(dir, &report, &failures)?;
        }
        list(&failures);
        return Ok(report);
    }
    let folder = args.model.as_deref().ok_or("name a model's folder (--model), or a format (--golds)")?;
    ask(args, &benchmark, folder)
}

fn ask(args: &Args, benchmark: &Benchmark, folder: &Path) -> Result<Report, BoxError> {
    let policy = CandlePolicy::load(folder, PolicyOptions::default())?;
    let tokenizer = policy.tokenizer();
    let name = model_name(folder)?;

    // 3. How it is asked and read.
    let Method { style, reader, note } = args.method(tokenizer.template_source().unwrap_or_default())?;
    if let Some(note) = note {
        eprintln!("note: {note}");
    }
    let templated = Templated::new(tokenizer);
    let mut in_words = InWords::new(&reader);
    if let Some(path) = &args.system {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        in_words = in_words.with_system(text)?;
    }
    let prompter: &dyn Prompter = match style {
        PromptStyle::Template => &templated,
        PromptStyle::Own => &in_words,
    };

    let prompt = benchmark.items.first().and_then(|item| prompter.prompt(item).ok());
    let prompt = prompt.and_then(|prompt| tokenizer.encode_prompt(&prompt).ok()).unwrap_or_default();
    let end_of_prompt = tokenizer.decode(&prompt[prompt.len().saturating_sub(8)..])?;

    // 4. The answers, on disk as they come. What they are to is in the hashes of their prompts; how they are read may
    // change without asking again.
    let (dir, config) = (args.folder(), args.run_config());
    std::fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let digest = model_digest(folder)?;
    let identity = json!({
        "benchmark": benchmark.name,
        "model": digest,
        "prompt": prompter.name(),
        "config": config.identity(),
    });
    let mut journal = Journal::open(&dir.join("answers.jsonl"), &identity)?;
    let bar = progress_bar(benchmark.items.len());
    sparring::eval::run(benchmark, &policy, prompter, &config, &mut journal, |done| {
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    // Some templates open the reasoning for the model.
    let asked = prompter.name().to_owned();
    let reader = reader.after(&end_of_prompt);

    // 5. What they are worth.
    let (report, failures) = score(benchmark, &reader, journal.answers());
    let report = report.with_run(json!({
        "model": name,
        "digest": digest,
        "prompt": asked,
        "max_tokens": config.max_tokens,
        "seed": config.seed,
        "data": data_files(&args.data)?,
    }));
    write_report(&dir, &report, &failures)?;
    eprintln!("answers, report and failures: {}", dir.display());
    write_results(&dir, args.bfcl_model.as_deref().unwrap_or(&name), benchmark, journal.answers())?;
    Ok(report)
}

/// Golds that do not score are few, and what is wrong with them is what one wants to know.
fn list(failures: &[Failure]) {
    for failure in failures {
        eprintln!("{} ({}): {}", failure.id, failure.error, failure.why.replace('\n', "; "));
    }
}

fn progress_bar(items: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed} (left {eta})");
    // The template is a constant; indicatif's own style stands in if it were wrong.
    ProgressBar::new(items as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
