//! The cost of constrained decoding in sampling, on one thread: `guided_speed MODEL [ROUNDS]`.
//!
//! `MODEL` is a folder or a GGUF file. Each round samples a group of 24 completions of 100 tokens freely, under a
//! grammar of calls of seven tools, and under one of a JSON string, in this order, with the same prompt and length.
//! Prints one JSON line for each grammar and round, in milliseconds of processor time, which other load on the machine
//! changes little: sampling freely and under the grammar, their ratio, the time inside the hook's methods and its
//! share, the share of tokens that the hook forced, and sampling under a hook that gives no masks before the logits, so
//! that all logits are computed. Fails if that changes a bit of a completion.

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, json};
use sparring_candle::{CandlePolicy, PolicyOptions};
use sparring_core::{
    Hook, HookState, LogitHook, Message, PolicyError, Rollout, SampleRequest, Sampler, SamplingParams, Seed,
    TokenMask,
};
use sparring_guided::{CallGrammar, Guide, Vocabulary};
use sparring_tools::{Format, ToolSpec};
use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const GROUP: usize = 24;
const TOKENS: usize = 100;

/// Nanoseconds of processor time of the process or a thread.
fn spent(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// What hooks did, over all threads.
#[derive(Default)]
struct Spent {
    nanoseconds: AtomicU64,
    forced: AtomicU64,
}

impl Spent {
    fn count<T>(&self, work: impl FnOnce() -> T) -> T {
        let start = spent(ClockId::ThreadCPUTime);
        let out = work();
        self.nanoseconds.fetch_add(spent(ClockId::ThreadCPUTime) - start, Ordering::Relaxed);
        out
    }
}

/// A hook whose time is taken.
struct Timed {
    hook: Hook,
    /// Whether it gives masks before the logits.
    masks: bool,
    spent: Arc<Spent>,
}

struct TimedState<'a> {
    /// `None` once dropped.
    state: Option<Box<dyn HookState + 'a>>,
    hook: &'a Timed,
}

impl LogitHook for Timed {
    fn start<'a>(&'a self, prompt: &'a [u32]) -> Box<dyn HookState + 'a> {
        let state = Some(self.spent.count(|| self.hook.start(prompt)));
        Box::new(TimedState { state, hook: self })
    }
}

impl TimedState<'_> {
    fn count<T>(&mut self, work: impl FnOnce(&mut dyn HookState) -> T, none: T) -> T {
        match &mut self.state {
            Some(state) => self.hook.spent.count(|| work(&mut **state)),
            None => none,
        }
    }
}

impl HookState for TimedState<'_> {
    fn apply(&mut self, logits: &mut [f32]) -> Result<(), PolicyError> {
        self.count(|state| state.apply(logits), Ok(()))
    }

    fn mask(&mut self, vocab_size: usize) -> Result<Option<TokenMask>, PolicyError> {
        if !self.hook.masks {
            return Ok(None);
        }
        let mask = self.count(|state| state.mask(vocab_size), Ok(None))?;
        let forced = matches!(mask, Some(TokenMask::Only(_)));
        self.hook.spent.forced.fetch_add(u64::from(forced), Ordering::Relaxed);
        Ok(mask)
    }

    fn accept(&mut self, token: u32) -> Result<(), PolicyError> {
        self.count(|state| state.accept(token), Ok(()))
    }
}

impl Drop for TimedState<'_> {
    fn drop(&mut self) {
        let state = self.state.take();
        self.hook.spent.count(|| drop(state));
    }
}

/// Tools with required and optional parameters of several types.
fn tools() -> Vec<ToolSpec> {
    let text = || json!({"type": "string"});
    let tool = |name: &str, what: &str| ToolSpec::new(name, what, Map::default(), vec![]);
    vec![
        tool("get_weather", "The weather of a city").with_parameter("city", text(), true).with_parameter(
            "unit",
            json!({"type": "string", "enum": ["celsius", "fahrenheit"]}),
            false,
        ),
        tool("book_table", "Books a table in a restaurant")
            .with_parameter("restaurant", text(), true)
            .with_parameter("guests", json!({"type": "integer", "minimum": 1, "maximum": 20}), true)
            .with_parameter("outside", json!({"type": "boolean"}), false),
        tool("send_message", "Sends a message").with_parameter("recipient", text(), true).with_parameter(
            "body",
            text(),
            true,
        ),
        tool("convert_currency", "Converts an amount")
            .with_parameter("amount", json!({"type": "number"}), true)
            .with_parameter("from", text(), true)
            .with_parameter("to", text(), true),
        tool("set_timer", "Sets a timer").with_parameter("minutes", json!({"type": "integer"}), true),
        tool("find_route", "Finds a route")
            .with_parameter("from", text(), true)
            .with_parameter("to", text(), true)
            .with_parameter("stops", json!({"type": "array", "items": {"type": "string"}}), false),
        tool("play_song", "Plays a song").with_parameter("title", text(), true).with_parameter(
            "artist",
            text(),
            false,
        ),
    ]
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (model, rounds) = match arguments.as_slice() {
        [model] => (model, 3),
        [model, rounds] => (model, rounds.parse()?),
        _ => return Err("usage: guided_speed MODEL [ROUNDS]".into()),
    };
    let policy = CandlePolicy::load(model, PolicyOptions::default().with_threads(1))?;
    let tokenizer = policy.tokenizer();
    let guide = Guide::new(&Vocabulary::new(tokenizer.token_bytes(), tokenizer.end_tokens().collect())?)?;
    // So many calls, and so long a string, that no completion ends by itself.
    let calls = CallGrammar::new(Format::Hermes).with_calls(20..=40).with_string_chars(40);
    let string = json!({"type": "string", "minLength": 20 * TOKENS});
    let grammars = [
        ("calls", Hook::new(guide.calls(&tools(), &calls)?)),
        ("string", Hook::new(guide.json_schema(string)?)),
    ];
    let prompt =
        vec![Message::user("Plan an evening in Rome for two: weather, dinner, the way there, music.")];
    let params = SamplingParams::default().with_max_tokens(TOKENS).with_min_tokens(TOKENS);
    let sample = |seed: u64, hook: Option<Hook>| -> Result<(f64, Vec<Rollout>), Box<dyn Error>> {
        let request = SampleRequest::new(prompt.clone(), GROUP, params.clone(), Seed::new(seed));
        let start = spent(ClockId::ProcessCPUTime);
        let group = policy.sample_one(&request.with_shared_hook(hook))?;
        let time = spent(ClockId::ProcessCPUTime) - start;
        match group.iter().find(|rollout| rollout.tokens.len() != TOKENS) {
            Some(short) => Err(format!("a completion has {} tokens", short.tokens.len()).into()),
            None => Ok((time as f64 / 1e6, group)),
        }
    };
    sample(0, None)?;
    for round in 0..rounds {
        let (free, _) = sample(round, None)?;
        for (grammar, hook) in &grammars {
            let timed = |masks| {
                let spent = Arc::new(Spent::default());
                let hook = Timed { hook: hook.clone(), masks, spent: Arc::clone(&spent) };
                Ok::<_, Box<dyn Error>>((sample(round, Some(Hook::new(hook)))?, spent))
            };
            let ((guided, group), spent) = timed(true)?;
            let ((whole_head, same), _) = timed(false)?;
            if group != same {
                return Err("completions depend on whether the hook gives masks".into());
            }
            let hooks = spent.nanoseconds.load(Ordering::Relaxed) as f64 / 1e6;
            let forced = spent.forced.load(Ordering::Relaxed) as f64 / (GROUP * TOKENS) as f64;
            let line = json!({
                "grammar": grammar, "free_ms": free, "guided_ms": guided, "ratio": guided / free,
                "hooks_ms": hooks, "share": hooks / guided, "forced": forced, "whole_head_ms": whole_head,
            });
            writeln!(std::io::stdout(), "{line}")?;
        }
    }
    Ok(())
}
