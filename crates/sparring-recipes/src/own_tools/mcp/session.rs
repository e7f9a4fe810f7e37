//! `initialize` and all pages of `tools/list`, over any transport.

use super::{http, short};
use rmcp::RoleClient;
use rmcp::model::{
    ClientCapabilities, ClientConfig, ClientRequest, ErrorData, Implementation, ListToolsRequest,
    PaginatedRequestParams, ProtocolVersion, ServerResult,
};
use rmcp::service::{ClientInitializeError, RunningService, ServiceError, ServiceExt};
use rmcp::transport::{DynamicTransportError, IntoTransport};
use serde_json::Value;
use std::collections::HashSet;
use std::error::Error;
use std::time::Duration;
use tokio::time::Instant;

/// Tools and pages of one server. Far more than a model can choose from.
const MOST_TOOLS: usize = 1000;
const MOST_PAGES: usize = 200;

/// How long the end of a session or a process is waited for.
pub(super) const GRACE: Duration = Duration::from_secs(1);

const INITIALIZE: &str = "initialize";
const LIST: &str = "tools/list";

/// The time until which a server must have answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    /// `None` if it is too far away to be counted.
    at: Option<Instant>,
    pub(super) limit: Duration,
}

impl Deadline {
    pub(super) fn new(limit: Duration) -> Self {
        Self { at: Instant::now().checked_add(limit), limit }
    }

    async fn keep<T>(self, request: &'static str, answer: impl Future<Output = T>) -> Result<T, Failure> {
        match self.at {
            Some(at) => tokio::time::timeout_at(at, answer).await.map_err(|_| Failure::Late(request)),
            None => Ok(answer.await),
        }
    }
}

/// Why there is no list of tools.
#[derive(Debug)]
pub(super) enum Failure {
    /// There was no answer to this request in time.
    Late(&'static str),
    /// The connection ended before there was an answer to this request.
    Closed(&'static str),
    /// Something else, in words.
    Other(String),
}

/// The definitions of the tools of the server at the other end.
pub(super) async fn list<T, E, A>(transport: T, deadline: Deadline) -> Result<Vec<Value>, Failure>
where
    T: IntoTransport<RoleClient, E, A>,
    E: Error + Send + Sync + 'static,
{
    let name = Implementation::new("sparring", env!("CARGO_PKG_VERSION"));
    // Later versions of the protocol have no `initialize`.
    let client = ClientConfig::new(ClientCapabilities::default(), name)
        .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE);
    let begun = deadline.keep(INITIALIZE, client.serve(transport)).await?;
    let mut service = begun.map_err(not_initialized)?;
    let listed = pages(&service, deadline).await;
    let _ = service.close_with_timeout(GRACE).await;
    listed
}

type Service = RunningService<RoleClient, ClientConfig>;

async fn pages(service: &Service, deadline: Deadline) -> Result<Vec<Value>, Failure> {
    let (mut tools, mut cursor, mut seen) = (Vec::new(), None, HashSet::new());
    for _ in 0..MOST_PAGES {
        let (page, next) = deadline.keep(LIST, page(service, cursor)).await??;
        tools.extend(page);
        if tools.len() > MOST_TOOLS {
            let what =
                format!("it lists more than {MOST_TOOLS} tools; use a server, or settings of it, with fewer");
            return Err(Failure::Other(what));
        }
        match next {
            None => return Ok(tools),
            Some(next) if !seen.insert(next.clone()) => {
                let what = format!("its list of tools has no end: the cursor `{}` comes twice", short(&next));
                return Err(Failure::Other(format!("{what}; this is a fault of the server")));
            }
            next => cursor = next,
        }
    }
    let what =
        format!("its list of tools has no end within {MOST_PAGES} pages; this is a fault of the server");
    Err(Failure::Other(what))
}

/// One page, and the cursor of the next.
async fn page(service: &Service, cursor: Option<String>) -> Result<(Vec<Value>, Option<String>), Failure> {
    let params = cursor.map(|cursor| PaginatedRequestParams::default().with_cursor(Some(cursor)));
    let request = ListToolsRequest { params, ..ListToolsRequest::default() };
    let answer = service.send_request(ClientRequest::ListToolsRequest(request)).await.map_err(not_listed)?;
    let (tools, next) = match answer {
        ServerResult::ListToolsResult(page) => {
            let tools: Result<Vec<Value>, _> = page.tools.iter().map(serde_json::to_value).collect();
            (
                tools.map_err(|error| Failure::Other(format!("its tools cannot be read: {error}")))?,
                page.next_cursor,
            )
        }
        // A page with a definition that rmcp does not read. Ours may, and names the tool if not.
        ServerResult::CustomResult(page) => {
            let Some(tools) = page.0.get("tools").and_then(Value::as_array) else {
                return Err(strange(LIST));
            };
            (tools.clone(), page.0.get("nextCursor").and_then(Value::as_str).map(str::to_owned))
        }
        _ => return Err(strange(LIST)),
    };
    Ok((tools, next.filter(|cursor| !cursor.is_empty())))
}

fn strange(request: &str) -> Failure {
    Failure::Other(format!("its answer to `{request}` is not that of MCP; check that it is an MCP server"))
}

fn refused(request: &str, error: &ErrorData) -> Failure {
    let what = short(&error.message);
    Failure::Other(format!(
        "it answered `{request}` with error {}: {what}; see the server's documentation",
        error.code.0
    ))
}

fn not_initialized(error: ClientInitializeError) -> Failure {
    match error {
        ClientInitializeError::ConnectionClosed(_) => Failure::Closed(INITIALIZE),
        ClientInitializeError::TransportError { error, .. } => not_sent(INITIALIZE, &error),
        ClientInitializeError::JsonRpcError(error) => refused(INITIALIZE, &error),
        _ => strange(INITIALIZE),
    }
}

fn not_listed(error: ServiceError) -> Failure {
    match error {
        ServiceError::McpError(error) => refused(LIST, &error),
        ServiceError::TransportSend(error) => not_sent(LIST, &error),
        ServiceError::TransportClosed => Failure::Closed(LIST),
        _ => strange(LIST),
    }
}

/// HTTP says why; a process that does not read has ended.
fn not_sent(request: &'static str, error: &DynamicTransportError) -> Failure {
    http::explain(&*error.error).map_or(Failure::Closed(request), Failure::Other)
}
