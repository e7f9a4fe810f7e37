//! A hook that gives its masks before the logits changes no bit of a completion.
#![allow(clippy::unwrap_used)]

mod support;

use proptest::prelude::*;
use sparring_candle::{CandlePolicy, ModelConfig};
use sparring_core::{
    HookState, LogitHook, PolicyError, Rollout, SampleRequest, Sampler, SamplingParams, Seed, TokenBatch,
    TokenGroup, TokenMask,
};
use support::backend::{Backend, on_both};

/// More than a hundred panels of the output matrix, the last one not whole.
const VOCABULARY: usize = 1999;

/// A toy grammar: a random automaton whose states allow one token, a few, many or all.
#[derive(Clone)]
struct Automaton {
    /// The tokens that each state allows; of one state, all.
    allowed: Vec<Vec<u32>>,
    /// Whether masks are given before the logits.
    masks: bool,
}

impl Automaton {
    fn new(seed: Seed, vocab_size: u32) -> Self {
        let mut rng = seed.rng();
        let mut tokens = |n: usize| (0..n).map(|_| rng.below(vocab_size as usize) as u32).collect();
        let mut allowed: Vec<Vec<u32>> = [1, 1, 2, 4, 7, 300].map(&mut tokens).into();
        // The end token, which `min_tokens` may forbid.
        allowed[3].push(2);
        allowed.push((0..vocab_size).collect());
        Self { allowed, masks: true }
    }

    fn without_masks(&self) -> Self {
        Self { masks: false, ..self.clone() }
    }
}

struct State<'a> {
    automaton: &'a Automaton,
    at: usize,
}

impl State<'_> {
    fn next(&self, vocab_size: usize) -> TokenMask {
        TokenMask::from_tokens(self.automaton.allowed[self.at].iter().copied(), vocab_size)
    }
}

impl LogitHook for Automaton {
    fn start<'a>(&'a self, prompt: &'a [u32]) -> Box<dyn HookState + 'a> {
        Box::new(State { automaton: self, at: prompt.len() % self.allowed.len() })
    }
}

impl HookState for State<'_> {
    fn apply(&mut self, logits: &mut [f32]) -> Result<(), PolicyError> {
        for (token, logit) in (0..).zip(logits) {
            if !self.automaton.allowed[self.at].contains(&token) {
                *logit = f32::NEG_INFINITY;
            }
        }
        Ok(())
    }

    fn accept(&mut self, token: u32) -> Result<(), PolicyError> {
        self.at = (self.at + token as usize * 7 + 1) % self.automaton.allowed.len();
        Ok(())
    }

    fn mask(&mut self, vocab_size: usize) -> Result<Option<TokenMask>, PolicyError> {
        Ok(self.automaton.masks.then(|| self.next(vocab_size)))
    }
}

fn model(vocab_size: usize, seed: u64) -> CandlePolicy {
    let mut config = ModelConfig::qwen2(vocab_size, 16, 2, 4, 24).with_kv_heads(2).with_max_positions(96);
    config.initializer_range = 0.3;
    CandlePolicy::init(config, support::tokenizer(vocab_size), support::options(), Seed::new(seed)).unwrap()
}

fn requests(params: &SamplingParams, seed: Seed, hook: &Automaton) -> Vec<SampleRequest> {
    let prompts = [vec![5, 6, 7], vec![9], vec![8; 70], vec![3, 1, 4, 1]];
    let request = |(i, prompt): (u64, Vec<u32>)| {
        let request = SampleRequest::new(prompt, 3, params.clone(), seed.index(i));
        if i == 1 { request } else { request.with_hook(hook.clone()) }
    };
    (0..).zip(prompts).map(request).collect()
}

/// Tokens and the bits of their log-probabilities.
type Bits = (Vec<u32>, Vec<u32>);

fn bits(rollouts: &[Result<Vec<Rollout>, PolicyError>]) -> Vec<Result<Vec<Bits>, String>> {
    let one = |rollout: &Rollout| {
        (rollout.tokens.clone(), rollout.logp.iter().map(|logp| logp.to_bits()).collect())
    };
    let group = |group: &Result<Vec<Rollout>, PolicyError>| {
        group.as_ref().map(|group| group.iter().map(one).collect()).map_err(ToString::to_string)
    };
    rollouts.iter().map(group).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn masks_before_the_logits_change_no_bit(
        seed: u64,
        vocab_size in prop::sample::select(vec![40, 300, VOCABULARY]),
        temperature in prop::sample::select(vec![0.0_f32, 0.7, 1.0]),
        penalty in prop::sample::select(vec![1.0_f32, 1.3]),
        (top_k, min_tokens) in (0..4_usize, 0..16_usize),
        (threads, rows) in (1..=3_usize, 1..=9_usize),
    ) {
        let params = SamplingParams::default().with_max_tokens(16).with_min_tokens(min_tokens);
        let params = params.with_temperature(temperature).with_top_k(top_k).with_repetition_penalty(penalty);
        let (seed, hook) = (Seed::new(seed), Automaton::new(Seed::new(seed).child("hook"), vocab_size as u32));
        let mut policy = model(vocab_size, seed.child("model").value());
        policy.set_options(support::options().with_threads(threads).with_decode_rows(rows)).unwrap();
        let with = policy.sample(&requests(&params, seed, &hook));
        let without = policy.sample(&requests(&params, seed, &hook.without_masks()));
        prop_assert_eq!(bits(&with), bits(&without));
    }
}

on_both!(
    what_masks_left_out_can_be_scored,
    a_mask_that_fails_fails_its_request_only,
    a_token_beyond_the_vocabulary_is_an_error,
);

fn what_masks_left_out_can_be_scored<B: Backend>() {
    let policy = B::tiny(21);
    let params = SamplingParams::default().with_max_tokens(30);
    let mut forced = 0;
    for seed in 0..12 {
        let (prompt, hook) = (vec![5, 6], Automaton::new(Seed::new(seed), 40));
        let request = SampleRequest::new(prompt.clone(), 3, params.clone(), Seed::new(8)).with_hook(hook);
        let rollouts = policy.sample_one(&request).unwrap();
        let completions = rollouts.iter().map(|rollout| rollout.tokens.as_slice()).collect();
        let group = [TokenGroup::new(&prompt, completions).with_hook(request.hook.as_ref())];
        let scores = policy.score(TokenBatch::new(&group, 1.0)).unwrap();
        for (score, drawn) in scores.iter().zip(rollouts.iter().flat_map(|rollout| &rollout.logp)) {
            assert!((score - drawn).abs() < 1e-5);
            forced += usize::from(drawn.to_bits() == 0);
        }
    }
    assert!(forced > 30, "{forced}");
}

/// A state that fails where it is asked for its mask.
struct Fails(usize);

impl HookState for Fails {
    fn apply(&mut self, _: &mut [f32]) -> Result<(), PolicyError> {
        Ok(())
    }

    fn accept(&mut self, _: u32) -> Result<(), PolicyError> {
        self.0 += 1;
        Ok(())
    }

    fn mask(&mut self, vocab_size: usize) -> Result<Option<TokenMask>, PolicyError> {
        match self.0 {
            0..4 => Ok(Some(TokenMask::from_tokens([7, 9], vocab_size))),
            4 => Err(PolicyError::invalid("the mask failed")),
            _ => Err(PolicyError::invalid("asked again after an error")),
        }
    }
}

struct Failing;

impl LogitHook for Failing {
    fn start<'a>(&'a self, _: &'a [u32]) -> Box<dyn HookState + 'a> {
        Box::new(Fails(0))
    }
}

fn a_mask_that_fails_fails_its_request_only<B: Backend>() {
    let params = SamplingParams::default().with_max_tokens(8);
    let request = SampleRequest::new(vec![5], 2, params, Seed::new(1));
    let policy = B::tiny(21);
    let answers = policy.sample(&[request.clone(), request.clone().with_hook(Failing)]);
    assert_eq!(answers[0].as_ref().unwrap(), &policy.sample_one(&request).unwrap());
    assert_eq!(answers[1].as_ref().unwrap_err().to_string(), "the mask failed");
}

/// Allows tokens that do not exist.
#[derive(Clone)]
struct Beyond(TokenMask);

impl LogitHook for Beyond {
    fn start<'a>(&'a self, _: &'a [u32]) -> Box<dyn HookState + 'a> {
        Box::new(self.clone())
    }
}

impl HookState for Beyond {
    fn apply(&mut self, logits: &mut [f32]) -> Result<(), PolicyError> {
        logits.fill(f32::NEG_INFINITY);
        Ok(())
    }

    fn accept(&mut self, _: u32) -> Result<(), PolicyError> {
        Ok(())
    }

    fn mask(&mut self, _: usize) -> Result<Option<TokenMask>, PolicyError> {
        Ok(Some(self.0.clone()))
    }
}

fn a_token_beyond_the_vocabulary_is_an_error<B: Backend>() {
    let policy = B::tiny(21);
    let sample = |words: TokenMask| {
        let params = SamplingParams::default().with_max_tokens(8);
        policy.sample_one(&SampleRequest::new(vec![5], 2, params, Seed::new(1)).with_hook(Beyond(words)))
    };
    for beyond in [TokenMask::Only(40), TokenMask::Some([1 << 40].into()), TokenMask::Some([0, 1].into())] {
        let error = sample(beyond).unwrap_err().to_string();
        assert!(error.contains("leave no token to draw"), "{error}");
    }
    let group = sample(TokenMask::Some([1 << 7 | 1 << 63, 1].into())).unwrap();
    assert!(group.iter().all(|rollout| rollout.tokens == [7; 8]));
}
