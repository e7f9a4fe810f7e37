//! Scores a model on a tool-calling benchmark: greedy answers, parsed and compared with the golds.
//!
//! ```sh
//! sparring eval --model DIR --benchmark bfcl --data DIR --out runs/eval
//! sparring eval --golds hermes --benchmark bfcl --data DIR    # no model needed
//! ```
//!
//! `--model` is a Hugging Face folder, a GGUF file or the id of a model that is downloaded from the hub, of one of the
//! families of `sparring-candle`; `--data` is the folder of the benchmark's files, which are not downloaded. Answers
//! are kept in the folder of `--out` as they come: the same command continues where it stopped. Beside the report stand
//! the failures, each with its reason, and for BFCL the result files that the official `bfcl evaluate` reads. `--golds`
//! scores the benchmark's own answers, written in a call format, instead of a model's.

pub(crate) mod identity;
mod settings;
#[cfg(test)]
mod tests;

use crate::asking::reader;
use crate::errors::at;
use crate::hub;
use crate::models::{Device, Model, VARIABLES};
use identity::{data_files, model_digest};
use serde_json::json;
pub(crate) use settings::Args;
use sparring::core::BoxError;
use sparring::eval::bfcl::write_results;
use sparring::eval::{Benchmark, Failure, Journal, Report, gold_answers, score, write_report};
use sparring::train::progress::Bar;
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
    // 1. The items.
    let benchmark = args.benchmark()?;

    // 2. Golds are scored as they are.
    if let Some(format) = &args.golds {
        let reader = reader(format)?;
        let (report, failures) = score(&benchmark, &reader, &gold_answers(&benchmark, &reader));
        let report = report.with_run(json!({"model": "golds", "data": data_files(&args.data)?}));
        if let Some(dir) = &args.out {
            write_report(dir, &report, &failures)?;
        }
        list(&failures);
        return Ok(report);
    }
    let model = args.model.as_deref().ok_or("name a model (--model), or a format (--golds)")?;
    ask(args, &benchmark, model)
}

fn ask(args: &Args, benchmark: &Benchmark, named: &Path) -> Result<Report, BoxError> {
    let folder = hub::resolve(named)?;
    let model = Model::load_adapted(&folder, args.adapter.as_deref(), &args.device)?;
    let tokenizer = model.tokenizer();
    let name = hub::name(named)?;

    // 3. How the model is asked and read.
    let method = args.method(tokenizer.template_source().unwrap_or_default())?;
    if let Some(note) = &method.note {
        eprintln!("note: {note}");
    }
    let prompter = method.prompter(tokenizer)?;

    let prompt = benchmark.items.first().and_then(|item| prompter.prompt(item).ok());
    // A first prompt that the model cannot read is counted as refused later.
    let end_of_prompt = prompt.and_then(|prompt| model.end_of_prompt(&prompt).ok()).unwrap_or_default();

    // 4. The answers, on disk as they come. Each is stored with a hash of its prompt; the format
    // of reading may change without asking again.
    let (dir, config) = (args.folder(), args.run_config());
    std::fs::create_dir_all(&dir).map_err(at(&dir))?;
    let digest = model_digest(&folder)?;
    let mut identity = json!({
        "benchmark": benchmark.name,
        "model": digest,
        "prompt": prompter.name(),
        "config": config.identity(),
    });
    // Devices round differently, so greedy answers may differ between them.
    if args.device.device != Device::Cpu {
        identity["device"] = json!(args.device.device);
    }
    if !args.device.template_variables.is_empty() {
        identity[VARIABLES] = json!(args.device.template_variables);
    }
    if let Some(adapter) = &args.adapter {
        identity["adapter"] = json!(model_digest(adapter)?);
    }
    let mut journal = Journal::open(&dir.join("answers.jsonl"), &identity)?;
    let bar = Bar::new(&benchmark.name, benchmark.items.len());
    sparring::eval::run(benchmark, model.sampler(), &*prompter, &config, &mut journal, |done| {
        bar.set(done, "");
    })?;
    drop(bar);
    let asked = prompter.name().to_owned();
    drop(prompter);
    // Some templates open the reasoning for the model.
    let reader = method.reader.after(&end_of_prompt);

    // 5. The scores.
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

/// Golds that do not score are few, and each of them is worth a look.
fn list(failures: &[Failure]) {
    for failure in failures {
        eprintln!("{} ({}): {}", failure.id, failure.error, failure.why.replace('\n', "; "));
    }
}
