//! Which files of a repository a model is read from.

use super::ModelId;
use super::id::is_plain;
use super::snapshot::Snapshot;
use crate::model::folder::{INDEX, WEIGHTS, shard_names};
use crate::model::{ADDITIONAL, JINJA};
use hf_hub::api::RepoInfo;
use sparring_core::PolicyError;
use std::path::PathBuf;

const CONFIG: &str = "config.json";
const REQUIRED: [&str; 2] = [CONFIG, "tokenizer.json"];
const OPTIONAL: [&str; 3] = ["tokenizer_config.json", "chat_template.jinja", "generation_config.json"];

/// GGUF files that an error lists.
const LISTED: usize = 6;

/// What to fetch.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The files, without the shards that an index names.
    pub(super) files: Vec<String>,
    /// Files that a model could have, and this repository has not.
    pub(super) absent: Vec<&'static str>,
    /// The model's only file.
    pub(super) gguf: Option<String>,
}

/// Chooses from what the repository has.
pub(super) fn plan(id: &ModelId, listing: &RepoInfo) -> Result<Plan, PolicyError> {
    let names: Vec<&str> = listing.siblings.iter().map(|file| file.rfilename.as_str()).collect();
    let has = |name: &str| names.contains(&name);
    if let Some(file) = id.file() {
        let found = has(file).then(|| gguf(file, Vec::new()));
        return found.ok_or_else(|| bad(id, format!("has no such file; {}", ggufs(&names))));
    }
    let weights = [WEIGHTS, INDEX].into_iter().find(|name| has(name));
    let Some(weights) = weights.filter(|_| has(CONFIG)) else {
        return match names.iter().filter(|name| is_gguf(name)).collect::<Vec<_>>()[..] {
            [only] if is_plain(only) => Ok(gguf(only, vec![CONFIG])),
            [] => Err(bad(
                id,
                format!("has neither {CONFIG} with {WEIGHTS} nor a GGUF file: choose another model"),
            )),
            _ => Err(bad(
                id,
                format!("has several GGUF files; name one, as OWNER/NAME:FILE.gguf; {}", ggufs(&names)),
            )),
        };
    };
    if let Some(missing) = REQUIRED.into_iter().find(|name| !has(name)) {
        return Err(bad(id, format!("has no {missing}, which a model is read with: choose another model")));
    }
    let (present, absent): (Vec<_>, Vec<_>) = OPTIONAL.into_iter().partition(|name| has(name));
    let template = |name: &&str| is_plain(name) && name.starts_with(ADDITIONAL) && name.ends_with(JINJA);
    let templates = names.iter().copied().filter(template);
    let files = REQUIRED.into_iter().chain(present).chain(templates).chain([weights]);
    let files = files.map(str::to_owned).collect();
    Ok(Plan { files, absent, gguf: None })
}

/// The shards that the index names, if the plan has an index.
pub(super) fn shards(snapshot: &Snapshot, plan: &Plan) -> Result<Vec<String>, PolicyError> {
    if plan.files.iter().any(|name| name == INDEX) { index(snapshot) } else { Ok(Vec::new()) }
}

/// The path of the model if the snapshot has every file of it.
pub(super) fn complete(snapshot: &Snapshot, id: &ModelId) -> Result<Option<PathBuf>, PolicyError> {
    if let Some(file) = id.file() {
        return Ok(snapshot.has(file).then(|| snapshot.file(file)));
    }
    if snapshot.is_absent(CONFIG) {
        let only = snapshot.names().into_iter().filter(|name| is_gguf(name)).collect::<Vec<_>>();
        return Ok(if let [only] = &only[..] { Some(snapshot.file(only)) } else { None });
    }
    let known = |name: &str| snapshot.has(name) || snapshot.is_absent(name);
    if !REQUIRED.into_iter().all(|name| snapshot.has(name)) || !OPTIONAL.into_iter().all(known) {
        return Ok(None);
    }
    let weights = snapshot.has(WEIGHTS)
        || snapshot.has(INDEX) && index(snapshot)?.iter().all(|name| snapshot.has(name));
    Ok(weights.then(|| snapshot.file("")))
}

/// The shards that the snapshot's index names.
fn index(snapshot: &Snapshot) -> Result<Vec<String>, PolicyError> {
    let file = snapshot.file(INDEX);
    let names = shard_names(&file)?;
    match names.iter().find(|name| !is_plain(name)) {
        None => Ok(names),
        Some(name) => Err(PolicyError::invalid(format!(
            "{}: \"{name}\" is not the name of a file in the repository: choose another model",
            file.display()
        ))),
    }
}

fn gguf(file: &str, absent: Vec<&'static str>) -> Plan {
    Plan { files: vec![file.to_owned()], absent, gguf: Some(file.to_owned()) }
}

fn is_gguf(name: &str) -> bool {
    name.to_lowercase().ends_with(".gguf")
}

fn ggufs(names: &[&str]) -> String {
    let found: Vec<&str> = names.iter().copied().filter(|name| is_gguf(name)).collect();
    let more = if found.len() > LISTED { ", …" } else { "" };
    match found.len() {
        0 => "it has no GGUF files".to_owned(),
        _ => format!("it has {}{more}", found[..found.len().min(LISTED)].join(", ")),
    }
}

fn bad(id: &ModelId, why: impl std::fmt::Display) -> PolicyError {
    PolicyError::invalid(format!("{id}: the repository {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(id: &str, names: &[&str]) -> Result<Plan, String> {
        let siblings: Vec<_> = names.iter().map(|name| serde_json::json!({ "rfilename": name })).collect();
        let listing = serde_json::json!({ "sha": "0", "siblings": siblings });
        plan(&id.parse().unwrap(), &serde_json::from_value(listing).unwrap()).map_err(|e| e.to_string())
    }

    #[test]
    fn only_what_a_folder_needs_is_chosen() {
        let all = [
            "README.md",
            "config.json",
            "tokenizer.json",
            "vocab.json",
            "chat_template.jinja",
            "pytorch_model.bin",
        ];
        let whole = chosen("a/b", &[&all[..], &[WEIGHTS, INDEX, "model-q8.gguf"]].concat()).unwrap();
        assert_eq!(whole.files, ["config.json", "tokenizer.json", "chat_template.jinja", WEIGHTS]);
        assert_eq!(whole.absent, ["tokenizer_config.json", "generation_config.json"]);
        let sharded = chosen("a/b", &[&all[..], &[INDEX]].concat()).unwrap();
        assert_eq!(sharded.files.last().unwrap(), INDEX);
        let named = chosen("a/b:model-q8.gguf", &[&all[..], &["model-q8.gguf"]].concat()).unwrap();
        assert_eq!(named.files, ["model-q8.gguf"]);
    }

    #[test]
    fn a_gguf_file_is_chosen_where_it_is_the_only_one() {
        assert_eq!(chosen("a/b", &["README.md", "x.gguf"]).unwrap().gguf.unwrap(), "x.gguf");
        assert_eq!(chosen("a/b", &["config.json", "x.gguf"]).unwrap().gguf.unwrap(), "x.gguf");
        for (id, names, expected) in [
            (
                "a/b",
                &["x.gguf", "y.gguf"][..],
                "several GGUF files; name one, as OWNER/NAME:FILE.gguf; it has x.gguf, y.gguf",
            ),
            ("a/b:z.gguf", &["x.gguf"], "no such file; it has x.gguf"),
            ("a/b:z.gguf", &["x.txt"], "no such file; it has no GGUF files"),
            (
                "a/b",
                &["config.json", "pytorch_model.bin"],
                "neither config.json with model.safetensors nor a GGUF",
            ),
            ("a/b", &["config.json", WEIGHTS], "no tokenizer.json"),
            ("a/b", &["../x.gguf"], "several"),
        ] {
            let error = chosen(id, names).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
