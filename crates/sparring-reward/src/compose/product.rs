use super::{BoxReward, Scores, total};
use sparring_core::{BoxError, Reward, RewardContext, Rollout};

/// The product of the parts that apply, `None` if none does. It has one component, under its own name.
///
/// ```
/// use sparring_core::{reward_fn, Reward, RewardContext, Rollout};
/// use sparring_reward::Product;
///
/// let reward = Product::new("dense")
///     .with(reward_fn("length", |_: &str, out: &Rollout| Some(out.text.len() as f32)))
///     .with(reward_fn("half", |_: &str, out: &Rollout| out.text.contains('x').then_some(0.5)));
/// let scores = reward.score("task", &["x", "abc"].map(Rollout::from_text), &RewardContext::default())?;
/// assert_eq!(scores, [Some(0.5), Some(3.0)]);
/// # Ok::<(), sparring_core::BoxError>(())
/// ```
pub struct Product<T: ?Sized> {
    name: String,
    parts: Vec<BoxReward<T>>,
}

impl<T: ?Sized> std::fmt::Debug for Product<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<&str> = self.parts.iter().map(Reward::name).collect();
        f.debug_struct("Product").field("name", &self.name).field("parts", &parts).finish()
    }
}

impl<T: ?Sized> Product<T> {
    /// Returns a product without parts, which does not apply to anything.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), parts: Vec::new() }
    }

    /// Adds a part.
    #[must_use]
    pub fn with(mut self, part: impl Reward<T> + 'static) -> Self {
        self.parts.push(Box::new(part));
        self
    }
}

impl<T: ?Sized> Reward<T> for Product<T> {
    fn name(&self) -> &str {
        &self.name
    }

    fn score(&self, task: &T, group: &[Rollout], ctx: &RewardContext<'_>) -> Result<Scores, BoxError> {
        let mut products: Vec<Option<f64>> = vec![None; group.len()];
        for part in &self.parts {
            let scores = total(&**part, task, group, ctx)?;
            for (product, score) in products.iter_mut().zip(scores) {
                if let Some(score) = score {
                    *product = Some(product.unwrap_or(1.0) * f64::from(score));
                }
            }
        }
        Ok(products.into_iter().map(|product| product.map(|product| product as f32)).collect())
    }
}
