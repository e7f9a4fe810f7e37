/// Rewards of one group to advantages.
///
/// # Contract
/// `out` has the length of `rewards`; every entry is written and finite when the rewards are. A group that
/// carries no signal (one member, or equal rewards) gives exactly 0 everywhere.
pub trait Advantage: Send + Sync {
    /// Writes the advantage of each member of the group.
    fn compute(&self, rewards: &[f32], out: &mut [f32]);
}

/// Makes an [`Advantage`] of a closure.
pub fn advantage_fn(f: impl Fn(&[f32], &mut [f32]) + Send + Sync) -> impl Advantage {
    struct FromFn<F>(F);
    impl<F: Fn(&[f32], &mut [f32]) + Send + Sync> Advantage for FromFn<F> {
        fn compute(&self, rewards: &[f32], out: &mut [f32]) {
            (self.0)(rewards, out);
        }
    }
    FromFn(f)
}
