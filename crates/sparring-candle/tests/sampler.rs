//! The laws of `Sampler`, on tiny models.
#![allow(clippy::unwrap_used)]

mod support;

use proptest::prelude::*;
use sparring_candle::{CandlePolicy, ChatTokenizer, ModelConfig, ModelFamily};
use sparring_core::{
    AllowTokens, Encoder, Finish, LogitHook, Message, OneOf, PolicyError, Prompt, Rollout, SampleRequest,
    Sampler, SamplingParams, Scorer, Seed, TokenBatch, TokenGroup,
};

fn request(prompt: Vec<u32>, n: usize, seed: u64) -> SampleRequest {
    let params = SamplingParams::default().with_max_tokens(20);
    SampleRequest::new(prompt, n, params, Seed::new(seed))
}

fn with_rows(threads: usize, rows: usize) -> CandlePolicy {
    let mut policy = support::tiny(21);
    policy.set_options(support::options().with_threads(threads).with_decode_rows(rows)).unwrap();
    policy
}

/// Requests of all sorts of lengths; one prompt is longer than a page of the cache.
fn requests() -> Vec<SampleRequest> {
    vec![
        request(vec![5, 6, 7], 7, 1),
        request(vec![9], 3, 2),
        request((0..70).map(|i| i % 40).collect(), 4, 3),
        request(vec![1, 2], 0, 4),
        request(vec![30; 20], 1, 5),
    ]
}

#[test]
fn batch_order_and_threads_change_nothing() {
    let requests = requests();
    let alone: Vec<Vec<Rollout>> = requests.iter().map(|r| with_rows(1, 1).sample_one(r).unwrap()).collect();
    for (threads, rows) in [(1, 64), (2, 64), (2, 3), (5, 2)] {
        let policy = with_rows(threads, rows);
        assert_eq!(policy.sample_all(&requests).unwrap(), alone, "{threads} threads, {rows} rows");
        let mut reversed = requests.clone();
        reversed.reverse();
        let mut groups = policy.sample_all(&reversed).unwrap();
        groups.reverse();
        assert_eq!(groups, alone);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Alone, a prompt shares nothing.
    #[test]
    fn prompts_that_begin_alike_change_no_completion(
        seed: u64,
        counts in prop::collection::vec(1..5_usize, 2..10),
        threads in 1..=4_usize,
        rows in 1..=9_usize,
    ) {
        let policy = |threads: usize, rows: usize, share: bool| {
            let options = support::options().with_threads(threads).with_decode_rows(rows);
            let options = options.with_share_prefixes(share);
            let config = support::tiny_config().with_max_positions(400);
            CandlePolicy::init(config, support::tokenizer(40), options, Seed::new(5)).unwrap()
        };
        let prompts = support::branching(seed, counts.len(), 330).into_iter().zip(&counts);
        let requests: Vec<_> = (seed..).zip(prompts).map(|(seed, (p, n))| request(p, *n, seed)).collect();
        let alone: Vec<_> = requests.iter().map(|r| policy(1, 8, true).sample_one(r).unwrap()).collect();
        for share in [true, false] {
            prop_assert!(policy(threads, rows, share).sample_all(&requests).unwrap() == alone);
        }
    }
}

#[test]
fn completion_i_does_not_depend_on_n() {
    let policy = with_rows(2, 64);
    let many = policy.sample_one(&request(vec![3, 4], 9, 6)).unwrap();
    let few = policy.sample_one(&request(vec![3, 4], 2, 6)).unwrap();
    assert_eq!(many[..2], few[..]);
    assert_ne!(many[0].tokens, many[1].tokens);
}

/// The same with heads of other widths.
fn wide(family: ModelFamily, dim: usize) -> CandlePolicy {
    let mut config =
        ModelConfig::new(family, 40, 16, 2, 4, 24).with_kv_heads(2).with_head_dim(dim).with_max_positions(96);
    config.initializer_range = 0.3;
    let config = support::with_options(config, true, Some(7));
    CandlePolicy::init(config, support::tokenizer(40), support::options(), Seed::new(22)).unwrap()
}

#[test]
fn scores_are_the_samplers_own_log_probabilities() {
    let families = ModelFamily::ALL.into_iter().zip([64, 20, 32, 12, 16, 48, 24, 8, 4]);
    for policy in families.map(|(family, dim)| wide(family, dim)).chain([with_rows(2, 64)]) {
        for temperature in [0.6, 1.0, 1.7] {
            compare_scores(&policy, temperature);
        }
    }
}

fn compare_scores(policy: &CandlePolicy, temperature: f32) {
    let mut requests = requests();
    for r in &mut requests {
        r.params.temperature = temperature;
    }
    for group in policy.sample_all(&requests).unwrap().iter().filter(|g| !g.is_empty()) {
        let groups = [TokenGroup::new(&group[0].prompt, group.iter().map(|r| r.tokens.as_slice()).collect())];
        let scores = policy.score(TokenBatch::new(&groups, temperature)).unwrap();
        let own = group.iter().flat_map(|r| &r.logp);
        for (score, own) in scores.iter().zip(own) {
            assert!((score - own).abs() < 2e-5 * own.abs().max(1.0), "{score} {own}");
        }
    }
}

#[test]
fn the_first_token_follows_the_softmax() {
    let policy = with_rows(2, 64);
    let prompt = vec![11, 12, 13];
    let logits = policy.logits(&prompt).unwrap()[2 * 40..].to_vec();
    let z: f64 = logits.iter().map(|l| f64::from(*l).exp()).sum();
    let n = 4000;
    let mut r = request(prompt, n, 8);
    r.params.max_tokens = 1;
    let mut counts = [0.0; 40];
    for rollout in &policy.sample_one(&r).unwrap() {
        counts[rollout.tokens[0] as usize] += 1.0;
    }
    // Rare tokens together, so that every cell expects at least 5.
    let (mut chi2, mut cells, mut rare) = (0.0, 0, (0.0, 0.0));
    for (count, logit) in counts.iter().zip(&logits) {
        let expected = n as f64 * f64::from(*logit).exp() / z;
        if expected < 5.0 {
            rare = (rare.0 + count, rare.1 + expected);
        } else {
            chi2 += (count - expected).powi(2) / expected;
            cells += 1;
        }
    }
    if rare.1 >= 5.0 {
        chi2 += (rare.0 - rare.1).powi(2) / rare.1;
        cells += 1;
    }
    let degrees = f64::from(cells - 1);
    assert!(chi2 < degrees + 5.0 * (2.0 * degrees).sqrt(), "χ² = {chi2} with {degrees} degrees of freedom");
}

#[test]
fn greedy_takes_the_largest_logit() {
    let policy = with_rows(2, 64);
    let mut r = request(vec![2 + 5, 8], 2, 9);
    r.params = SamplingParams::greedy().with_max_tokens(12);
    let group = policy.sample_one(&r).unwrap();
    assert_eq!(group[0], group[1]);
    let mut sequence = group[0].prompt.to_vec();
    for token in &group[0].tokens {
        let logits = policy.logits(&sequence).unwrap();
        let last = &logits[logits.len() - 40..];
        let best = (0..40).max_by(|&a, &b| last[a].total_cmp(&last[b])).unwrap();
        assert_eq!(best as u32, *token);
        sequence.push(*token);
    }
}

#[test]
fn an_end_token_stops_and_is_not_text() {
    let policy = with_rows(2, 64);
    let mut r = request(vec![6], 60, 10);
    r.params.max_tokens = 90;
    let group = policy.sample_one(&r).unwrap();
    let stopped: Vec<&Rollout> = group.iter().filter(|r| r.finish == Finish::Stop).collect();
    assert!(stopped.len() > 10, "the tiny model ends often enough to test");
    for rollout in &group {
        // <|im_end|> is 2; <think> (3) is an added token, but not a special one.
        let ends = rollout.tokens.iter().filter(|t| **t == 2).count();
        assert_eq!(ends, usize::from(rollout.finish == Finish::Stop));
        assert!(!rollout.text.contains("<|im_end|>") && !rollout.text.contains("<|im_start|>"));
        let tags = rollout.tokens.iter().filter(|t| **t == 3).count();
        assert_eq!(rollout.text.matches("<think>").count(), tags);
        assert_eq!(rollout.logp.len(), rollout.tokens.len());
    }
    assert!(group.iter().any(|r| r.text.contains("<think>")));
}

#[test]
fn a_stop_string_stops_and_stays() {
    let policy = with_rows(2, 64);
    let mut r = request(vec![6], 40, 11);
    r.params.max_tokens = 90;
    let free = policy.sample_one(&r).unwrap();
    r.params.stop = vec!["w7".to_owned(), "w11 w".to_owned()];
    let group = policy.sample_one(&r).unwrap();
    let hit = |text: &str| text.contains("w7") || text.contains("w11 w");
    assert!(group.iter().any(|r| hit(&r.text)));
    for (rollout, free) in group.iter().zip(&free) {
        assert!(
            free.tokens.starts_with(&rollout.tokens),
            "a stop string changes where a completion ends, not what it is"
        );
        if hit(&rollout.text) {
            assert_eq!(rollout.finish, Finish::Stop);
            let before = policy.tokenizer().decode(&rollout.tokens[..rollout.tokens.len() - 1]).unwrap();
            assert!(!hit(&before));
        } else {
            assert_eq!(rollout, free);
        }
    }
}

#[test]
fn length_limits() {
    let policy = with_rows(2, 64);
    let mut long = request(vec![5; 95], 1, 12);
    long.params.max_tokens = 50;
    let rollout = &policy.sample_one(&long).unwrap()[0];
    assert_eq!(rollout.tokens.len(), 1);
    long.prompt = Prompt::Tokens(vec![5; 96].into());
    let error = policy.sample_all(&[request(vec![4], 1, 1), long]).unwrap_err().to_string();
    assert!(error.contains("sample request 1: the prompt has 96 tokens"), "{error}");
    let error = policy.sample_one(&request(vec![], 1, 1)).unwrap_err().to_string();
    assert!(error.contains("is empty"), "{error}");
    let error = policy.sample_one(&request(vec![40], 1, 1)).unwrap_err().to_string();
    assert!(error.contains("id 40"), "{error}");
    let mut bad = request(vec![4], 1, 1);
    bad.params.temperature = -1.0;
    assert!(policy.sample_one(&bad).is_err());
    assert!(policy.sample_all(&[]).unwrap().is_empty());
}

/// Fails once the completion has so many tokens, if it then holds an odd one.
fn fails_after(tokens: usize) -> impl LogitHook {
    move |_: &[u32], drawn: &[u32], _: &mut [f32]| {
        if drawn.len() >= tokens && drawn.iter().any(|t| t % 2 == 1) {
            return Err(PolicyError::invalid(format!("the hook gave up after {drawn:?}")));
        }
        Ok(())
    }
}

#[test]
fn a_request_that_fails_changes_nothing_for_the_others() {
    let mut endless = request(vec![8, 9], 6, 3);
    endless.params.min_tokens = 20;
    let bad = [
        request(vec![5; 96], 2, 1),
        request(vec![40], 1, 2),
        endless.clone().with_hook(fails_after(4)),
        request(vec![3], 1, 4).with_params(SamplingParams::default().with_top_p(2.0)),
        request(vec![6, 6], 3, 5).with_hook(AllowTokens::new([])),
    ];
    let good = requests();
    let mixed: Vec<SampleRequest> =
        good.iter().zip(&bad).flat_map(|(good, bad)| [good.clone(), bad.clone()]).collect();
    let want = with_rows(1, 64).sample_all(&good).unwrap();
    let errors: Vec<String> =
        bad.iter().map(|r| with_rows(1, 1).sample_one(r).unwrap_err().to_string()).collect();
    assert!(errors[2].starts_with("the hook gave up after"), "{}", errors[2]);
    for (threads, rows) in [(1, 64), (2, 3), (3, 1)] {
        let answers = with_rows(threads, rows).sample(&mixed);
        for (i, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(group) => assert_eq!((i % 2, &group), (0, &want[i / 2])),
                // Whatever was met first, the error is that of the first completion that has one.
                Err(error) => assert_eq!((i % 2, error.to_string()), (1, errors[i / 2].clone())),
            }
        }
    }
}

#[test]
fn messages_go_through_the_chat_template() {
    let policy = with_rows(1, 4);
    let messages = vec![Message::user("w5 w6")];
    let ids = policy.tokenizer().encode_prompt(&messages.clone().into()).unwrap().to_vec();
    let text = policy.tokenizer().render(&messages.clone().into()).unwrap();
    assert_eq!(text, "<|im_start|>user\nw5 w6<|im_end|>\n<|im_start|>assistant\n");
    // Words that the vocabulary does not have become w4.
    assert_eq!(ids, [1, 4, 5, 6, 2, 1, 4]);
    let mut by_text = request(vec![0], 3, 13);
    by_text.prompt = messages.clone().into();
    let by_ids = request(ids, 3, 13);
    assert_eq!(policy.sample_all(&[by_text]).unwrap(), policy.sample_all(&[by_ids]).unwrap());

    let plain = support::tokenizer_json(40).replace("<|im_start|>", "<|other|>");
    let plain = ChatTokenizer::from_text(&plain, None, None).unwrap();
    let error = plain.encode_prompt(&messages.into()).unwrap_err().to_string();
    assert!(error.contains("no chat_template"), "{error}");
}

/// Forbids what was drawn before: depends on prompt and completion.
#[allow(clippy::unnecessary_wraps, reason = "the signature of a hook")]
fn nothing_twice(prompt: &[u32], tokens: &[u32], logits: &mut [f32]) -> Result<(), PolicyError> {
    for token in prompt.iter().chain(tokens) {
        logits[*token as usize] = f32::NEG_INFINITY;
    }
    Ok(())
}

#[test]
fn hooks_are_obeyed_in_any_batch() {
    let mut requests = requests();
    for (i, r) in requests.iter_mut().enumerate() {
        r.params.max_tokens = 12;
        // The third prompt holds every token.
        *r = match i {
            2 => r.clone().with_hook(AllowTokens::new([6, 9, 2])),
            _ => r.clone().with_hook(nothing_twice),
        };
    }
    let alone: Vec<Vec<Rollout>> = requests.iter().map(|r| with_rows(1, 1).sample_one(r).unwrap()).collect();
    for (threads, rows) in [(1, 64), (2, 3), (3, 2)] {
        assert_eq!(with_rows(threads, rows).sample_all(&requests).unwrap(), alone);
    }
    assert!(alone[2].iter().flat_map(|r| &r.tokens).all(|t| [6, 9, 2].contains(t)));
    for rollout in alone[0].iter().chain(&alone[1]) {
        let mut all = [&rollout.prompt, rollout.tokens.as_slice()].concat();
        all.sort_unstable();
        assert!(all.windows(2).all(|w| w[0] != w[1]), "{all:?}");
    }
}

#[test]
fn one_of_some_answers() {
    let answers = [vec![7, 8, 2], vec![7, 9, 10, 2], vec![11, 2]];
    let r = request(vec![5, 6], 40, 14).with_hook(OneOf::new(answers.clone()));
    let group = with_rows(2, 8).sample_one(&r).unwrap();
    for answer in &answers {
        assert!(group.iter().any(|r| r.tokens == *answer), "{answer:?}");
    }
    assert!(group.iter().all(|r| answers.contains(&r.tokens) && r.finish == Finish::Stop));
    assert!(group.iter().all(|r| r.logp.last() == Some(&0.0)), "the end follows with certainty");
    let bad = request(vec![5, 6], 1, 14).with_hook(OneOf::new([vec![7, 8]]));
    assert_eq!(with_rows(1, 1).sample_one(&bad).unwrap()[0].tokens[..2], [7, 8]);
    let none = request(vec![5, 6], 1, 14).with_hook(AllowTokens::new([]));
    let error = with_rows(2, 2).sample_all(&[request(vec![4], 1, 1), none]).unwrap_err().to_string();
    assert!(error.starts_with("sample request 1: after 0 tokens"), "{error}");
}

#[test]
fn lengths_and_stop_tokens() {
    let policy = with_rows(2, 64);
    let mut r = request(vec![6], 60, 10);
    r.params = r.params.with_max_tokens(30).with_min_tokens(30);
    for rollout in &policy.sample_one(&r).unwrap() {
        assert_eq!(rollout.tokens.len(), 30);
        assert_eq!(rollout.tokens[..29].iter().filter(|t| **t == 2).count(), 0);
    }
    r.params = r.params.with_min_tokens(4).with_stop_tokens([17, 8]);
    let group = policy.sample_one(&r).unwrap();
    assert!(group.iter().any(|r| [17, 8].contains(r.tokens.last().unwrap())));
    for rollout in &group {
        let ends = |t: &u32| [2, 17, 8].contains(t);
        assert_eq!(rollout.tokens.iter().filter(|t| ends(t)).count(), usize::from(!rollout.truncated()));
        assert!(rollout.tokens.len() >= 4 && !rollout.text.contains("w17"));
    }
    r.params = r.params.with_stop_tokens([40]);
    let error = policy.sample_one(&r).unwrap_err().to_string();
    assert!(error.contains("stop_tokens: token 0 has id 40"), "{error}");
}

#[test]
fn log_probabilities_are_those_of_the_distribution_drawn_from() {
    let policy = with_rows(2, 64);
    let prompt = vec![11, 12, 13];
    let logits = &policy.logits(&prompt).unwrap()[2 * 40..];
    let params =
        SamplingParams::default().with_temperature(0.8).with_top_k(9).with_min_p(0.05).with_top_p(0.9);
    let params = params.with_repetition_penalty(1.5).with_max_tokens(1);
    let request = request(prompt.clone(), 300, 15).with_params(params.clone());
    let mut want = logits.to_vec();
    request.rules(&prompt, &[2]).adjust(&mut want).unwrap();
    let mut weights: Vec<f32> = want.iter().map(|l| (l / 0.8).exp()).collect();
    params.filter(&mut weights, &mut Vec::new());
    let total: f32 = weights.iter().sum();
    let group = policy.sample_one(&request).unwrap();
    for rollout in &group {
        let want = (weights[rollout.tokens[0] as usize] / total).ln();
        assert!((rollout.logp[0] - want).abs() < 1e-4, "{} {want}", rollout.logp[0]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_schedule_gives_the_same_rollouts(
        shapes in prop::collection::vec((1..40_usize, 0..6_usize, 0..1000_u64, 1..30_usize, 0.5_f32..=1.0), 1..6),
        threads in 1..4_usize,
        rows in 1..9_usize,
    ) {
        let make = |&(prompt, n, seed, max_tokens, top_p): &(usize, usize, u64, usize, f32)| {
            let mut r = request((0..prompt).map(|i| ((i * 13 + n) % 40) as u32).collect(), n, seed);
            r.params = r.params.with_max_tokens(max_tokens).with_top_p(top_p);
            r
        };
        let requests: Vec<SampleRequest> = shapes.iter().map(make).collect();
        let groups = with_rows(threads, rows).sample_all(&requests).unwrap();
        let plain = with_rows(1, 64);
        for (request, group) in requests.iter().zip(&groups) {
            prop_assert_eq!(group.len(), request.n);
            prop_assert_eq!(&plain.sample_one(request).unwrap(), group);
        }
    }
}

#[test]
fn the_encoder_reads_prompts_as_the_sampler_does() {
    let policy = support::tiny(3);
    let encoder: &dyn Encoder = policy.tokenizer();
    let prompt = Prompt::from(vec![Message::user("w7 w8")]);
    let params = SamplingParams::default().with_max_tokens(2);
    let request = SampleRequest::new(prompt.clone(), 1, params, Seed::new(1));
    let rollout = policy.sample_one(&request).unwrap().remove(0);
    assert_eq!(encoder.prompt(&prompt).unwrap(), rollout.prompt);
    let ids = encoder.completion("<think> w9").unwrap();
    let (end, text) = ids.split_last().unwrap();
    assert!(policy.tokenizer().is_end(*end));
    assert_eq!(text, policy.tokenizer().encode("<think> w9").unwrap());
    let endless =
        ChatTokenizer::from_text(&support::tokenizer_json(9), Some("{{ messages }}"), None).unwrap();
    assert!(endless.completion("w5").is_err());
}
