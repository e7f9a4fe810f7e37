//! Speed of BFCL's checks on one thread: `bfcl_speed AST.jsonl[.gz] DECODE.jsonl[.gz] BENCHMARK_FOLDER`.
//!
//! Prints one JSON line, `{"ast": [checks a second, valid], "text": [texts a second, valid], "text python": ...}`,
//! for `benches/peers/bfcl.py`, which alternates it with the official code. Reading the files is not counted. Rows with
//! equal functions or golds share them, as rows from the benchmark's files do.

use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use sparring_bfcl::{Checker, Language, PyValue, ReturnFormat, decode};
use std::collections::HashMap;
use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Fallible<T> = Result<T, Box<dyn Error>>;
/// Functions or golds.
type List = Rc<[Value]>;
/// Functions and golds by the entry's name.
type Entries = HashMap<String, (Option<List>, Option<List>)>;

/// An output to judge, with its entry.
struct Item<T> {
    checker: Checker,
    functions: List,
    gold: List,
    given: T,
}

struct Text {
    raw: String,
    format: ReturnFormat,
    tag: bool,
}

impl Item<Text> {
    fn output(&self) -> Option<PyValue> {
        decode(black_box(&self.given.raw), self.given.format, self.given.tag).ok()
    }
}

fn main() -> Fallible<()> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let [ast, texts, data] = paths.as_slice() else {
        return Err("usage: bfcl_speed AST.jsonl[.gz] DECODE.jsonl[.gz] BENCHMARK_FOLDER".into());
    };
    let mut shared = HashMap::new();
    let checks =
        rows(Path::new(ast))?.iter().map(|row| check(row, &mut shared)).collect::<Fallible<Vec<_>>>()?;
    let entries = entries(Path::new(data))?;
    let texts =
        rows(Path::new(texts))?.iter().map(|row| text(row, &entries)).collect::<Fallible<Vec<_>>>()?;
    let ast = rate(&checks, |item| {
        item.checker.check(&item.functions, &item.gold, black_box(&item.given)).is_valid()
    });
    let mut rates = serde_json::Map::new();
    rates.insert("ast".to_owned(), json!(ast));
    let mut measure = |name: &str, texts: &[&Item<Text>]| {
        let rate = rate(texts, |item| {
            let judge = |output: &PyValue| item.checker.judge(&item.functions, &item.gold, output).is_valid();
            item.output().as_ref().is_some_and(judge)
        });
        rates.insert(name.to_owned(), json!(rate));
    };
    measure("text", &texts.iter().collect::<Vec<_>>());
    for format in ReturnFormat::ALL {
        let of_format: Vec<_> = texts.iter().filter(|item| item.given.format == format).collect();
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

fn check(row: &Value, shared: &mut HashMap<String, List>) -> Fallible<Item<PyValue>> {
    let language = match row["language"].as_str() {
        Some("python") => Language::Python,
        Some("java") => Language::Java,
        Some("javascript") => Language::JavaScript,
        other => return Err(format!("unknown language {other:?}").into()),
    };
    let checker = Checker::of(string(row, "category")?)
        .with_language(language)
        .with_underscore_to_dot(row["model"] == "u2d");
    let mut list = |key: &str| {
        let list = list(row, key).ok_or_else(|| format!("{key} should be a list"))?;
        Fallible::Ok(Rc::clone(shared.entry(row[key].to_string()).or_insert(list)))
    };
    let (functions, gold) = (list("functions")?, list("gold")?);
    Ok(Item { checker, functions, gold, given: PyValue::from_recorded(&row["predicted"]) })
}

fn text(row: &Value, entries: &Entries) -> Fallible<Item<Text>> {
    let id = string(row, "entry_id")?;
    let Some((Some(functions), Some(gold))) = entries.get(id) else {
        return Err(format!("no entry {id}").into());
    };
    let given = Text {
        raw: string(row, "raw")?.to_owned(),
        format: string(row, "return_format")?.parse()?,
        tag: row["has_tool_call_tag"].as_bool().unwrap_or(false),
    };
    let checker = Checker::of(string(row, "category")?);
    Ok(Item { checker, functions: Rc::clone(functions), gold: Rc::clone(gold), given })
}

fn list(row: &Value, key: &str) -> Option<List> {
    row[key].as_array().map(|list| list.as_slice().into())
}

fn string<'a>(row: &'a Value, key: &str) -> Fallible<&'a str> {
    row[key].as_str().ok_or_else(|| format!("{key} should be a text").into())
}

fn entries(folder: &Path) -> Fallible<Entries> {
    let mut entries = Entries::new();
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
