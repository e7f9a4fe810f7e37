/// Turns the rewards of one group into advantages.
///
/// # Contract
/// `out` has the length of `rewards`. Every entry is written, and is finite if the rewards are. A zero-advantage group
/// (one member, or equal rewards) gives exactly 0 everywhere.
pub trait Advantage: Send + Sync {
    /// Writes the advantage of each member of the group.
    fn compute(&self, rewards: &[f32], out: &mut [f32]);
}

/// Returns an [`Advantage`] that calls a closure.
pub fn advantage_fn(f: impl Fn(&[f32], &mut [f32]) + Send + Sync) -> impl Advantage {
    struct FromFn<F>(F);
    impl<F: Fn(&[f32], &mut [f32]) + Send + Sync> Advantage for FromFn<F> {
        fn compute(&self, rewards: &[f32], out: &mut [f32]) {
            (self.0)(rewards, out);
        }
    }
    FromFn(f)
}
