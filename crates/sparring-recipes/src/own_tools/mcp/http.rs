//! A server at a URL.

use super::session::{self, Deadline, Failure};
use super::{TOKEN_VARIABLE, short};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::{StreamableHttpClientTransportConfig, StreamableHttpError};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use serde_json::Value;
use std::error::Error;
use std::sync::Arc;

/// The definitions of the tools of the server at this URL.
pub(super) async fn list(url: &Url, token: Option<&str>, deadline: Deadline) -> Result<Vec<Value>, String> {
    let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
    config.auth_header = token.map(str::to_owned);
    let transport = StreamableHttpClientTransport::with_client(client(url)?, config);
    Box::pin(session::list(transport, deadline)).await.map_err(|failure| match failure {
        Failure::Late(request) => format!(
            "it did not answer `{request}` within {:?}; check the address, or try again later",
            deadline.limit
        ),
        Failure::Closed(request) => format!(
            "the connection ended before an answer to `{request}`; check that an MCP server is at this address"
        ),
        Failure::Other(what) => what,
    })
}

/// A client with the certificates of the system, and `ring` for its cryptography whatever the process uses by default.
fn client(url: &Url) -> Result<Client, String> {
    let failed =
        |error: &dyn Error| format!("TLS cannot be set up: {error}; install the system's CA certificates");
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?;
    let tls = match url.scheme() {
        "https" => tls.with_platform_verifier().map_err(|error| failed(&error))?,
        // There may be no certificates, and none is needed.
        _ => tls.with_root_certificates(RootCertStore::empty()),
    };
    let client = Client::builder()
        .tls_backend_preconfigured(tls.with_no_client_auth())
        .redirect(same_origin())
        // As rmcp's own client: a reused connection may wait for 40 ms.
        .pool_max_idle_per_host(0);
    let client = if local(url) { client.no_proxy() } else { client };
    client.build().map_err(|error| failed(&error))
}

/// Follows redirects that keep the message, and only where the token may be sent.
fn same_origin() -> Policy {
    const MOST: usize = 10;
    Policy::custom(|attempt| {
        let keeps =
            [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT].contains(&attempt.status());
        let first = attempt.previous().first().map(Url::origin);
        if keeps && first == Some(attempt.url().origin()) && attempt.previous().len() <= MOST {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}

/// Whether this machine is meant, to which no proxy leads.
fn local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// What went wrong over HTTP, and what to do; `None` for an error of something else.
pub(super) fn explain(error: &(dyn Error + 'static)) -> Option<String> {
    let error =
        causes(error).find_map(|error| error.downcast_ref::<StreamableHttpError<reqwest::Error>>())?;
    Some(match (status(error), error) {
        (Some(status), _) => of_status(status),
        (_, StreamableHttpError::Client(error)) => {
            // The first ones repeat the address.
            let cause = causes(error).last().map_or_else(String::new, |cause| short(&cause.to_string()));
            format!("no connection ({cause}); start the server, or check the address")
        }
        (_, StreamableHttpError::UnexpectedContentType(kind)) => {
            let kind = short(kind.as_deref().unwrap_or("no content type"));
            format!("it answered with {kind}, which is not MCP; check the path of the address, often /mcp")
        }
        (_, error) => {
            let what = short(&error.to_string());
            format!("its answer is not that of MCP ({what}); check the path of the address, often /mcp")
        }
    })
}

/// An error and what caused it, outermost first.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// The HTTP status of a refusal.
fn status(error: &StreamableHttpError<reqwest::Error>) -> Option<u16> {
    match error {
        StreamableHttpError::AuthRequired(_) => Some(401),
        StreamableHttpError::InsufficientScope(_) => Some(403),
        StreamableHttpError::SessionExpired => Some(404),
        StreamableHttpError::HttpStatus(error) => Some(error.status),
        StreamableHttpError::Client(error) => error.status().map(|status| status.as_u16()),
        // Other statuses are known by rmcp's text only.
        StreamableHttpError::UnexpectedServerResponse(text) => {
            text.strip_prefix("HTTP ")?.get(..3)?.parse().ok()
        }
        _ => None,
    }
}

fn of_status(status: u16) -> String {
    let remedy = match status {
        300..=399 => "give the address that it redirects to".to_owned(),
        401 | 403 => format!("give a token that it accepts ({TOKEN_VARIABLE})"),
        404 | 405 => "check the path of the address, often /mcp".to_owned(),
        429 => "try again later".to_owned(),
        500.. => "see the server's log, or try again later".to_owned(),
        _ => "check the address".to_owned(),
    };
    let name =
        StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    format!("it answered HTTP {status} {name}; {remedy}")
}
