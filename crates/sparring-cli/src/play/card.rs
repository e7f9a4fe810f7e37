//! The model card: what a trained model is, and how it is used.

use crate::play::recipe::Recipe;
use crate::play::settings::{Args, Settings};
use serde_json::Value;
use sparring::core::BoxError;
use sparring::selfplay::Summary;
use sparring::train::store::disk::write_atomic;
use std::fmt::Write;
use std::path::Path;

/// Writes `README.md` into the folder of a trained model or adapter.
pub(crate) fn write(
    folder: &Path,
    args: &Args,
    settings: &Settings,
    summary: &Summary,
) -> Result<(), BoxError> {
    let path = folder.join("README.md");
    Ok(write_atomic(&path, text(folder, args, settings, summary).as_bytes())?)
}

fn text(folder: &Path, args: &Args, settings: &Settings, summary: &Summary) -> String {
    let base = args
        .model
        .as_deref()
        .and_then(Path::file_name)
        .map_or("miniature".into(), |name| name.to_string_lossy());
    let adapter = settings.lora.is_some();
    let library = if adapter { "peft" } else { "transformers" };
    let mut card = format!(
        "---\nlibrary_name: {library}\npipeline_tag: text-generation\ntags: [tool-calling, self-play, grpo]\n---\n\n\
         # {base}, trained by self-play to call tools\n\n\
         Made by Sparring {}{}: a Generator wrote requests for calls of the tools, a Solver (this model) learnt to \
         answer. Preset `{}`, seed {}, {} iterations.\n",
        env!("CARGO_PKG_VERSION"),
        if args.tasks.is_some() {
            ", with a person's own tasks among the Generator's"
        } else {
            " without data"
        },
        settings.preset,
        settings.seed,
        summary.iterations.len(),
    );
    if !summary.evaluations.is_empty() {
        card.push_str(
            "\n| evaluation | items | before | after | difference (95 %) | no call, before | after |\n",
        );
        card.push_str("|---|---|---|---|---|---|---|\n");
        for (name, scores) in &summary.evaluations {
            let _ = writeln!(card, "{}", row(name, scores));
        }
        card.push_str("\nAccuracy is exact match of all calls and arguments. \"No call\": the same requests without the tools that serve them.\n");
    }
    let tools = args.tools.as_deref().map_or("tools.json".into(), |path| path.to_string_lossy());
    let name = folder.display();
    let (model, adapter_option) = match (&args.model, adapter) {
        (Some(model), true) => (model.display().to_string(), format!(" --adapter {name}")),
        _ => (name.to_string(), String::new()),
    };
    let _ = write!(
        card,
        "\n## Use\n\n```sh\nsparring chat --model {model}{adapter_option} --tools {tools}\n```\n"
    );
    if !adapter {
        let _ = write!(
            card,
            "\nOn a server, with the prompt that the model was trained with (`OwnToolsGame::prompt`):\n\n```sh\nvllm \
             serve {name} --enable-auto-tool-choice --tool-call-parser hermes\n```\n"
        );
    }
    if matches!(&settings.recipe, Recipe::OwnTools(config) if config.game.name_first) {
        card.push_str(
            "\nAn answer begins with the names of the tools that the request needs, between `<think>` and `</think>`. \
             A server may return them as content beside the calls.\n",
        );
    }
    card
}

fn row(name: &str, scores: &Value) -> String {
    let percent =
        |value: &Value| value.as_f64().map_or_else(|| "–".to_owned(), |x| format!("{:.1} %", 100.0 * x));
    let points =
        |value: &Value| value.as_f64().map_or_else(|| "–".to_owned(), |x| format!("{:+.1}", 100.0 * x));
    let difference = &scores["paired_difference"];
    format!(
        "| {name} | {} | {} | {} | {} ({} to {}) | {} | {} |",
        scores["items"],
        percent(&scores["base"]["accuracy"]),
        percent(&scores["final"]["accuracy"]),
        points(&difference["mean"]),
        points(&difference["interval"]["low"]),
        points(&difference["interval"]["high"]),
        percent(&scores["base"]["no_call_accuracy"]),
        percent(&scores["final"]["no_call_accuracy"]),
    )
}
