//! The tools of a server of the Model Context Protocol (MCP), as a [`Catalogue`].
//!
//! ```text
//!  a command line ─▶ child process ─┐
//!                                   ├─ initialize, tools/list (all pages) ─▶ definitions ─▶ Catalogue
//!  http(s)://...  ─▶ HTTP client ───┘
//! ```
//!
//! No tool is called: what a server offers is all that self-play over own tools needs. The protocol is that of the
//! crate `rmcp`, with both standard transports (stdio and streamable HTTP). Everything here blocks; the asynchronous
//! runtime behind it has its own thread and ends with the call.
//!
//! ```no_run
//! use sparring_recipes::own_tools::mcp::Server;
//! let files = Server::new("npx -y @modelcontextprotocol/server-filesystem /tmp")?.catalogue()?;
//! let notes = Server::new("http://127.0.0.1:8000/mcp")?.catalogue()?;
//! println!("{} tools", files.tools().len() + notes.tools().len());
//! # Ok::<(), sparring_recipes::RecipeError>(())
//! ```

mod child;
mod http;
mod session;

use super::Catalogue;
use super::catalogue::read;
use crate::RecipeError;
use serde_json::Value;
use session::Deadline;
use std::fmt;
use std::time::Duration;

/// The environment variable that errors about authorization name. Nothing here reads it: a program passes its value to
/// [`Server::with_token`].
pub const TOKEN_VARIABLE: &str = "SPARRING_MCP_TOKEN";

/// How long a server may take by default.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// A server whose tools are to be read.
#[derive(Clone)]
pub struct Server {
    name: String,
    address: Address,
    token: Option<String>,
    limit: Duration,
}

/// How a server is reached.
#[derive(Clone)]
enum Address {
    /// A program and its arguments.
    Command(Vec<String>),
    Url(reqwest::Url),
}

/// Without the token, and what is secret in the URL.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("name", &self.name).field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Server {
    /// The server at this URL, if it begins with `http://` or `https://`; else the one that this command line starts,
    /// which is split into words as a POSIX shell does (quotes and backslashes; no variables or patterns).
    ///
    /// ```
    /// use sparring_recipes::own_tools::mcp::Server;
    /// assert!(Server::new("python 'my server.py' --stdio").is_ok());
    /// let error = Server::new("python 'my server.py").unwrap_err().to_string();
    /// assert!(error.contains("missing closing quote"), "{error}");
    /// ```
    ///
    /// # Errors
    /// [`RecipeError::Mcp`] if it is no URL, has no words, or a quote does not end.
    pub fn new(server: &str) -> Result<Self, RecipeError> {
        let bad = |what: String| RecipeError::Mcp { server: server.to_owned(), what };
        if server.starts_with("http://") || server.starts_with("https://") {
            let url = reqwest::Url::parse(server)
                .map_err(|error| bad(format!("this is not a URL ({error}); correct it")))?;
            return Ok(Self::at(shown(&url), Address::Url(url)));
        }
        let words = shell_words::split(server).map_err(|error| {
            bad(format!("this is not a command line ({error}); quote its words as in a shell"))
        })?;
        if words.is_empty() {
            return Err(bad("there is no command; give the command line or the URL of a server".to_owned()));
        }
        Ok(Self::at(server.to_owned(), Address::Command(words)))
    }

    fn at(name: String, address: Address) -> Self {
        Self { name, address, token: None, limit: TIME_LIMIT }
    }

    /// Sends this bearer token to a server at a URL; a command takes secrets from its environment.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Sets the time for everything together: start, `initialize` and all pages of `tools/list`; 30 s by default. A
    /// server process that does not end when its input is closed takes a few seconds more.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The server's tools.
    ///
    /// # Errors
    /// [`RecipeError::Mcp`] says what happened and what to do, on one line: a command that is not found or ends too
    /// early (with the last line that it wrote), an address without a server, an HTTP status, something that does not
    /// speak MCP or does not answer in time, a list without an end, no tools, two tools with one name, or a definition
    /// that cannot be read.
    pub fn catalogue(&self) -> Result<Catalogue, RecipeError> {
        Ok(self.read()?.1)
    }

    /// The definitions of the server's tools as it wrote them, in MCP's form, which [`Catalogue::from_text`] reads.
    ///
    /// # Errors
    /// As [`catalogue`](Self::catalogue).
    pub fn definitions(&self) -> Result<Vec<Value>, RecipeError> {
        Ok(self.read()?.0)
    }

    fn read(&self) -> Result<(Vec<Value>, Catalogue), RecipeError> {
        let bad = |what: String| {
            let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
            RecipeError::Mcp { server: self.name.clone(), what }
        };
        let definitions = self.list().map_err(bad)?;
        if definitions.is_empty() {
            return Err(bad("it has no tools; choose another server, or check its settings".to_owned()));
        }
        let tools = read(&definitions).map_err(|what| bad(format!("{what}; correct it in the server")))?;
        match Catalogue::new(tools, &self.name) {
            Ok(catalogue) => Ok((definitions, catalogue)),
            Err(RecipeError::Tools { what, .. }) => Err(bad(what)),
            Err(error) => Err(error),
        }
    }

    /// The definitions, read in a thread of its own: to block on a runtime panics in a thread that already has one.
    fn list(&self) -> Result<Vec<Value>, String> {
        let failed = |error| format!("the client cannot be started: {error}");
        let run = || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
            let listed = runtime.block_on(async {
                let deadline = Deadline::new(self.limit);
                match &self.address {
                    Address::Command(words) => child::list(words, deadline).await,
                    Address::Url(url) => Box::pin(http::list(url, self.token.as_deref(), deadline)).await,
                }
            });
            // Dropping it would wait for a host name that is still being looked up.
            runtime.shutdown_background();
            listed
        };
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new()
                .name("mcp".to_owned())
                .spawn_scoped(scope, run)
                .map_err(failed)?;
            thread.join().unwrap_or_else(|_| Err("the client failed; please report this".to_owned()))
        })
    }
}

/// A URL without what may be secret: the user and the query.
fn shown(url: &reqwest::Url) -> String {
    let mut url = url.clone();
    // Both fail for URLs without a host only.
    let _ = (url.set_username(""), url.set_password(None));
    url.set_query(None);
    url.to_string()
}

/// The beginning of a text on one line, for a message.
fn short(text: &str) -> String {
    const MOST: usize = 200;
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
