use super::config::ToolR0Config;
use crate::RecipeError;

/// A named, embedded settings file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    name: &'static str,
    file: &'static str,
    toml: &'static str,
}

macro_rules! presets {
    ($($name:literal),* $(,)?) => {
        &[$(Preset {
            name: $name,
            file: concat!("presets/", $name, ".toml"),
            toml: include_str!(concat!("../../presets/", $name, ".toml")),
        }),*]
    };
}

const PRESETS: &[Preset] = presets![
    "paper",
    "released",
    "corrected",
    "shared-weights",
    "frozen-generator",
    "no-difficulty",
    "rectangular-band",
    "miniature",
    "quick",
];

impl Preset {
    /// Every preset: the paper, the released code, the corrected reading, its ablations, and the two small
    /// ones.
    pub fn all() -> &'static [Self] {
        PRESETS
    }

    /// The preset of this name.
    ///
    /// # Errors
    /// [`RecipeError::UnknownPreset`] lists the names that exist.
    pub fn find(name: &str) -> Result<Self, RecipeError> {
        PRESETS.iter().find(|preset| preset.name == name).copied().ok_or_else(|| RecipeError::UnknownPreset {
            name: name.to_owned(),
            known: PRESETS.iter().map(|preset| preset.name).collect::<Vec<_>>().join(", "),
        })
    }

    /// Reads and checks the preset of this name.
    ///
    /// # Errors
    /// [`RecipeError::UnknownPreset`] lists the names that exist.
    pub fn load(name: &str) -> Result<ToolR0Config, RecipeError> {
        let preset = Self::find(name)?;
        ToolR0Config::from_toml(preset.toml, preset.file)
    }

    /// Its name, as `--preset` takes it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its file within this crate.
    pub fn file(&self) -> &'static str {
        self.file
    }

    /// Its text.
    pub fn toml(&self) -> &'static str {
        self.toml
    }
}
