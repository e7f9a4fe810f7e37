//! Models that are named by their id on the Hugging Face Hub.

#[cfg(feature = "hub")]
mod download;

use crate::eval::identity::model_name;
use sparring::core::BoxError;
use std::path::{Path, PathBuf};

/// The folder or GGUF file that `--model` names: the path, if there is such a one; else the hub's model of that id,
/// which is downloaded if the cache does not have it.
///
/// # Errors
/// One line that begins with the option.
pub(crate) fn resolve(model: &Path) -> Result<PathBuf, BoxError> {
    if model.exists() {
        return Ok(model.to_owned());
    }
    on_the_hub(model)
}

/// The model's name: its folder's or file's, or the one on the hub.
///
/// # Errors
/// One line that begins with the path or the option.
pub(crate) fn name(model: &Path) -> Result<String, BoxError> {
    if model.exists() { model_name(model) } else { name_on_the_hub(model) }
}

/// What `--model` takes, where it names nothing.
fn nothing(model: &Path, more: &str) -> BoxError {
    format!(
        "--model {}: no such folder or GGUF file, and not a hub id (OWNER/NAME, with @REVISION or :FILE.gguf where \
         needed){more}",
        model.display()
    )
    .into()
}

#[cfg(feature = "hub")]
use download::{name_on_the_hub, on_the_hub};

#[cfg(not(feature = "hub"))]
use without::{name_on_the_hub, on_the_hub};

#[cfg(not(feature = "hub"))]
mod without {
    use super::{BoxError, Path, PathBuf, nothing};

    const BUILD: &str = " that this program could fetch: build it with `cargo install --path crates/sparring-cli \
                         --features hub`";

    pub(super) fn on_the_hub(model: &Path) -> Result<PathBuf, BoxError> {
        Err(nothing(model, BUILD))
    }

    pub(super) fn name_on_the_hub(model: &Path) -> Result<String, BoxError> {
        Err(nothing(model, BUILD))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_used_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let model = dir.path().join("owner").join("name");
        std::fs::create_dir_all(&model).unwrap();
        assert_eq!(resolve(&model).unwrap(), model);
        assert_eq!(name(&model).unwrap(), "name");
    }

    #[test]
    fn what_is_nothing_names_the_option() {
        for model in ["nowhere", "/no/where", "./a/b", "owner/name:file.bin"] {
            for error in [resolve(Path::new(model)).unwrap_err(), name(Path::new(model)).unwrap_err()] {
                let line = error.to_string();
                assert!(line.starts_with(&format!("--model {model}: no such folder")), "{line}");
                assert!(line.contains("OWNER/NAME") && !line.contains('\n'), "{line}");
                assert_eq!(line.contains("--features hub"), cfg!(not(feature = "hub")), "{line}");
            }
        }
    }
}
