use std::collections::BTreeMap;

/// Length of the longest n-grams.
const ORDER: usize = 4;
/// Number of matches that method 1 counts if there is none.
const EPSILON: f64 = 0.1;

/// Returns the BLEU-4 of a hypothesis against one reference, in [0, 1] (Papineni et al. 2002), smoothed by method 1 of
/// Chen and Cherry (2014): an n-gram order without a match counts 0.1 matches. Words are split at white space.
///
/// ```text
/// BLEU = BP · exp(Σ_{n=1..4} ¼ ln p_n),     BP = 1 where longer than the reference, else exp(1 - |ref| / |hyp|)
/// ```
///
/// As in NLTK's `sentence_bleu`, it is 0 without a common word. It is not symmetric, and two equal texts of fewer than
/// four words score below 1, as they have no n-grams of some orders.
///
/// ```
/// use sparring_reward::repetition::bleu;
/// assert!((bleu("what is two plus two", "what is two plus two") - 1.0).abs() < 1e-12);
/// assert_eq!(bleu("what is it", "a b c d"), 0.0);
/// // p = 3/4, 2/3, 1/2, 0.1/1.
/// assert!((bleu("a b c x", "a b c d") - (0.75 * 2.0 / 3.0 * 0.5 * 0.1_f64).powf(0.25)).abs() < 1e-12);
/// ```
pub fn bleu(hypothesis: &str, reference: &str) -> f64 {
    let [hypothesis, reference] = [hypothesis, reference].map(|t| t.split_whitespace().collect::<Vec<_>>());
    bleu_of(&hypothesis, &reference)
}

pub(super) fn bleu_of(hypothesis: &[&str], reference: &[&str]) -> f64 {
    let mut log_mean = 0.0;
    for n in 1..=ORDER {
        let (found, known) = (ngrams(hypothesis, n), ngrams(reference, n));
        let matches: usize =
            found.iter().map(|(gram, count)| (*count).min(known.get(gram).copied().unwrap_or(0))).sum();
        if n == 1 && matches == 0 {
            return 0.0;
        }
        let all = found.values().sum::<usize>().max(1) as f64;
        let precision = if matches == 0 { EPSILON / all } else { matches as f64 / all };
        log_mean += precision.ln() / ORDER as f64;
    }
    let (words, wanted) = (hypothesis.len() as f64, reference.len() as f64);
    let brevity = if words > wanted { 1.0 } else { (1.0 - wanted / words).exp() };
    (brevity * log_mean.exp()).min(1.0)
}

fn ngrams<'a, 'w>(words: &'a [&'w str], n: usize) -> BTreeMap<&'a [&'w str], usize> {
    let mut counts = BTreeMap::new();
    for gram in words.windows(n) {
        *counts.entry(gram).or_default() += 1;
    }
    counts
}
