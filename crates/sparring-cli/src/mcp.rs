//! The tools of an MCP server: `--mcp SERVER`.

use crate::errors::at;
use sparring::core::BoxError;
use sparring::train::store::disk::write_atomic;
use std::path::{Path, PathBuf};

/// The name of the list that a run keeps.
const FILE: &str = "tools.json";

/// The tools of a server, as a file for `--tools`. A run keeps it: whoever resumes the run needs no server, and the
/// tools are the same.
#[derive(Debug)]
pub(crate) struct Served {
    scratch: tempfile::TempDir,
    list: String,
}

impl Served {
    /// Asks the server.
    ///
    /// # Errors
    /// One line that names the server.
    pub(crate) fn fetch(server: &str) -> Result<Self, BoxError> {
        let (list, scratch) = (list(server)?, tempfile::tempdir()?);
        std::fs::write(scratch.path().join(FILE), &list)?;
        Ok(Self { scratch, list })
    }

    /// The list, in a folder that lives as long as this.
    pub(crate) fn path(&self) -> PathBuf {
        self.scratch.path().join(FILE)
    }

    /// Writes the list into the folder of a new run, and returns its path. Of a folder that holds a run already,
    /// nothing is changed; the run refuses it.
    ///
    /// # Errors
    /// The folder holds other tools, or the file cannot be written.
    pub(crate) fn keep(&self, dir: &Path) -> Result<PathBuf, BoxError> {
        let path = dir.join(FILE);
        if dir.join("run.json").exists() {
            return Ok(path);
        }
        if path.exists() && std::fs::read(&path).map_err(at(&path))? != self.list.as_bytes() {
            return Err(at(&path)("there are other tools already; choose another folder (option --out)"));
        }
        std::fs::create_dir_all(dir).map_err(at(dir))?;
        write_atomic(&path, self.list.as_bytes())?;
        Ok(path)
    }
}

/// The definitions, in the form of MCP's `tools/list`.
#[cfg(feature = "mcp")]
fn list(server: &str) -> Result<String, BoxError> {
    use sparring::recipes::own_tools::mcp::{Server, TOKEN_VARIABLE};
    let mut asked = Server::new(server)?;
    if let Ok(token) = std::env::var(TOKEN_VARIABLE) {
        asked = asked.with_token(token);
    }
    let tools = serde_json::json!({ "tools": asked.definitions()? });
    Ok(serde_json::to_string_pretty(&tools)?)
}

#[cfg(not(feature = "mcp"))]
fn list(server: &str) -> Result<String, BoxError> {
    Err(format!(
        "--mcp {server}: this program was built without MCP: build it with `cargo install --path crates/sparring-cli \
         --features mcp`, or save the server's tools as a file (--tools FILE)"
    )
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_kept_only_in_a_folder_of_its_own() {
        let (scratch, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let served = Served { scratch, list: "[1]".to_owned() };
        let run = out.path().join("new/run");
        let path = served.keep(&run).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[1]");
        assert_eq!(served.keep(&run).unwrap(), path, "an attempt that failed is repeated");
        std::fs::write(&path, "[2]").unwrap();
        let error = served.keep(&run).unwrap_err().to_string();
        assert!(error.contains("tools.json: there are other tools"), "{error}");
        std::fs::write(run.join("run.json"), "{}").unwrap();
        assert_eq!(served.keep(&run).unwrap(), path);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[2]");
    }

    #[cfg(not(feature = "mcp"))]
    #[test]
    fn a_program_without_mcp_says_how_to_build_it() {
        let error = Served::fetch("npx server").unwrap_err().to_string();
        assert!(error.starts_with("--mcp npx server: ") && error.contains("--features mcp"), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}
