//! Properties of any bytes as a file of settings, shared by the fuzz target and the test over its corpus.
use sparring_recipes::own_tools::OwnToolsConfig;
use sparring_recipes::papers::PaperConfig;
use sparring_recipes::tool_r0::ToolR0Config;
use sparring_selfplay::SelfPlayConfig;
use sparring_train::TrainConfig;
use std::fmt::{Debug, Display};

/// The first byte chooses the kind of settings; the others are the text.
///
/// # Panics
/// If an error is not one line, or what was read does not read the same once written.
pub(crate) fn check(data: &[u8]) {
    let [kind, text @ ..] = data else { return };
    let text = String::from_utf8_lossy(text);
    match kind % 5 {
        0 => round(&text, ToolR0Config::from_toml, |config| config.to_toml().ok()),
        1 => round(&text, PaperConfig::from_toml, |config| config.to_toml().ok()),
        2 => round(&text, OwnToolsConfig::from_toml, |config| config.to_toml().ok()),
        3 => round(&text, TrainConfig::from_toml, |config| {
            config.clone().build().ok()?;
            toml::to_string_pretty(config).ok()
        }),
        _ => round(&text, SelfPlayConfig::from_toml, |config| {
            config.clone().build().ok()?;
            toml::to_string_pretty(config).ok()
        }),
    }
}

/// Settings that are valid have a text (`write`), which gives the same settings.
fn round<C: PartialEq + Debug, E: Display + Debug>(
    text: &str,
    read: impl Fn(&str, &str) -> Result<C, E>,
    write: impl Fn(&C) -> Option<String>,
) {
    match read(text, "x.toml") {
        Err(error) => {
            let error = error.to_string();
            assert!(!error.is_empty(), "{text:?}");
        }
        Ok(config) => {
            let Some(written) = write(&config) else { return };
            assert_eq!(read(&written, "written.toml").unwrap(), config, "{text:?}");
        }
    }
}
