//! Our verdicts beside recorded ones of the official code.
//!
//! ```sh
//! sparring conform ast bfcl_differential.jsonl.gz            # BFCL's AST checker
//! sparring conform decode bfcl_decode_differential.jsonl.gz  # from the text on
//! sparring conform edge bfcl_edge_cases.jsonl.gz             # corner cases of both
//! sparring conform parse toolparse_edge_cases.jsonl.gz       # texts of eight families
//! sparring conform grpo grpo_golden.json                     # losses and advantages
//! sparring conform hf DIR...                                 # checkpoints
//! sparring conform hf-export OUT DIR...                      # ours, for others to load
//! ```
//!
//! A row is one check, with the verdict that the official code gave. The program says how many agree, lists
//! those that do not, and fails if a verdict differs. For `parse` the rows hold what a server's parsers read:
//! there it fails if a text reads differently in pieces than whole, and lists where our reading is another one.
//! `grpo` compares numbers: relative error at most 1e-9 in `f64`, 1e-5 through the seam in `f32`.
//! `hf` compares checkpoints with what `transformers` and PEFT compute of them, in `f32`: every DIR is a model folder
//! with `reference.safetensors` (`ids.j` and `logits.j`, `greedy.prompt` and `greedy.tokens`, `grad.ids`,
//! `grad.weights` and the gradient of each parameter, `grad.NAME`), and where it has an adapter in `lora`, that folder
//! has `logits.j` of the same sequences. Logits may differ by 1e-4, gradients by 1e-4 of their parameter's largest.
//! `hf-export` trains each DIR and an adapter on it a little, and saves both to OUT with the logits that we compute:
//! benches/peers/hf_roundtrip.py loads them with `transformers` and PEFT and compares.

mod ast;
mod decode;
mod edge;
mod grpo;
mod hf;
mod parse;
mod rows;
mod tally;

use clap::Subcommand;
use sparring::core::BoxError;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Compares our results with recorded ones of other programs.
#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Calls against possible answers: functions, gold, predicted, valid, error_type.
    Ast {
        /// JSON lines, gzipped or not.
        file: PathBuf,
    },
    /// Texts against possible answers: entry_id, return_format, raw, decoded, valid, error_type.
    Decode {
        /// JSON lines, gzipped or not.
        file: PathBuf,
        /// Folder of the benchmark's questions, with `possible_answer` in it
        /// [default: ../benchmarks/bfcl beside the file's folder].
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Texts against what a server's parsers read: format, raw, sglang_oneshot.
    Parse {
        /// JSON lines, gzipped or not.
        file: PathBuf,
    },
    /// Numbers of RL libraries: losses with gradients, advantages, KL estimators, importance weights.
    Grpo {
        /// JSON with a list of `cases`: family, spec, inputs, expected.
        file: PathBuf,
    },
    /// Checkpoints: logits, greedy tokens, gradients, adapters.
    Hf {
        /// Model folders with `reference.safetensors`.
        #[arg(required = true, value_name = "DIR")]
        folders: Vec<PathBuf>,
    },
    /// Trains checkpoints and adapters a little and saves them with our logits.
    HfExport {
        /// A folder of the same name as the model's is written here.
        out: PathBuf,
        /// Model folders.
        #[arg(required = true, value_name = "DIR")]
        folders: Vec<PathBuf>,
    },
    /// Corner cases of several stages.
    Edge {
        /// JSON lines, gzipped or not.
        file: PathBuf,
    },
}

/// Compares, reports, and says whether all agrees.
pub(crate) fn run(what: &What, out: &mut dyn Write) -> Result<bool, BoxError> {
    match what {
        What::Ast { file } => {
            let tally = ast::compare(file)?;
            write!(out, "{tally}")?;
            Ok(tally.agrees())
        }
        What::Edge { file } => {
            let tally = edge::compare(file)?;
            write!(out, "{tally}")?;
            Ok(tally.agrees())
        }
        What::Grpo { file } => {
            let scores = grpo::compare(file)?;
            write!(out, "{scores}")?;
            Ok(scores.agrees())
        }
        What::Hf { folders } => {
            let scores = hf::compare(folders);
            write!(out, "{scores}")?;
            Ok(scores.agrees())
        }
        What::HfExport { out: to, folders } => {
            for folder in folders {
                let name = folder.file_name().ok_or_else(|| format!("{}: has no name", folder.display()))?;
                hf::export(folder, &to.join(name))?;
                writeln!(out, "{}", to.join(name).display())?;
            }
            Ok(true)
        }
        What::Parse { file } => {
            let parses = parse::compare(file)?;
            write!(out, "{parses}")?;
            Ok(parses.agrees())
        }
        What::Decode { file, data } => {
            let beside = || file.parent().unwrap_or(Path::new("")).join("../benchmarks/bfcl");
            let compared = decode::compare(file, &data.clone().unwrap_or_else(beside))?;
            write!(out, "{compared}")?;
            Ok(compared.agrees())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ast, edge};
    use serde_json::{Value, json};
    use std::path::PathBuf;

    fn row(found: i64, valid: bool) -> Value {
        let properties = json!({"x": {"type": "integer"}});
        let parameters = json!({"type": "dict", "required": ["x"], "properties": properties});
        json!({"id": "made", "stage": "ast_checker", "category": "simple_python", "language": "python",
            "model": "plain", "functions": [{"name": "f", "parameters": parameters}], "gold": [{"f": {"x": [1]}}],
            "predicted": [{"f": {"x": found}}], "valid": valid, "error_type": null})
    }

    fn file(folder: &tempfile::TempDir, rows: &[Value]) -> PathBuf {
        let path = folder.path().join("rows.jsonl");
        std::fs::write(&path, rows.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")).unwrap();
        path
    }

    #[test]
    fn a_verdict_that_differs_is_listed_and_fails() {
        let folder = tempfile::tempdir().unwrap();
        let tally = ast::compare(&file(&folder, &[row(1, true), row(2, true)])).unwrap();
        assert!(!tally.agrees());
        let text = tally.to_string();
        assert!(text.contains("ours value_error:others: x: expected one of [1], found 2"), "{text}");
        assert!(text.ends_with("error_type: agree 1 of 2\nagree 1 of 2\n"), "{text}");
    }

    #[test]
    fn numbers_are_compared_one_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("golden.json");
        let case = |advantage: f64| {
            json!({"id": "made", "family": "advantage_other", "spec": {"estimator": "grpo_no_std", "group_size": 2},
                "inputs": {"rewards": [1.0, 0.0]}, "expected": {"advantages": [advantage, -0.5]}})
        };
        std::fs::write(&path, json!({"cases": [case(0.5), case(0.6)]}).to_string()).unwrap();
        let scores = super::grpo::compare(&path).unwrap();
        assert!(!scores.agrees());
        let text = scores.to_string();
        assert!(text.contains("differs: made: advantage F64 [0] is 5e-1, expected 6e-1"), "{text}");
        assert!(text.ends_with("agree 1 of 2\n"), "{text}");
    }

    /// The recorded vectors.
    #[test]
    #[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
    fn every_golden_vector_agrees() {
        let shared = std::env::var("SPARRING_SHARED").unwrap();
        let scores =
            super::grpo::compare(&PathBuf::from(shared).join("conformance/grpo_golden.json")).unwrap();
        assert!(scores.agrees(), "{scores}");
    }

    /// The recorded checkpoints.
    #[test]
    #[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
    fn every_checkpoint_agrees() {
        let shared = std::env::var("SPARRING_SHARED").unwrap();
        let recorded = std::fs::read_dir(PathBuf::from(shared).join("parity")).unwrap();
        let folders: Vec<_> =
            recorded.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
        let scores = super::hf::compare(&folders);
        assert!(scores.agrees(), "{scores}");
    }

    #[test]
    fn a_checkpoint_without_a_reference_fails_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        sparring::miniature::write_base(folder.path()).unwrap();
        let scores = super::hf::compare(&[folder.path().to_owned()]);
        assert!(!scores.agrees() && scores.to_string().contains("reference.safetensors"), "{scores}");
        assert!(!super::hf::compare(&[]).agrees());
    }

    #[test]
    fn stages_without_a_counterpart_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let other = json!({"id": "other", "stage": "state_checker"});
        let tally = edge::compare(&file(&folder, &[row(1, true), other])).unwrap();
        assert!(tally.agrees() && tally.to_string().starts_with("not covered: 1 rows of state_checker\n"));
    }
}
