use super::{BoxReward, Scores, total};
use sparring_core::{BoxError, Reward, RewardContext, Rollout};

/// A table of conditions: the first row whose conditions all hold gives the score.
///
/// A condition is a reward; it holds if it applies and is above 0. If no row matches, `otherwise` gives the score;
/// without it, the table does not apply. Every row's reward is evaluated, so that a broken one cannot stay hidden. The
/// table has one component, under its own name.
///
/// Tool-N1's graded rewards (arXiv 2505.00024) and Absolute Zero's composite (arXiv 2505.03335) are such tables.
///
/// ```
/// use sparring_core::{reward_fn, Reward, RewardContext, Rollout};
/// use sparring_reward::{BoxReward, Constant, Tiers};
///
/// fn has(what: &'static str) -> BoxReward<str> {
///     Box::new(reward_fn(what, move |_: &str, out: &Rollout| Some(f32::from(u8::from(out.text.contains(what))))))
/// }
/// let reward = Tiers::new("graded")
///     .row([has("right"), has("think")], Constant::new(1.2))
///     .row([has("right")], Constant::new(1.0))
///     .otherwise(Constant::new(0.0));
/// let group = ["think right", "right", "think"].map(Rollout::from_text);
/// let scores = reward.score("task", &group, &RewardContext::default())?;
/// assert_eq!(scores, [Some(1.2), Some(1.0), Some(0.0)]);
/// # Ok::<(), sparring_core::BoxError>(())
/// ```
pub struct Tiers<T: ?Sized> {
    name: String,
    rows: Vec<Tier<T>>,
    otherwise: Option<BoxReward<T>>,
}

struct Tier<T: ?Sized> {
    when: Vec<BoxReward<T>>,
    then: BoxReward<T>,
}

impl<T: ?Sized> std::fmt::Debug for Tiers<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let when = |row: &Tier<T>| row.when.iter().map(|c| c.name().to_owned()).collect::<Vec<_>>();
        let rows: Vec<_> = self.rows.iter().map(|row| (when(row), row.then.name().to_owned())).collect();
        f.debug_struct("Tiers").field("name", &self.name).field("rows", &rows).finish_non_exhaustive()
    }
}

impl<T: ?Sized> Tiers<T> {
    /// Returns a table without rows, which does not apply to anything.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), rows: Vec::new(), otherwise: None }
    }

    /// Adds a row below the others.
    #[must_use]
    pub fn row(
        mut self,
        when: impl IntoIterator<Item = BoxReward<T>>,
        then: impl Reward<T> + 'static,
    ) -> Self {
        self.rows.push(Tier { when: when.into_iter().collect(), then: Box::new(then) });
        self
    }

    /// Sets the score if no row matches.
    #[must_use]
    pub fn otherwise(mut self, reward: impl Reward<T> + 'static) -> Self {
        self.otherwise = Some(Box::new(reward));
        self
    }
}

impl<T: ?Sized> Reward<T> for Tiers<T> {
    fn name(&self) -> &str {
        &self.name
    }

    fn score(&self, task: &T, group: &[Rollout], ctx: &RewardContext<'_>) -> Result<Scores, BoxError> {
        let mut scores = vec![None; group.len()];
        let mut open = vec![true; group.len()];
        for row in &self.rows {
            let mut holds = open.clone();
            for condition in &row.when {
                let condition = total(&**condition, task, group, ctx)?;
                for (holds, score) in holds.iter_mut().zip(condition) {
                    *holds &= score.is_some_and(|score| score > 0.0);
                }
            }
            let then = total(&*row.then, task, group, ctx)?;
            for i in (0..group.len()).filter(|&i| holds[i]) {
                scores[i] = then[i];
                open[i] = false;
            }
        }
        if let Some(otherwise) = &self.otherwise {
            let rest = total(&**otherwise, task, group, ctx)?;
            for i in (0..group.len()).filter(|&i| open[i]) {
                scores[i] = rest[i];
            }
        }
        Ok(scores)
    }
}
