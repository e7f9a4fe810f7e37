//! Settings files embedded in this crate, which other files may extend.

use crate::RecipeError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sparring_core::files::without_mark;
use sparring_reward::settings::{self, Layer};
use sparring_train::check;
use std::fmt;
use std::marker::PhantomData;

/// Settings that have presets: [`ToolR0Config`](crate::tool_r0::ToolR0Config) and
/// [`PaperConfig`](crate::papers::PaperConfig).
pub trait PresetSettings: Serialize + DeserializeOwned + 'static {
    /// All presets.
    const PRESETS: &'static [Preset<Self>];

    /// Checks every setting; [`Preset::load`] calls it after reading.
    ///
    /// # Errors
    /// [`RecipeError`] with the field.
    fn check(&self) -> Result<(), RecipeError>;
}

/// A named, embedded settings file of type `C`.
pub struct Preset<C> {
    name: &'static str,
    file: &'static str,
    toml: &'static str,
    holds: PhantomData<fn() -> C>,
}

impl<C> Clone for Preset<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Preset<C> {}

impl<C> fmt::Debug for Preset<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preset").field("name", &self.name).field("file", &self.file).finish_non_exhaustive()
    }
}

impl<C> Preset<C> {
    /// For [`presets!`].
    pub(crate) const fn new(name: &'static str, file: &'static str, toml: &'static str) -> Self {
        Self { name, file, toml, holds: PhantomData }
    }

    /// Returns the name, as given to `--preset`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the path of the file within this crate.
    pub fn file(&self) -> &'static str {
        self.file
    }

    /// Returns the text of the file.
    pub fn toml(&self) -> &'static str {
        self.toml
    }
}

impl<C: PresetSettings> Preset<C> {
    /// Returns all presets.
    pub fn all() -> &'static [Self] {
        C::PRESETS
    }

    /// Returns the preset with this name.
    ///
    /// # Errors
    /// [`RecipeError::UnknownPreset`] with the names that exist.
    pub fn find(name: &str) -> Result<Self, RecipeError> {
        C::PRESETS.iter().find(|preset| preset.name == name).copied().ok_or_else(|| {
            RecipeError::UnknownPreset {
                name: name.to_owned(),
                known: C::PRESETS.iter().map(|preset| preset.name).collect::<Vec<_>>().join(", "),
            }
        })
    }

    /// Reads and checks the preset with this name.
    ///
    /// # Errors
    /// [`RecipeError::UnknownPreset`] with the names that exist.
    pub fn load(name: &str) -> Result<C, RecipeError> {
        let preset = Self::find(name)?;
        from_toml(preset.toml, preset.file)
    }
}

/// Reads settings, which may extend a preset, and checks them.
pub(crate) fn from_toml<C: PresetSettings>(text: &str, file: &str) -> Result<C, RecipeError> {
    let find = |name: &str| Preset::<C>::find(name).map(|preset| Layer::new(preset.file, preset.toml));
    let settings: settings::Settings<C> = settings::from_extending_toml(without_mark(text), file, find)?;
    let numbers = check::numbers("", &settings.value).map_err(RecipeError::of_setting);
    numbers.and_then(|()| settings.value.check()).map_err(|error| error.located(&settings))?;
    Ok(settings.value)
}

/// Returns all settings as TOML.
pub(crate) fn to_toml(settings: &impl Serialize) -> Result<String, RecipeError> {
    toml::to_string_pretty(settings).map_err(|error| RecipeError::setting("settings", error.to_string()))
}

/// Declares presets by name from files of the folder `presets`.
macro_rules! presets {
    ($($name:literal),* $(,)?) => {
        &[$(crate::preset::Preset::new(
            $name,
            concat!("presets/", $name, ".toml"),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/presets/", $name, ".toml")),
        )),*]
    };
}
pub(crate) use presets;
