//! The environment.

use super::Hub;
use sparring_core::PolicyError;
use std::path::PathBuf;

/// Reads the variables of `huggingface_hub`, by `huggingface_hub`'s rules.
pub(super) fn read(var: impl Fn(&str) -> Option<String>, user: Option<PathBuf>) -> Result<Hub, PolicyError> {
    let var = |name: &str| var(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
    let caches = var("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(user?.join(".cache")));
    let home = var("HF_HOME").map(PathBuf::from).or_else(|| Some(caches?.join("huggingface")));
    let cache = var("HF_HUB_CACHE").map(PathBuf::from).or_else(|| Some(home.as_ref()?.join("hub")));
    let cache = cache.ok_or_else(|| {
        PolicyError::invalid("no folder for the cache of the hub's models: set HF_HOME to one")
    })?;
    let is_on = |value: String| ["1", "on", "true", "yes"].contains(&value.to_lowercase().as_str());
    let mut hub = Hub::new(cache).with_offline(var("HF_HUB_OFFLINE").is_some_and(is_on));
    if let Some(endpoint) = var("HF_ENDPOINT") {
        hub = hub.with_endpoint(endpoint);
    }
    let saved = || {
        let text = std::fs::read_to_string(home?.join("token")).ok()?;
        Some(text.trim().to_owned()).filter(|token| !token.is_empty())
    };
    hub.token = var("HF_TOKEN").or_else(saved);
    Ok(hub)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn hub(variables: &[(&str, &str)]) -> Hub {
        let var = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        read(var, Some("/home/me".into())).unwrap()
    }

    #[test]
    fn the_cache_is_the_one_of_huggingface_hub() {
        for (variables, expected) in [
            (&[][..], "/home/me/.cache/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub"),
            (&[("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/x")], "/h/hub"),
            (&[("HF_HUB_CACHE", "/c"), ("HF_HOME", "/h")], "/c"),
            (&[("HF_HOME", " ")], "/home/me/.cache/huggingface/hub"),
        ] {
            assert_eq!(hub(variables).cache.path(), Path::new(expected));
        }
        assert!(read(|_| None, None).unwrap_err().to_string().contains("HF_HOME"));
    }

    #[test]
    fn endpoint_token_and_offline_are_read() {
        let plain = hub(&[]);
        assert_eq!((plain.endpoint.as_str(), plain.offline), ("https://huggingface.co", false));
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), "hf_saved\n").unwrap();
        let home = dir.path().to_str().unwrap();
        let saved = hub(&[("HF_HOME", home), ("HF_ENDPOINT", "https://mirror/"), ("HF_HUB_OFFLINE", "1")]);
        assert_eq!(saved.token.as_deref(), Some("hf_saved"));
        assert_eq!((saved.endpoint.as_str(), saved.offline), ("https://mirror", true));
        let named = hub(&[("HF_HOME", home), ("HF_TOKEN", "hf_mine"), ("HF_HUB_OFFLINE", "0")]);
        assert_eq!((named.token.as_deref(), named.offline), (Some("hf_mine"), false));
        assert!(!format!("{named:?}").contains("hf_mine"));
    }
}
