//! Ids of models.

use hf_hub::{Repo, RepoType};
use sparring_core::PolicyError;
use std::fmt;
use std::str::FromStr;

/// The branch that is meant where none is named.
const MAIN: &str = "main";

/// A model of the hub: `OWNER/NAME`, with `@REVISION` for a branch, tag or commit, and `:FILE.gguf` for one file of a
/// repository with several GGUF files.
///
/// ```
/// use sparring_candle::hub::ModelId;
/// let id: ModelId = "Qwen/Qwen2.5-0.5B-Instruct-GGUF@main:qwen2.5-0.5b-instruct-q8_0.gguf".parse()?;
/// assert_eq!((id.name(), id.revision()), ("Qwen2.5-0.5B-Instruct-GGUF", "main"));
/// assert_eq!(id.file(), Some("qwen2.5-0.5b-instruct-q8_0.gguf"));
/// assert!("/models/qwen".parse::<ModelId>().is_err());
/// # Ok::<(), sparring_core::PolicyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelId {
    repo: String,
    revision: Option<String>,
    file: Option<String>,
}

impl ModelId {
    /// Owner and name, as in the hub's addresses.
    pub fn repo(&self) -> &str {
        &self.repo
    }

    /// The name without its owner.
    pub fn name(&self) -> &str {
        self.repo.split_once('/').map_or(&self.repo, |(_, name)| name)
    }

    /// The branch, tag or commit; `main` where none was named.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or(MAIN)
    }

    /// The GGUF file that was named.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// The repository as `hf-hub` knows it.
    pub(super) fn hf(&self) -> Repo {
        Repo::with_revision(self.repo.clone(), RepoType::Model, self.revision().to_owned())
    }
}

impl FromStr for ModelId {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let parse = || {
            let (rest, file) = text.split_once(':').map_or((text, None), |(rest, file)| (rest, Some(file)));
            let (repo, revision) = rest.split_once('@').map_or((rest, None), |(repo, at)| (repo, Some(at)));
            let (owner, name) = repo.split_once('/')?;
            let is_gguf = |file: &str| is_plain(file) && file.to_lowercase().ends_with(".gguf");
            let valid = is_part(owner) && is_part(name);
            let valid = valid && revision.is_none_or(is_plain) && file.is_none_or(is_gguf);
            let owned = |part: Option<&str>| part.map(str::to_owned);
            valid.then(|| Self { repo: repo.to_owned(), revision: owned(revision), file: owned(file) })
        };
        parse().ok_or_else(|| {
            PolicyError::invalid(format!(
                "\"{text}\": not a hub id (OWNER/NAME, with @REVISION or :FILE.gguf where needed)"
            ))
        })
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repo)?;
        self.revision.as_ref().map_or(Ok(()), |revision| write!(f, "@{revision}"))?;
        self.file.as_ref().map_or(Ok(()), |file| write!(f, ":{file}"))
    }
}

/// The hub's rule for owners and names.
fn is_part(part: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let edge = |c: char| !"-.".contains(c);
    (1..=96).contains(&part.len())
        && part.chars().all(allowed)
        && part.starts_with(edge)
        && part.ends_with(edge)
        && !part.contains("--")
        && !part.contains("..")
}

/// Whether a name of the hub is a relative path below a folder, and needs no escapes in an address. The hub's answers
/// become paths of this machine.
pub(super) fn is_plain(path: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+=".contains(c);
    path.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && part.chars().all(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_and_write_the_same() {
        for text in [
            "Qwen/Qwen2.5-0.5B-Instruct",
            "a/b@main",
            "a/b@refs/pr/3",
            "a_b/c.d:sub/x-Q4_0.gguf",
            "a/b@v1.0:x.GGUF",
        ] {
            assert_eq!(text.parse::<ModelId>().unwrap().to_string(), text);
        }
        let id: ModelId = "a/b@refs/pr/3:f.gguf".parse().unwrap();
        assert_eq!((id.repo(), id.revision(), id.file()), ("a/b", "refs/pr/3", Some("f.gguf")));
        assert_eq!("a/b".parse::<ModelId>().unwrap().revision(), "main");
    }

    #[test]
    fn paths_and_escapes_are_no_ids() {
        for text in [
            "",
            "a",
            "a/b/c",
            "/a/b",
            "./a",
            "../a",
            "a/..",
            "a//b",
            "a/b@",
            "a/b@../x",
            "a/b:",
            "a/b:x.bin",
            "a/b:../x.gguf",
            "a/b:/x.gguf",
            "a b/c",
            "a/b--c",
            "a/é",
            "a/b?x",
            "a\\b/c",
        ] {
            let error = text.parse::<ModelId>().unwrap_err().to_string();
            assert!(error.contains("OWNER/NAME"), "{error}");
        }
    }
}
