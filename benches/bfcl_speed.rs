//! How fast BFCL's checks are, on one thread: `bfcl_speed AST.jsonl[.gz] DECODE.jsonl[.gz] BENCHMARK_FOLDER`.
//!
//! Prints one JSON line, `{"ast": [checks a second, valid], "text": [texts a second, valid], "text python": ...}`,
//! for `benches/peers/bfcl.py`, which runs it beside the official code. Reading the files is not counted.

use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use sparring_tools::bfcl::{Checker, Language, PyValue, ReturnFormat, decode};
use std::collections::HashMap;
use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Instant;

type Fallible<T> = Result<T, Box<dyn Error>>;
/// Functions and golds by the entry's name.
type Entries = HashMap<String, Entry>;
type Entry = (Vec<Value>, Vec<Value>);

struct Check {
    checker: Checker,
    functions: Vec<Value>,
    gold: Vec<Value>,
    output: PyValue,
}

struct Text {
    checker: Checker,
    entry: String,
    raw: String,
    format: ReturnFormat,
    tag: bool,
}

fn main() -> Fallible<()> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let [ast, texts, data] = paths.as_slice() else {
        return Err("usage: bfcl_speed AST.jsonl[.gz] DECODE.jsonl[.gz] BENCHMARK_FOLDER".into());
    };
    let checks = rows(Path::new(ast))?.iter().map(check).collect::<Fallible<Vec<_>>>()?;
    let texts = rows(Path::new(texts))?.iter().map(text).collect::<Fallible<Vec<_>>>()?;
    let entries = entries(Path::new(data))?;
    if let Some(text) = texts.iter().find(|text| !entries.contains_key(&text.entry)) {
        return Err(format!("{data}: no entry {}", text.entry).into());
    }
    let ast = rate(&checks, |check| {
        check.checker.check(&check.functions, &check.gold, black_box(&check.output)).is_valid()
    });
    // As in the official program, the entry of each text is at hand.
    let texts: Vec<_> = texts.iter().map(|text| (text, &entries[&text.entry])).collect();
    let mut rates = serde_json::Map::new();
    rates.insert("ast".to_owned(), json!(ast));
    let mut measure = |name: &str, texts: &[(&Text, &Entry)]| {
        let rate = rate(texts, |(text, (functions, gold))| {
            let decoded = decode(black_box(&text.raw), text.format, text.tag);
            decoded.is_ok_and(|output| text.checker.judge(functions, gold, &output).is_valid())
        });
        rates.insert(name.to_owned(), json!(rate));
    };
    measure("text", &texts);
    for format in ReturnFormat::ALL {
        let of_format: Vec<_> = texts.iter().filter(|(text, _)| text.format == format).copied().collect();
        measure(&format!("text {}", format.name()), &of_format);
    }
    writeln!(io::stdout(), "{}", Value::from(rates))?;
    Ok(())
}

/// Items a second, and how many are valid: the second of two passes.
fn rate<T>(items: &[T], work: impl Fn(&T) -> bool) -> (f64, usize) {
    let pass = || items.iter().filter(|item| work(item)).count();
    black_box(pass());
    let start = Instant::now();
    let valid = pass();
    (items.len() as f64 / start.elapsed().as_secs_f64(), valid)
}

fn check(row: &Value) -> Fallible<Check> {
    let language = match row["language"].as_str() {
        Some("python") => Language::Python,
        Some("java") => Language::Java,
        Some("javascript") => Language::JavaScript,
        other => return Err(format!("unknown language {other:?}").into()),
    };
    let checker = Checker::of(string(row, "category")?)
        .with_language(language)
        .with_underscore_to_dot(row["model"] == "u2d");
    let list = |key: &str| row[key].as_array().cloned().ok_or_else(|| format!("{key} should be a list"));
    let output = PyValue::from_recorded(&row["predicted"]);
    Ok(Check { checker, functions: list("functions")?, gold: list("gold")?, output })
}

fn text(row: &Value) -> Fallible<Text> {
    Ok(Text {
        checker: Checker::of(string(row, "category")?),
        entry: string(row, "entry_id")?.to_owned(),
        raw: string(row, "raw")?.to_owned(),
        format: string(row, "return_format")?.parse()?,
        tag: row["has_tool_call_tag"].as_bool().unwrap_or(false),
    })
}

fn string<'a>(row: &'a Value, key: &str) -> Fallible<&'a str> {
    row[key].as_str().ok_or_else(|| format!("{key} should be a text").into())
}

fn entries(folder: &Path) -> Fallible<Entries> {
    let mut entries = Entries::new();
    let list = |row: &Value, key: &str| row[key].as_array().cloned().unwrap_or_default();
    for path in files(folder)? {
        for row in rows(&path)? {
            entries.entry(string(&row, "id")?.to_owned()).or_default().0 = list(&row, "function");
        }
    }
    for path in files(&folder.join("possible_answer"))? {
        for row in rows(&path)? {
            entries.entry(string(&row, "id")?.to_owned()).or_default().1 = list(&row, "ground_truth");
        }
    }
    Ok(entries)
}

fn files(folder: &Path) -> Fallible<Vec<std::path::PathBuf>> {
    let paths = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = paths.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("BFCL_v4_")));
    paths.sort();
    Ok(paths)
}

fn rows(path: &Path) -> Fallible<Vec<Value>> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let plain: Box<dyn Read> = match path.extension() {
        Some(extension) if extension == "gz" => Box::new(MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    BufReader::new(plain).lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}
