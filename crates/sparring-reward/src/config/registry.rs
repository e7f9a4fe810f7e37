//! Custom kinds of rewards.

use super::{RewardConfig, read};
use crate::{BoxReward, RewardError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sparring_core::Reward;
use std::collections::BTreeMap;
use std::fmt;

/// Settings of a kind that this library does not have. A [`Registry`] builds the reward.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CustomKind {
    /// Its name.
    pub kind: String,
    /// Its settings, as read. A number that is not finite is `null`, since JSON has none.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
}

type Make<T> = Box<dyn Fn(Value, &Builder<'_, T>) -> Result<BoxReward<T>, RewardError> + Send + Sync>;

/// Custom kinds for [`RewardConfig`], in addition to those of this library.
///
/// A custom kind can be used wherever a kind can: inside `sum`, `gate` and the others. Its settings are any type that
/// serde can read, and may contain further [`RewardConfig`]s.
///
/// ```
/// use serde::Deserialize;
/// use sparring_core::{reward_fn, Reward, RewardContext, Rollout};
/// use sparring_reward::{config::{Builder, Registry}, RewardConfig, Weighted};
///
/// #[derive(Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Ends { with: String }
///
/// #[derive(Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Half { of: RewardConfig }
///
/// let registry = Registry::<str>::new()
///     .with_kind("ends", |ends: Ends, _| {
///         Ok(reward_fn("ends", move |_: &str, out: &Rollout| {
///             Some(if out.text.ends_with(&ends.with) { 1.0 } else { 0.0 })
///         }))
///     })
///     .with_kind("half", |half: Half, build: &Builder<'_, str>| {
///         Ok(Weighted::new(0.5, build.reward("of", &half.of)?))
///     });
/// let config: RewardConfig = serde_json::from_str(r#"{"kind": "sum", "parts": [
///     {"kind": "ends", "with": "."},
///     {"kind": "half", "of": {"kind": "gate",
///         "gate": {"kind": "ends", "with": "!"},
///         "reward": {"kind": "constant", "value": 3}}}
/// ]}"#)?;
/// let reward = config.build_with(&registry)?;
/// let scores = reward.score("any task", &["Yes.", "Yes!"].map(Rollout::from_text), &RewardContext::default())?;
/// assert_eq!(scores, [Some(1.0), Some(1.5)]);
/// # Ok::<(), sparring_core::BoxError>(())
/// ```
pub struct Registry<T: ?Sized> {
    kinds: BTreeMap<String, Make<T>>,
}

impl<T: ?Sized> fmt::Debug for Registry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry").field(&self.kinds.keys()).finish()
    }
}

impl<T: ?Sized + 'static> Default for Registry<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: ?Sized + 'static> Registry<T> {
    /// Returns a registry without custom kinds.
    pub fn new() -> Self {
        Self { kinds: BTreeMap::new() }
    }

    /// Adds a kind, or replaces the one with this name. `make` gets the kind's settings, checks them and returns the
    /// reward.
    ///
    /// Use [`RewardError::invalid`] for a wrong setting; its path within the tree is added.
    #[must_use]
    pub fn with_kind<S, R, F>(mut self, kind: impl Into<String>, make: F) -> Self
    where
        S: DeserializeOwned,
        R: Reward<T> + 'static,
        F: Fn(S, &Builder<'_, T>) -> Result<R, RewardError> + Send + Sync + 'static,
    {
        let make = move |settings: Value, builder: &Builder<'_, T>| {
            let settings = read::read(settings).map_err(|(path, what)| RewardError::invalid(path, what))?;
            Ok(Box::new(make(settings, builder)?) as BoxReward<T>)
        };
        self.kinds.insert(kind.into(), Box::new(make));
        self
    }

    /// Checks that no custom kind has the name of a kind of this library.
    pub(super) fn check(&self) -> Result<(), RewardError> {
        match read::kinds().iter().find(|kind| self.kinds.contains_key(**kind)) {
            Some(kind) => {
                Err(RewardError::invalid("", format!("the library has a kind `{kind}`; choose another name")))
            }
            None => Ok(()),
        }
    }

    /// Builds the reward of a custom kind.
    pub(super) fn make(&self, own: &CustomKind) -> Result<BoxReward<T>, RewardError> {
        match self.kinds.get(&own.kind) {
            Some(make) => make(Value::Object(own.settings.clone()), &Builder(self)),
            None => Err(RewardError::invalid("kind", self.unknown(&own.kind))),
        }
    }

    fn unknown(&self, kind: &str) -> String {
        let known = || self.kinds.keys().map(String::as_str).chain(read::kinds().iter().copied());
        let hint =
            nearest(kind, known()).map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
        let known = known().collect::<Vec<_>>().join(", ");
        format!("there is no kind `{kind}`{hint}; the kinds are {known}")
    }
}

/// Returns the closest name, if it differs from `name` in at most a third of its letters.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |other: &str| strsim::damerau_levenshtein(name, other);
    known
        .min_by_key(|other| distance(other))
        .filter(|other| distance(other) * 3 <= other.len().max(name.len()))
}

/// Builds the rewards inside a custom kind, with the same [`Registry`].
#[derive(Debug)]
pub struct Builder<'a, T: ?Sized>(pub(super) &'a Registry<T>);

impl<T: ?Sized + 'static> Builder<'_, T> {
    /// Builds the reward of the setting at `path`.
    ///
    /// # Errors
    /// [`RewardError::Invalid`] with the path of the setting.
    pub fn reward(&self, path: &str, config: &RewardConfig) -> Result<BoxReward<T>, RewardError> {
        self.assemble(config).map_err(|error| error.within(path))
    }

    /// Builds the rewards of the list at `path`.
    ///
    /// # Errors
    /// [`RewardError::Invalid`] with the path of the setting: `parts[1].each`.
    pub fn rewards(&self, path: &str, configs: &[RewardConfig]) -> Result<Vec<BoxReward<T>>, RewardError> {
        configs.iter().enumerate().map(|(i, config)| self.reward(&format!("{path}[{i}]"), config)).collect()
    }
}
