//! A number that stands for the weights of a model.

use super::layout::Layout;

/// The digest of all parameters: the sum of one number for each, made of its name and values. It does not depend on the
/// order in which a layout has them, and finds mistakes, not malice.
pub(crate) fn digest(layout: &Layout, weights: &[f32]) -> String {
    let one =
        |name: &str, values: &[f32]| mix(name.bytes().fold(of_values(values), |d, b| step(d, b.into())));
    let all = layout.parameters.iter().map(|p| one(&p.name, &weights[p.at.clone()]));
    format!("{:016x}", all.fold(0_u64, u64::wrapping_add))
}

/// Chains that are computed side by side: one step waits for the one before it.
const CHAINS: usize = 8;

fn of_values(values: &[f32]) -> u64 {
    let mut chains: [u64; CHAINS] = std::array::from_fn(|i| i as u64);
    let mut whole = values.chunks_exact(CHAINS);
    for part in &mut whole {
        for (chain, x) in chains.iter_mut().zip(part) {
            *chain = step(*chain, x.to_bits().into());
        }
    }
    for (chain, x) in chains.iter_mut().zip(whole.remainder()) {
        *chain = step(*chain, x.to_bits().into());
    }
    chains.into_iter().fold(values.len() as u64, |all, chain| step(all, mix(chain)))
}

/// One step of FNV-1a (Fowler, Noll and Vo, 1991) on a word, whose high bits are brought down for the next.
fn step(digest: u64, word: u64) -> u64 {
    let product = (digest ^ word).wrapping_mul(0x0000_0100_0000_01b3);
    product ^ product >> 29
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelConfig;

    #[test]
    fn every_number_and_its_place_counts() {
        let layout = Layout::new(&ModelConfig::qwen2(9, 4, 1, 2, 3));
        let weights: Vec<f32> = (0..layout.len).map(|i| i as f32).collect();
        let first = digest(&layout, &weights);
        assert_eq!(first, digest(&layout, &weights));
        for at in 0..layout.len {
            let mut changed = weights.clone();
            changed[at] += 0.5;
            assert_ne!(digest(&layout, &changed), first, "{at}");
            changed[at] = weights[at];
            changed.swap(at, (at + 7) % layout.len);
            assert_ne!(digest(&layout, &changed), first, "{at}");
        }
    }

    #[test]
    fn the_order_of_parameters_does_not_count() {
        let mut layout = Layout::new(&ModelConfig::qwen2(9, 4, 1, 2, 3));
        let weights: Vec<f32> = (0..layout.len).map(|i| i as f32).collect();
        let first = digest(&layout, &weights);
        layout.parameters.reverse();
        assert_eq!(digest(&layout, &weights), first);
    }
}
