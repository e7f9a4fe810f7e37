//! Settings files in TOML or JSON, with errors that name the file, the line and the path of the setting.
//!
//! TOML files may extend one another: tables merge; every other value, and every table with a `kind`, is replaced.
//!
//! ```
//! use sparring_reward::{RewardConfig, settings};
//!
//! #[derive(Debug, serde::Deserialize)]
//! struct Mine {
//!     reward: RewardConfig,
//! }
//!
//! let text = "[[reward.parts]]\nkind = 'ats'\n\n[reward]\nkind = 'sum'";
//! let mine = settings::from_toml::<Mine>(text, "mine.toml")?;
//! // What only shows when the reward is built is located as well.
//! let error = mine.value.reward.build().map_err(|error| mine.locate(error.within("reward"))).err();
//! let error = error.map(|error| error.to_string()).unwrap_or_default();
//! assert!(error.starts_with("mine.toml:2: reward.parts[0].kind: there is no kind `ats` (did you mean `ast`?)"));
//! # Ok::<(), sparring_reward::RewardError>(())
//! ```

mod json;
mod layers;

pub use layers::{Layer, from_layers};

use crate::RewardError;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// The key that names the file to extend.
const EXTENDS: &str = "extends";

/// The settings of a file, and where each was set.
#[derive(Debug, Clone)]
pub struct Settings<T> {
    /// The settings.
    pub value: T,
    origins: Origins,
}

/// Where each setting was set.
#[derive(Debug, Clone)]
enum Origins {
    /// File and line by path.
    Toml(BTreeMap<String, (String, usize)>),
    /// The text; lines are looked up when needed.
    Json(Layer),
}

impl<T> Settings<T> {
    /// Returns file and line, from 1, at which the setting at this path, or its nearest parent, was set.
    ///
    /// ```
    /// use sparring_reward::settings::from_toml;
    /// let settings = from_toml::<toml::Table>("a = 1\n[b]\nc = [1]\n", "my.toml")?;
    /// assert_eq!(settings.origin("b.c[0].d"), Some(("my.toml".to_owned(), 3)));
    /// assert_eq!(settings.origin("d"), None);
    /// # Ok::<(), sparring_reward::RewardError>(())
    /// ```
    pub fn origin(&self, path: &str) -> Option<(String, usize)> {
        let mut path = path;
        loop {
            let found = match &self.origins {
                Origins::Toml(places) => places.get(path).cloned(),
                Origins::Json(layer) => json::line(&layer.text, path).map(|line| (layer.file.clone(), line)),
            };
            match (found, path.rfind(['.', '['])) {
                (Some(place), _) => return Some(place),
                (None, Some(end)) => path = &path[..end],
                (None, None) => return None,
            }
        }
    }

    /// Adds file and line to an error about a setting.
    pub fn locate(&self, error: RewardError) -> RewardError {
        let RewardError::Invalid { setting, what } = error else { return error };
        match self.origin(&setting) {
            Some((file, line)) => RewardError::Located { file, line, setting, what },
            None => RewardError::Invalid { setting, what },
        }
    }
}

/// Reads TOML; `file` is the name used in errors.
///
/// # Errors
/// [`RewardError::Located`] with file, line and path.
pub fn from_toml<T: DeserializeOwned>(text: &str, file: &str) -> Result<Settings<T>, RewardError> {
    from_layers(&[Layer::new(file, text)])
}

/// Reads JSON; `file` is the name used in errors.
///
/// # Errors
/// [`RewardError::Located`] with file, line and path.
pub fn from_json<T: DeserializeOwned>(text: &str, file: &str) -> Result<Settings<T>, RewardError> {
    let value = json::read(text).map_err(|(line, setting, what)| RewardError::Located {
        file: file.to_owned(),
        line,
        setting,
        what,
    })?;
    Ok(Settings { value, origins: Origins::Json(Layer::new(file, text)) })
}

/// Reads TOML that may extend another file, named by `extends`; `find` returns the file with that name.
///
/// # Errors
/// [`RewardError::Located`] with file, line and path; errors of `find`.
pub fn from_extending_toml<T: DeserializeOwned, E: From<RewardError>>(
    text: &str,
    file: &str,
    find: impl Fn(&str) -> Result<Layer, E>,
) -> Result<Settings<T>, E> {
    let mut layers = vec![Layer::new(file, text)];
    while let Some(name) = layers.last().map(Layer::extends).transpose()?.flatten() {
        let layer = find(&name)?;
        if layers.iter().any(|below| below.file == layer.file) {
            return Err(layer.error(1, format!("`{EXTENDS}` forms a cycle")).into());
        }
        layers.push(layer);
    }
    layers.reverse();
    Ok(from_layers(&layers)?)
}

#[cfg(test)]
mod tests;
