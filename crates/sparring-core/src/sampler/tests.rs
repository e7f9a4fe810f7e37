//! The order and the meaning of the filters, against Hugging Face's `transformers` 5.23.
#![allow(clippy::float_cmp)]

use super::*;
use proptest::prelude::*;

const NO: f32 = f32::NEG_INFINITY;
const LOGITS: [f32; 12] = [1.61, 0.35, 0.18, -1.23, 0.09, -2.74, 0.67, 2.02, -2.87, 1.95, 1.04, 2.48];

/// Log-probabilities of the next token after the prompt 2 5 2 and the completion 7 0, as a sampler gets them.
fn log_probabilities(params: SamplingParams, logits: &[f32]) -> Vec<f32> {
    let (prompt, tokens): ([u32; 3], [u32; 2]) = ([2, 5, 2], [7, 0]);
    let request = SampleRequest::new(prompt.to_vec(), 1, params, Seed::new(1));
    request.params.validate().unwrap();
    let mut z = logits.to_vec();
    let mut rules = request.rules(&prompt, &[7]);
    for token in tokens {
        rules.accept(token).unwrap();
    }
    rules.adjust(&mut z).unwrap();
    let max = z.iter().copied().fold(NO, f32::max);
    let mut weights: Vec<f32> = z.iter().map(|l| ((l - max) / request.params.temperature).exp()).collect();
    request.params.filter(&mut weights, &mut Vec::new());
    let total: f32 = weights.iter().sum();
    weights.iter().map(|w| (w / total).ln()).collect()
}

#[test]
fn transformers_gives_the_same_log_probabilities() {
    // Made by this program, with torch 2.15:
    //
    // import torch, math
    // from transformers.generation.logits_process import *
    // torch.manual_seed(3)
    // prompt, drawn = [2, 5, 2], [7, 0]
    // logits = (torch.randn(12) * 2).round(decimals=2)
    // ids, end = torch.tensor([prompt + drawn]), 7
    // def run(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, penalty=1.0, min_tokens=0):
    //     z = logits[None].clone()
    //     if penalty != 1.0: z = RepetitionPenaltyLogitsProcessor(penalty)(ids, z)
    //     if min_tokens: z = MinNewTokensLengthLogitsProcessor(len(prompt), min_tokens, [end])(ids, z)
    //     z = TemperatureLogitsWarper(temperature)(ids, z)
    //     if top_k: z = TopKLogitsWarper(top_k)(ids, z)
    //     if top_p < 1: z = TopPLogitsWarper(top_p)(ids, z)
    //     if min_p: z = MinPLogitsWarper(min_p)(ids, z)
    //     return ["no" if math.isinf(p) else f"{p:.5f}" for p in z.log_softmax(-1)[0].tolist()]
    // print("logits", logits.tolist())
    // for k in [dict(top_k=3), dict(top_p=0.8), dict(min_p=0.35), dict(top_k=4, top_p=0.8), dict(top_p=0.6, min_p=0.5),
    //           dict(temperature=0.5, top_p=0.9), dict(penalty=1.3), dict(min_tokens=3),
    //           dict(temperature=1.5, top_k=8, top_p=0.8, min_p=0.25, penalty=1.2, min_tokens=3)]:
    //     print(k, run(**k))
    let p = SamplingParams::default;
    let golden: [(SamplingParams, [f32; 12]); 9] = [
        (p().with_top_k(3), [NO, NO, NO, NO, NO, NO, NO, -1.25746, NO, -1.32746, NO, -0.79746]),
        (p().with_top_p(0.8), [-1.92632, NO, NO, NO, NO, NO, NO, -1.51632, NO, -1.58632, -2.49632, -1.05632]),
        (p().with_min_p(0.35), [-1.84034, NO, NO, NO, NO, NO, NO, -1.43034, NO, -1.50034, NO, -0.97034]),
        (
            p().with_top_k(4).with_top_p(0.8),
            [NO, NO, NO, NO, NO, NO, NO, -1.25746, NO, -1.32746, NO, -0.79746],
        ),
        (
            p().with_top_p(0.6).with_min_p(0.5),
            [NO, NO, NO, NO, NO, NO, NO, -1.25746, NO, -1.32746, NO, -0.79746],
        ),
        (
            p().with_temperature(0.5).with_top_p(0.9),
            [-2.39258, NO, NO, NO, NO, NO, NO, -1.57258, NO, -1.71258, NO, -0.65258],
        ),
        (
            p().with_repetition_penalty(1.3),
            [
                -2.34429, -3.23275, -3.44429, -4.81275, -3.49275, -7.14475, -2.91275, -2.02891, -6.45275,
                -1.63275, -2.54275, -1.10275,
            ],
        ),
        (
            p().with_min_tokens(3),
            [
                -1.88287, -3.14287, -3.31287, -4.72287, -3.40287, -6.23287, -2.82287, NO, -6.36287, -1.54287,
                -2.45287, -1.01287,
            ],
        ),
        (
            p().with_temperature(1.5)
                .with_top_k(8)
                .with_top_p(0.8)
                .with_min_p(0.25)
                .with_repetition_penalty(1.2)
                .with_min_tokens(3),
            [-1.80713, NO, NO, NO, NO, NO, -2.25490, NO, NO, -1.40157, -2.00824, -1.04824],
        ),
    ];
    for (params, want) in golden {
        let got = log_probabilities(params.clone(), &LOGITS);
        for (got, want) in got.iter().zip(want) {
            assert!(*got == want || (got - want).abs() < 2e-5, "{params:?}: {got} instead of {want}");
        }
    }
}

#[test]
fn ties_are_broken_by_the_lowest_id() {
    let logits = [0.0, 1.0, 1.0, 1.0, 0.0];
    let kept = |params| {
        let logp = log_probabilities(params, &logits);
        (0..logits.len()).filter(|&i| logp[i] > NO).collect::<Vec<_>>()
    };
    assert_eq!(kept(SamplingParams::default().with_top_k(1)), [1]);
    assert_eq!(kept(SamplingParams::default().with_top_k(2)), [1, 2]);
    assert_eq!(kept(SamplingParams::default().with_top_p(1e-6)), [1]);
    assert_eq!(kept(SamplingParams::default().with_min_p(1.0)), [1, 2, 3]);
}

#[test]
fn a_hook_that_leaves_no_token_or_writes_nan_is_an_error() {
    let ask = |hook: Hook| {
        let request = SampleRequest::new(vec![1], 1, SamplingParams::default(), Seed::new(1)).with_hook(hook);
        let mut rules = request.rules(&[1], &[]);
        for token in [2, 2] {
            rules.accept(token).unwrap();
        }
        rules.adjust(&mut [0.5, 0.5, 0.5]).map_err(|error| error.to_string())
    };
    let nothing = ask(Hook::new(AllowTokens::new([9]))).unwrap_err();
    assert!(nothing.starts_with("after 2 tokens: its hook"), "{nothing}");
    assert!(ask(Hook::new(OneOf::new([vec![1, 2]]))).unwrap_err().contains("no token to draw"));
    let nan = |_: &[u32], _: &[u32], logits: &mut [f32]| {
        logits[1] = f32::NAN;
        Ok(())
    };
    assert!(ask(Hook::new(nan)).unwrap_err().contains("NaN"));
    let fails = |_: &[u32], _: &[u32], _: &mut [f32]| Err(PolicyError::invalid("grammar: no rule"));
    assert_eq!(ask(Hook::new(fails)).unwrap_err(), "grammar: no rule");
}

#[test]
fn one_of_constrains_until_a_sequence_is_complete() {
    let names = OneOf::new([vec![1, 2], vec![1, 3, 4]]);
    let allowed = |tokens: &[u32]| {
        let mut logits = [0.0; 5];
        let mut state = names.start(&[0]);
        for &token in tokens {
            state.accept(token).unwrap();
        }
        state.apply(&mut logits).unwrap();
        (0..5).filter(|&i| logits[i] == 0.0).collect::<Vec<_>>()
    };
    assert_eq!(allowed(&[]), [1]);
    assert_eq!(allowed(&[1]), [2, 3]);
    assert_eq!(allowed(&[1, 3]), [4]);
    assert_eq!(allowed(&[1, 2]), [0, 1, 2, 3, 4]);
    assert_eq!(allowed(&[1, 3, 4, 0]), [0, 1, 2, 3, 4]);
}

/// The filters by definition: sort everything, keep a head.
fn naive(weights: &[f32], params: &SamplingParams) -> Vec<f32> {
    let mut order: Vec<usize> = (0..weights.len()).filter(|&i| weights[i] > 0.0).collect();
    order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]).then(a.cmp(&b)));
    if params.top_k > 0 {
        order.truncate(params.top_k);
    }
    let total: f64 = order.iter().map(|&i| f64::from(weights[i])).sum();
    let (mut before, top_p) = (0.0, f64::from(params.top_p));
    order.retain(|&i| {
        let inside = params.top_p == 1.0 || before < top_p * total;
        before += f64::from(weights[i]);
        inside
    });
    let largest = weights.iter().copied().fold(0.0, f32::max);
    order.retain(|&i| weights[i] >= params.min_p * largest);
    let mut kept = vec![0.0; weights.len()];
    for i in order {
        kept[i] = weights[i];
    }
    kept
}

proptest! {
    #[test]
    fn filters_keep_what_their_definition_keeps(
        // Few distinct weights, whose sums are exact: many ties, and more tokens than the first head.
        weights in prop::collection::vec((0_u8..40).prop_map(|w| f32::from(w) / 32.0), 1..400),
        top_k in 0_usize..420,
        top_p in (1_u8..=16).prop_map(|p| f32::from(p) / 16.0),
        min_p in (0_u8..=4).prop_map(|p| f32::from(p) / 4.0),
    ) {
        prop_assume!(weights.iter().any(|w| *w > 0.0));
        let params = SamplingParams::default().with_top_k(top_k).with_top_p(top_p).with_min_p(min_p);
        let mut kept = weights.clone();
        params.filter(&mut kept, &mut vec![7; 3]);
        prop_assert_eq!(&kept, &naive(&weights, &params));
        prop_assert!(kept.iter().any(|w| *w > 0.0));
    }
}
