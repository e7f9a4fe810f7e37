//! Requests to the hub.

use super::snapshot::{Snapshot, is_name};
use super::{Hub, ModelId};
use hf_hub::api::RepoInfo;
use sparring_core::{PolicyError, Seed};
use std::time::Duration;
use ureq::config::RedirectAuthHeaders;
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body, RequestBuilder};

/// Longest list of a repository's files that is read, in bytes.
const LONGEST_LISTING: u64 = 64 << 20;

/// Relative redirects (of renamed repositories) that are followed.
const REDIRECTS: usize = 5;

/// Why a request brought nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another attempt would fail as well.
    Final(PolicyError),
    /// Another attempt may succeed: what went wrong.
    Again(String),
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Self {
        Self::Final(error)
    }
}

/// What the hub says of a file.
#[derive(Debug)]
pub(super) struct Metadata {
    /// Where the file is, after renames.
    pub(super) url: String,
    pub(super) etag: String,
    pub(super) bytes: u64,
}

impl Metadata {
    /// The SHA-256 of the content, which is the tag of a large file.
    pub(super) fn sha256(&self) -> Option<&str> {
        let is = self.etag.len() == 64 && self.etag.bytes().all(|b| b.is_ascii_hexdigit());
        is.then_some(&*self.etag)
    }
}

/// A hub to ask.
#[derive(Debug)]
pub(super) struct Client<'a> {
    hub: &'a Hub,
    agent: Agent,
}

impl<'a> Client<'a> {
    pub(super) fn new(hub: &'a Hub) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // A compressed answer has another length than the file.
            .accept_encoding("identity")
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .user_agent(concat!("sparring/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(hub.timeout))
            .timeout_recv_response(Some(hub.timeout))
            .timeout_per_read(Some(hub.timeout));
        if ["http://127.0.0.1", "http://localhost"].iter().any(|local| hub.endpoint.starts_with(local)) {
            config = config.proxy(None);
        }
        Self { hub, agent: config.build().new_agent() }
    }

    /// The files of a revision, and its commit.
    pub(super) fn listing(&self, id: &ModelId) -> Result<RepoInfo, PolicyError> {
        let url = format!("{}/api/{}", self.hub.endpoint, id.hf().api_url());
        self.again(&format!("{id}: listing the files"), || {
            let mut answer = self.call(self.agent.get(&url), None)?;
            if !answer.status().is_success() {
                return Err(self.refused(id, None, &answer));
            }
            let body = answer.body_mut().with_config().limit(LONGEST_LISTING).read_to_string();
            let text = body.map_err(|error| Failure::Again(self.broken(&error)))?;
            serde_json::from_str(&text).map_err(|error| {
                let why =
                    format!("{url}: not the answer of a hub ({error}): check HF_ENDPOINT and the proxy");
                PolicyError::invalid(why).into()
            })
        })
    }

    /// Length and tag of a file.
    pub(super) fn metadata(&self, snapshot: &Snapshot, name: &str) -> Result<Metadata, PolicyError> {
        let (endpoint, id) = (&self.hub.endpoint, snapshot.id());
        let url = format!("{endpoint}/{}/resolve/{}/{name}", id.repo(), snapshot.commit());
        self.again(&format!("{id}: asking for {name}"), || {
            let mut url = url.clone();
            for _ in 0..REDIRECTS {
                // The answer that leads to a store of large files has what the hub knows of them.
                let head = self.agent.head(&url).config().max_redirects(0).build();
                let answer = self.call(head, None)?;
                let (status, headers) = (answer.status(), answer.headers());
                match text(headers, "location") {
                    Some(to) if status.is_redirection() && to.starts_with('/') => {
                        url = format!("{endpoint}{to}");
                    }
                    _ if status.is_success() || status.is_redirection() => {
                        return described(url, headers, status.is_redirection())
                            .map_err(|what| unusable(id, name, what).into());
                    }
                    _ => return Err(self.refused(id, Some(name), &answer)),
                }
            }
            Err(Failure::Final(unusable(id, name, "an end of its redirects")))
        })
    }

    /// Asks for a file from this byte on.
    pub(super) fn content(
        &self,
        snapshot: &Snapshot,
        name: &str,
        metadata: &Metadata,
        from: u64,
    ) -> Result<Response<Body>, Failure> {
        let answer = self.call(self.agent.get(&metadata.url), Some(from).filter(|&from| from > 0))?;
        if answer.status().is_success() || answer.status() == 416 {
            return Ok(answer);
        }
        Err(self.refused(snapshot.id(), Some(name), &answer))
    }

    fn call(
        &self,
        mut request: RequestBuilder<ureq::typestate::WithoutBody>,
        from: Option<u64>,
    ) -> Result<Response<Body>, Failure> {
        if let Some(token) = &self.hub.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(from) = from {
            request = request.header("range", format!("bytes={from}-"));
        }
        // TLS reports a certificate that it does not trust as invalid data.
        let is_data = |error: &std::io::Error| error.kind() == std::io::ErrorKind::InvalidData;
        request.call().map_err(|error| match error {
            ureq::Error::Io(ref io) if !is_data(io) => Failure::Again(self.broken(&error)),
            ureq::Error::BadUri(_)
            | ureq::Error::Http(_)
            | ureq::Error::InvalidProxyUrl
            | ureq::Error::Io(_)
            | ureq::Error::Tls(_) => {
                let endpoint = &self.hub.endpoint;
                let why = format!("{endpoint}: {error}: check HF_ENDPOINT, HF_TOKEN and the proxy");
                Failure::Final(PolicyError::invalid(why))
            }
            _ => Failure::Again(self.broken(&error)),
        })
    }

    /// What is said of a connection that failed.
    fn broken(&self, error: &ureq::Error) -> String {
        format!("{}: {error}", self.hub.endpoint)
    }

    /// What an answer without content means.
    fn refused(&self, id: &ModelId, file: Option<&str>, answer: &Response<Body>) -> Failure {
        let status = answer.status().as_u16();
        let code = text(answer.headers(), "x-error-code").unwrap_or_default();
        let endpoint = &self.hub.endpoint;
        let repo = id.repo();
        let why = match (status, code, file) {
            (408 | 429 | 500.., ..) => {
                return Failure::Again(format!("{endpoint} answers with status {status}"));
            }
            (401 | 403, "GatedRepo", _) | (403, ..) => format!(
                "access is restricted (status {status}): ask for it at {endpoint}/{repo}, and set HF_TOKEN to a token \
                 of the account that has it"
            ),
            (401, ..) => {
                let token = if self.hub.token.is_some() {
                    "the token of HF_TOKEN may not read it"
                } else {
                    "it is private or gated"
                };
                format!(
                    "{endpoint} refuses it (status 401): there is no such model, or {token}: check the id, and set \
                     HF_TOKEN to a token that may read it"
                )
            }
            (404, "RepoNotFound", _) => format!("{endpoint} has no such model (status 404): check the id"),
            (404, _, None) => {
                let revision = id.revision();
                format!(
                    "{endpoint} has no such model, or no revision {revision} of it (status 404): check the id"
                )
            }
            (404, _, Some(file)) => {
                format!("{endpoint} has no file {file} of it (status 404): check the revision")
            }
            _ => format!("{endpoint} answers with status {status}: check the id and HF_ENDPOINT"),
        };
        Failure::Final(PolicyError::invalid(format!("{id}: {why}")))
    }

    /// Repeats a request while the hub is unavailable.
    fn again<T>(&self, what: &str, request: impl Fn() -> Result<T, Failure>) -> Result<T, PolicyError> {
        let mut failed = 0;
        loop {
            match request() {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Again(why)) => {
                    failed += 1;
                    if !self.wait(failed) {
                        return Err(PolicyError::transient(
                            format!(
                                "{what} ({why}): try again, or check the network; what is already downloaded is kept"
                            ),
                            why,
                        ));
                    }
                }
            }
        }
    }

    /// Waits for the next attempt; `false` if there is none.
    pub(super) fn wait(&self, failed: u32) -> bool {
        let backoff = &self.hub.backoff;
        let again = failed < backoff.attempts;
        if again {
            let wait: Duration = backoff.wait(failed, Seed::new(u64::from(std::process::id())));
            std::thread::sleep(wait);
        }
        again
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// A file's headers; the error is what they lack.
fn described(url: String, headers: &HeaderMap, elsewhere: bool) -> Result<Metadata, &'static str> {
    let etag = text(headers, "x-linked-etag").or(text(headers, "etag")).ok_or("an ETag")?;
    let etag = etag.trim_start_matches("W/").trim_matches('"').to_owned();
    if !is_name(&etag) {
        return Err("a usable ETag");
    }
    // The length of a redirect is not the file's.
    let length = text(headers, "content-length").filter(|_| !elsewhere);
    let bytes = text(headers, "x-linked-size").or(length).and_then(|size| size.parse().ok());
    Ok(Metadata { url, etag, bytes: bytes.ok_or("a length")? })
}

fn unusable(id: &ModelId, name: &str, lacks: &str) -> PolicyError {
    PolicyError::invalid(format!(
        "{id}: the hub's answer for {name} has not {lacks}: check HF_ENDPOINT and the proxy"
    ))
}
