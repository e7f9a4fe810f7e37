//! Properties of any bytes as the files of a benchmark, shared by the fuzz target and the test over its corpus.
use sparring_eval::Suite;
use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// Names under which the suites look for files.
const FILES: [&str; 13] = [
    "BFCL_v4_simple_python.json",
    "possible_answer/BFCL_v4_simple_python.json",
    "eval_real.json",
    "eval_simulated.json",
    "test_in_domain.jsonl",
    "test_out_domain.jsonl",
    "tool.jsonl",
    "standardized_queries.jsonl",
    "standardized_api_list.jsonl",
    "level-1-given-desc/x.jsonl",
    "apibank_l1.json",
    "validate_Play.json",
    "x.jsonl",
];

/// The first byte chooses the suite, and whether files are zipped; the others are the content of each of its files. The
/// folder `dir` is emptied first.
///
/// # Panics
/// If two items have one id, or an error is not one line that names a file of the folder.
pub(crate) fn check(data: &[u8], dir: &Path) {
    let [choice, bytes @ ..] = data else { return };
    let suite = Suite::ALL[usize::from(*choice) % Suite::ALL.len()];
    let zipped = choice & 0x80 != 0;
    let _ = fs::remove_dir_all(dir);
    for name in FILES.iter().filter(|name| suite == Suite::Unified || **name != "x.jsonl") {
        let path = dir.join(if zipped { format!("{name}.gz") } else { (*name).to_owned() });
        fs::create_dir_all(path.parent().unwrap_or(dir)).unwrap();
        fs::write(path, bytes).unwrap();
    }
    // One of the files is enough for the unified form, which reads all that are there.
    let data = if suite == Suite::Unified && !zipped { dir.join("x.jsonl") } else { dir.to_owned() };
    match suite.load(&data, &[]) {
        Ok(loaded) => {
            let ids: HashSet<&str> = loaded.items.iter().map(|item| item.id.as_str()).collect();
            assert!(!ids.is_empty() && ids.len() == loaded.items.len());
        }
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains(&dir.display().to_string()), "{error}");
        }
    }
}
