//! The report: scores, intervals, errors and failures.

use crate::bfcl::{Category, Leaderboard, leaderboard};
use crate::files::write_atomically;
use crate::{
    Answer, AnswerReader, Benchmark, Defect, EvalError, Expected, Interval, Item, Overlap, OverlapRule,
    Reading, Tally, Verdict,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// What was run, as described by the caller: model, prompts, limits, data.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub run: Value,
    /// The benchmark.
    pub benchmark: String,
    /// How answers were graded.
    pub grader: String,
    /// How answers were read.
    pub format: String,
    /// Over all items.
    pub total: Share,
    /// By category, in the order of the benchmark.
    pub categories: Vec<CategoryShare>,
    /// The leaderboard's totals, for BFCL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaderboard: Option<Leaderboard>,
    /// Precision and recall of names and arguments, for benchmarks with gold calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overlap: Vec<OverlapShare>,
    /// Wrong answers by kind of error.
    pub errors: BTreeMap<String, usize>,
    /// Answers that the length limit cut off.
    pub truncated: usize,
    /// Prompts that the backend refused.
    pub refused: usize,
    /// Items without an answer; `total` excludes them.
    pub unanswered: usize,
    /// Items with known defects, by kind of defect; they still count.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub defects: BTreeMap<Defect, Vec<String>>,
}

/// A count, its share and the share's 95 % Wilson interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Right answers and all items.
    #[serde(flatten)]
    pub tally: Tally,
    /// `valid / total`.
    pub accuracy: f64,
    /// 95 %, Wilson.
    pub interval: Interval,
}

/// One category's share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CategoryShare {
    /// The category.
    pub category: String,
    /// Its share.
    #[serde(flatten)]
    pub share: Share,
    /// Its wrong answers by kind of error.
    #[serde(default)]
    pub errors: BTreeMap<String, usize>,
}

/// Precision, recall and F1 under one rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OverlapShare {
    /// Whose rule.
    pub rule: OverlapRule,
    /// The counts.
    #[serde(flatten)]
    pub overlap: Overlap,
    /// F1 of call names.
    pub calls_f1: f64,
    /// F1 of arguments.
    pub arguments_f1: f64,
}

/// A wrong answer and its reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// The item.
    pub id: String,
    /// Its category.
    pub category: String,
    /// The kind of error.
    pub error: String,
    /// What is wrong.
    pub why: String,
    /// The model's answer.
    pub text: String,
    /// Known defects of the item.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defects: Vec<Defect>,
}

impl Report {
    /// Sets the description of what was run.
    #[must_use]
    pub fn with_run(mut self, run: Value) -> Self {
        self.run = run;
        self
    }
}

impl From<Tally> for Share {
    fn from(tally: Tally) -> Self {
        Self { tally, accuracy: tally.accuracy(), interval: tally.interval() }
    }
}

/// Reads and grades the answers.
pub fn score(
    benchmark: &Benchmark,
    reader: &AnswerReader,
    answers: &BTreeMap<String, Answer>,
) -> (Report, Vec<Failure>) {
    let mut count = Counter::default();
    for item in &benchmark.items {
        count.add(item, answers.get(&item.id), reader, benchmark);
    }
    count.finish(benchmark, reader)
}

#[derive(Default)]
struct Counter {
    total: Tally,
    categories: Vec<CategoryCount>,
    bfcl: BTreeMap<Category, Tally>,
    overlaps: [Overlap; 2],
    errors: BTreeMap<String, usize>,
    defects: BTreeMap<Defect, Vec<String>>,
    failures: Vec<Failure>,
    truncated: usize,
    refused: usize,
    unanswered: usize,
}

struct CategoryCount {
    name: String,
    tally: Tally,
    errors: BTreeMap<String, usize>,
}

const RULES: [OverlapRule; 2] = [OverlapRule::Hammer, OverlapRule::SealTools];

impl Counter {
    fn add(&mut self, item: &Item, answer: Option<&Answer>, reader: &AnswerReader, benchmark: &Benchmark) {
        let Some(answer) = answer else {
            self.unanswered += 1;
            return;
        };
        self.truncated += usize::from(answer.truncated);
        for defect in &item.defects {
            self.defects.entry(defect.clone()).or_default().push(item.id.clone());
        }
        let verdict = if let Some(why) = &answer.refused {
            self.refused += 1;
            self.add_overlap(item, &Reading::Calls(Vec::new()));
            Verdict::wrong("refused", why)
        } else {
            let reading = reader.read(item, &answer.text);
            self.add_overlap(item, &reading);
            benchmark.grader.grade(item, &reading)
        };
        self.add_verdict(item, answer, verdict);
    }

    fn add_verdict(&mut self, item: &Item, answer: &Answer, verdict: Verdict) {
        self.total.count(verdict.valid);
        let known = self.categories.iter().position(|category| category.name == item.category);
        let place = known.unwrap_or_else(|| {
            let (name, errors) = (item.category.clone(), BTreeMap::new());
            self.categories.push(CategoryCount { name, tally: Tally::default(), errors });
            self.categories.len() - 1
        });
        self.categories[place].tally.count(verdict.valid);
        if let Expected::Bfcl(entry) = &item.expected {
            self.bfcl.entry(entry.category).or_default().count(verdict.valid);
        }
        if verdict.valid {
            return;
        }
        let error = verdict.error.unwrap_or_else(|| "wrong".to_owned());
        *self.errors.entry(error.clone()).or_default() += 1;
        *self.categories[place].errors.entry(error.clone()).or_default() += 1;
        self.failures.push(Failure {
            id: item.id.clone(),
            category: item.category.clone(),
            error,
            why: verdict.why,
            text: answer.text.clone(),
            defects: item.defects.clone(),
        });
    }

    fn add_overlap(&mut self, item: &Item, reading: &Reading) {
        if let Expected::Calls(gold) = &item.expected {
            for (rule, overlap) in RULES.into_iter().zip(&mut self.overlaps) {
                overlap.add(rule, gold, reading.calls());
            }
        }
    }

    fn finish(self, benchmark: &Benchmark, reader: &AnswerReader) -> (Report, Vec<Failure>) {
        let overlap = RULES.into_iter().zip(self.overlaps).filter(|(_, overlap)| overlap.calls.gold > 0);
        let overlap = overlap.map(|(rule, overlap)| OverlapShare {
            rule,
            overlap,
            calls_f1: overlap.calls.f1(),
            arguments_f1: overlap.arguments.f1(),
        });
        let categories = self.categories.into_iter();
        let report = Report {
            run: Value::Null,
            benchmark: benchmark.name.clone(),
            grader: benchmark.grader.name().to_owned(),
            format: reader.name().to_owned(),
            total: self.total.into(),
            categories: categories
                .map(|count| CategoryShare {
                    category: count.name,
                    share: count.tally.into(),
                    errors: count.errors,
                })
                .collect(),
            leaderboard: (!self.bfcl.is_empty()).then(|| leaderboard(&self.bfcl)),
            overlap: overlap.collect(),
            errors: self.errors,
            truncated: self.truncated,
            refused: self.refused,
            unanswered: self.unanswered,
            defects: self.defects,
        };
        (report, self.failures)
    }
}

/// Writes `report.json`, `report.txt` (the same as a table) and `failures.jsonl`. Each file is whole or absent.
///
/// # Errors
/// [`EvalError::Io`] names the file.
pub fn write_report(dir: &Path, report: &Report, failures: &[Failure]) -> Result<(), EvalError> {
    let json = |path: &Path, text: serde_json::Result<String>| {
        text.map_err(|error| EvalError::io(path, error.into())).map(|text| text + "\n")
    };
    let path = dir.join("report.json");
    write_atomically(&path, json(&path, serde_json::to_string_pretty(report))?.as_bytes())?;
    write_atomically(&dir.join("report.txt"), format!("{report}\n").as_bytes())?;
    let path = dir.join("failures.jsonl");
    let lines: Result<String, _> =
        failures.iter().map(|failure| json(&path, serde_json::to_string(failure))).collect();
    write_atomically(&path, lines?.as_bytes())
}
