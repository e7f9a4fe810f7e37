//! Makes the base model that the repository ships: a small Qwen2 that knows the miniature world's language
//! and is weak at its job.
//!
//! ```sh
//! sparring pretrain --out DIR
//! ```
//!
//! The world writes documents, many of them noisy (see `docs/miniature.md`); a byte-level BPE and then the
//! model are trained on them; every random choice comes from one seed.

mod corpus;
mod tokenizer;

use crate::errors::read_text;
use crate::miniature::print_accuracies;
use crate::numbers;
use corpus::{Corpus, Text};
use rand::seq::SliceRandom;
use sparring::candle::{AdamWConfig, CandlePolicy, ChatTokenizer, ModelConfig, PolicyOptions};
use sparring::core::{BoxError, Learner, Seed, TokenBatch, TokenGroup};
use sparring::grpo::LrSchedule;
use sparring::grpo::supervised::NegativeLogLikelihood;
use sparring::miniature::{DocumentMix, World, prompts};
use sparring::recipes::tool_r0::{GameOptions, SpecDistribution, ToolR0Game};
use sparring::train::progress::Bar;
use std::path::PathBuf;

/// Pretrains the miniature's base model.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder to write, in Hugging Face's layout.
    #[arg(long)]
    out: PathBuf,
    /// Seed of documents and weights.
    #[arg(long, default_value_t = 1, value_parser = numbers::seed)]
    seed: u64,
    /// Optimiser steps.
    #[arg(long, default_value_t = 5000, value_parser = numbers::count)]
    steps: usize,
    /// Tokens of a step, approximately.
    #[arg(long, default_value_t = 2560, value_parser = numbers::tokens)]
    tokens: usize,
    /// Peak learning rate.
    #[arg(long, default_value_t = 1.5e-3, value_parser = numbers::real::<f64>)]
    lr: f64,
    /// Threads; the result does not depend on it.
    #[arg(long, default_value_t = 2, value_parser = numbers::threads)]
    threads: usize,
    /// Evaluate and save the model every N steps; 0 is only at the end.
    #[arg(long, default_value_t = 500, value_parser = numbers::count)]
    test_every: usize,
    /// Only print N documents with their numbers of tokens.
    #[arg(long, value_parser = numbers::seed)]
    show: Option<u64>,
    /// A TOML file that says how documents are mixed (fields of `DocumentMix`).
    #[arg(long)]
    mix: Option<PathBuf>,
}

const VOCABULARY: usize = 1024;
/// Documents that the tokenizer is trained on.
const TOKENIZER_DOCUMENTS: u64 = 20_000;
/// Longest document, in tokens; longer ones are cut.
const LONGEST: usize = 448;

/// Pretrains and writes the model.
pub(crate) fn run(args: &Args) -> Result<(), BoxError> {
    let seed = Seed::new(args.seed);
    let mix: DocumentMix = match &args.mix {
        Some(path) => sparring::train::from_toml(&read_text(path, "--mix")?, &path.display().to_string())?,
        None => DocumentMix::default(),
    };
    mix.validate()?;
    let game = ToolR0Game::new(SpecDistribution::default(), &prompts(), GameOptions::default())?;
    let corpus = Corpus { world: World::new(), mix, game: &game };

    // 1. The tokenizer, from the words of the documents without their tags.
    let texts =
        (0..TOKENIZER_DOCUMENTS).map(|i| plain(&corpus.text(seed.child("tokenizer").index(i)))).collect();
    let scratch = args.show.map(|_| tempfile::tempdir()).transpose()?;
    let folder = scratch.as_ref().map_or(args.out.as_path(), tempfile::TempDir::path);
    tokenizer::train(texts, VOCABULARY, folder)?;
    if let Some(most) = args.show {
        return show(&corpus, &ChatTokenizer::from_folder(folder)?, seed.child("documents"), most);
    }

    // 2. A model with random weights.
    let options = PolicyOptions::default().with_threads(args.threads).with_adamw(
        AdamWConfig::default().with_betas(0.9, 0.95).with_weight_decay(0.05).with_grad_clip(Some(1.0)),
    );
    let config = ModelConfig::qwen2(VOCABULARY, 192, 4, 6, 512);
    let mut model =
        CandlePolicy::init(config, ChatTokenizer::from_folder(&args.out)?, options, seed.child("weights"))?;

    // 3. Next-token prediction on documents that are never repeated.
    let bar = Bar::new("pretraining", args.steps);
    let schedule = LrSchedule::cosine().with_warmup(50);
    let mut documents = Documents { corpus: &corpus, seed: seed.child("documents"), next: 0 };
    for step in 0..args.steps {
        let batch = documents.batch(model.tokenizer(), args.tokens)?;
        let loss = train_step(&mut model, &batch, schedule.at(step, args.steps, args.lr))?;
        bar.add(1, &format!("loss {loss:.3}"));
        if args.test_every > 0 && (step + 1) % args.test_every == 0 {
            model.save_pretrained(&args.out)?;
            let when = format!("step {}, loss {loss:.3}", step + 1);
            bar.suspend(|| print_accuracies(&when, &model, &game, 200))?;
        }
    }
    drop(bar);
    model.save_pretrained(&args.out)?;

    // 4. What was written is what is tested.
    let shipped = CandlePolicy::load(&args.out, PolicyOptions::default().with_threads(args.threads))?;
    print_accuracies("as written", &shipped, &game, usize::MAX)
}

fn plain(text: &Text) -> String {
    let prompt: Vec<&str> = text.prompt.iter().map(|m| m.content.as_str()).collect();
    let words = format!("{}\n{}", prompt.join("\n"), text.completion);
    words.split(['<', '>']).collect::<Vec<_>>().join("\n")
}

/// The ids of a document, without its end.
fn encode(text: &Text, tokenizer: &ChatTokenizer) -> Result<Vec<u32>, BoxError> {
    let mut ids = if text.prompt.is_empty() {
        tokenizer.encode("<|endoftext|>")?
    } else {
        tokenizer.encode_prompt(&text.prompt.clone().into())?.to_vec()
    };
    ids.extend(tokenizer.encode(&text.completion)?);
    Ok(ids)
}

#[allow(clippy::print_stdout)]
fn show(corpus: &Corpus<'_>, tokenizer: &ChatTokenizer, seed: Seed, most: u64) -> Result<(), BoxError> {
    for i in 0..most {
        let text = corpus.text(seed.index(i));
        println!("{} tokens", encode(&text, tokenizer)?.len());
        for message in &text.prompt {
            println!("[{:?}] {}", message.role, message.content);
        }
        println!("{}\n", text.completion);
    }
    Ok(())
}

/// A stream of documents as token ids.
struct Documents<'a> {
    corpus: &'a Corpus<'a>,
    seed: Seed,
    next: u64,
}

impl Documents<'_> {
    /// Documents of about `tokens` tokens together.
    fn batch(&mut self, tokenizer: &ChatTokenizer, tokens: usize) -> Result<Vec<Vec<u32>>, BoxError> {
        let end = tokenizer.token_id("<|im_end|>").ok_or("the tokenizer has no <|im_end|>")?;
        let mut batch = Vec::new();
        let mut total = 0;
        while total < tokens {
            let mut ids = encode(&self.corpus.text(self.seed.index(self.next)), tokenizer)?;
            self.next += 1;
            ids.push(end);
            ids.truncate(LONGEST);
            total += ids.len();
            batch.push(ids);
        }
        batch.shuffle(&mut self.seed.index(self.next).rng());
        Ok(batch)
    }
}

/// One optimiser step. The parts are those that the shipped base was made with: its bits depend on them.
fn train_step(model: &mut CandlePolicy, batch: &[Vec<u32>], lr: f64) -> Result<f64, BoxError> {
    let groups: Vec<TokenGroup<'_>> =
        batch.iter().map(|ids| TokenGroup::new(&ids[..1], vec![&ids[1..]])).collect();
    let tokens = TokenBatch::new(&groups, 1.0).completion_tokens();
    let loss = NegativeLogLikelihood { weight: 1.0 / tokens as f64 };
    let mut total = 0.0;
    for part in groups.chunks(24) {
        total += model.accumulate(TokenBatch::new(part, 1.0), &loss)?;
    }
    model.step(lr)?;
    Ok(total)
}
