//! The HTTP client: TLS always verified, plain HTTP only to this machine, every wait bounded, no redirect followed that
//! leads somewhere else, and a credential only to the host that it is for.

use std::io::{self, Read};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ureq::config::Config;
use ureq::http::{HeaderMap, Request, Response};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, SendBody, Timeout};
use url::Url;
use zeroize::Zeroizing;

use crate::adapters::network::address::{Guarded, Nearest, is_loopback, why_refused};
use crate::adapters::network::retry::{Again, Failure, repeat};
use crate::refusal::io_reason;
use crate::refusal::transport::TransportFault;

pub use ureq::http::Method;

/// How long is waited for a server.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a name, a connection, or the next bytes.
    pub step: Duration,
    /// For an answer after a request was sent whole. A registry hashes what it got before it answers.
    pub answer: Duration,
    /// The slowest transfer, in bytes a second.
    pub slowest: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            step: Duration::from_secs(60),
            answer: Duration::from_secs(300),
            slowest: 8 << 10,
        }
    }
}

impl Patience {
    /// Returns how long a transfer of `bytes` bytes may take.
    fn of(&self, bytes: u64) -> Duration {
        self.step + Duration::from_secs(bytes / self.slowest)
    }
}

/// Most redirects that are followed one after the other.
const REDIRECTS: usize = 5;

/// Most bytes of an error message that are read.
const MAX_MESSAGE: u64 = 64 << 10;

/// The value of an `Authorization` header, and the only origin that may see it.
pub struct Credential {
    /// The value of the header.
    pub header: Zeroizing<String>,
    /// A URL of the origin.
    pub origin: Url,
}

/// The body of a request.
pub enum Content<'a> {
    /// None.
    Nothing,
    /// These bytes.
    Bytes(&'a [u8]),
    /// So many bytes of a reader. Such a request is sent once.
    Stream(&'a mut dyn Read, u64),
}

/// A request.
pub struct Call<'a> {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: &'a Url,
    /// Its headers, without a credential.
    pub headers: &'a [(&'a str, &'a str)],
    /// The credential for its origin.
    pub credential: Option<&'a Credential>,
    /// How many bytes are sent and read, for the time that it may take.
    pub bytes: u64,
}

impl Credential {
    /// Returns a user and a password for the origin of a URL (RFC 7617).
    pub fn basic(user: &str, password: &str, origin: &Url) -> Self {
        let pair = Zeroizing::new(format!("{user}:{password}"));
        Self {
            header: Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes()))),
            origin: origin.clone(),
        }
    }
}

impl<'a> Call<'a> {
    /// Returns a call with few bytes and without headers.
    pub fn new(method: Method, url: &'a Url, credential: Option<&'a Credential>) -> Self {
        Self {
            method,
            url,
            headers: &[],
            credential,
            bytes: MAX_MESSAGE,
        }
    }
}

/// An answer, its body not read yet.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The URL that answered.
    pub url: Url,
    headers: HeaderMap,
    body: Body,
}

impl Answer {
    /// Returns the value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns all values of a header that are text.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect()
    }

    /// Returns the announced size of the body in bytes.
    pub fn size(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// Reads the body, of at most `max` bytes.
    pub fn bytes(self, max: u64) -> Result<Vec<u8>, TransportFault> {
        let mut bytes = Vec::new();
        let mut reader = self.body.into_reader();
        reader
            .by_ref()
            .take(max + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| broken(&e))?;
        match bytes.len() as u64 > max {
            true => Err(TransportFault::TooLong { allowed: max }),
            false => Ok(bytes),
        }
    }

    /// Returns a reader of the body.
    pub fn reader(self) -> impl Read + Send {
        self.body.into_reader()
    }

    /// Reads the answer as an error.
    pub fn fault(self) -> TransportFault {
        self.failure().fault
    }

    /// Reads the answer as an error, and whether another attempt may help.
    pub fn failure(self) -> Failure {
        let code = self.status;
        let again = match code {
            429 | 503 => self
                .header("retry-after")
                .and_then(|after| after.trim().parse().ok())
                .map_or(Again::Soon, |seconds| Again::After(Duration::from_secs(seconds))),
            408 | 500 | 502 | 504 => Again::Soon,
            _ => Again::Never,
        };
        let said = self.bytes(MAX_MESSAGE).unwrap_or_default();
        let said = brief(&said);
        Failure {
            fault: TransportFault::Status { code, said },
            again,
        }
    }
}

/// Returns the first line of what a server said, short, or the first message of an OCI error.
fn brief(said: &[u8]) -> String {
    let message = serde_json::from_slice::<serde_json::Value>(said)
        .ok()
        .and_then(|value| {
            let message = value.pointer("/errors/0/message").or_else(|| value.get("message"))?;
            message.as_str().map(str::to_owned)
        });
    let text = message.unwrap_or_else(|| String::from_utf8_lossy(said).into_owned());
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    // A page for browsers says nothing to a person here.
    match line.starts_with('<') {
        true => String::new(),
        false => line.chars().take(200).collect(),
    }
}

/// A client for one place.
#[derive(Debug)]
pub struct Http {
    origin: Url,
    place: Agent,
    others: Agent,
    insecure: bool,
    patience: Patience,
}

impl Http {
    /// Returns a client for the place at `origin`. With `insecure`, it may be reached over plain HTTP.
    pub fn of(origin: &Url, insecure: bool, patience: Patience) -> Result<Self, TransportFault> {
        let nearest = Nearest::default();
        let local = origin.host_str().is_some_and(is_loopback);
        let agent = |resolver| Agent::with_parts(config(local, patience), DefaultConnector::default(), resolver);
        let client = Self {
            origin: origin.clone(),
            place: agent(Guarded::for_place(&nearest)),
            others: agent(Guarded::for_others(&nearest)),
            insecure,
            patience,
        };
        client.ensure_encrypted(origin)?;
        Ok(client)
    }

    /// Refuses a URL that is neither encrypted nor on this machine.
    fn ensure_encrypted(&self, url: &Url) -> Result<(), TransportFault> {
        let host = url.host_str().unwrap_or_default();
        match url.scheme() {
            "https" => Ok(()),
            "http" if is_loopback(host) || (self.insecure && url.origin() == self.origin.origin()) => Ok(()),
            "http" => Err(TransportFault::Insecure { host: host.to_owned() }),
            _ => Err(TransportFault::Redirect {
                to: url.to_string(),
                why: "which is not HTTP",
            }),
        }
    }

    /// Sends a request until it is answered other than by a fault that may pass. Follows redirects of `GET` and `HEAD`.
    pub fn ask(&self, call: &Call<'_>, body: &[u8]) -> Result<Answer, TransportFault> {
        repeat(|| {
            let answer = self.follow(call, body)?;
            match answer.status {
                408 | 429 | 500 | 502 | 503 | 504 => Err(answer.failure()),
                _ => Ok(answer),
            }
        })
    }

    fn follow(&self, call: &Call<'_>, body: &[u8]) -> Result<Answer, TransportFault> {
        let mut url = call.url.clone();
        let content = |body| match call.method {
            Method::GET | Method::HEAD => Content::Nothing,
            _ => Content::Bytes(body),
        };
        for _ in 0..=REDIRECTS {
            let answer = self.once(
                &Call {
                    url: &url,
                    method: call.method.clone(),
                    ..*call
                },
                content(body),
            )?;
            if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let to = answer.header("location").unwrap_or_default().to_owned();
            let refused = |why| TransportFault::Redirect { to: to.clone(), why };
            if !matches!(call.method, Method::GET | Method::HEAD) {
                return Err(refused("but git-pack follows redirects only to read"));
            }
            let next = url.join(&to).map_err(|_| refused("which is not a URL"))?;
            if !next.username().is_empty() || next.password().is_some() {
                return Err(refused("with a user or a password in it"));
            }
            if url.scheme() == "https" && next.scheme() != "https" {
                return Err(refused("which is not encrypted"));
            }
            url = next;
        }
        Err(TransportFault::Redirect {
            to: url.to_string(),
            why: "after too many other redirects",
        })
    }

    /// Sends a request once, without following redirects.
    pub fn once(&self, call: &Call<'_>, content: Content<'_>) -> Result<Answer, TransportFault> {
        self.ensure_encrypted(call.url)?;
        let own = call.url.origin() == self.origin.origin();
        let agent = if own { &self.place } else { &self.others };
        let mut request = Request::builder().method(call.method.clone()).uri(call.url.as_str());
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        if let Some(credential) = call.credential
            && credential.origin.origin() == call.url.origin()
        {
            let mut value = ureq::http::HeaderValue::from_str(&credential.header)
                .map_err(|_| malformed("the credential", "it has characters that no header may have"))?;
            value.set_sensitive(true);
            request = request.header("authorization", value);
        }
        let within = self.patience.of(call.bytes);
        let asked = |e: ureq::http::Error| malformed("the request", &e.to_string());
        let sent = match content {
            Content::Nothing => run(agent, within, request.body(()).map_err(asked)?),
            Content::Bytes(bytes) => run(agent, within, request.body(bytes).map_err(asked)?),
            Content::Stream(reader, size) => {
                let request = request.header("content-length", size);
                run(
                    agent,
                    within,
                    request.body(SendBody::from_reader(reader)).map_err(asked)?,
                )
            }
        };
        let (parts, body) = sent.map_err(|e| fault(e, call.url))?.into_parts();
        Ok(Answer {
            status: parts.status.as_u16(),
            url: call.url.clone(),
            headers: parts.headers,
            body,
        })
    }
}

fn run<B: ureq::AsSendBody>(
    agent: &Agent,
    within: Duration,
    request: Request<B>,
) -> Result<Response<Body>, ureq::Error> {
    let within = Some(within);
    let request = agent.configure_request(request);
    agent.run(request.timeout_send_body(within).timeout_recv_body(within).build())
}

fn config(local: bool, patience: Patience) -> Config {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_resolve(Some(patience.step))
        .timeout_connect(Some(patience.step))
        .timeout_per_read(Some(patience.step))
        .timeout_per_write(Some(patience.step))
        .timeout_recv_response(Some(patience.answer))
        .user_agent(concat!("git-pack/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .tls_config(tls);
    if local {
        // A proxy must not see what this machine tells itself.
        config = config.proxy(None);
    }
    config.build()
}

fn malformed(what: &'static str, said: &str) -> TransportFault {
    TransportFault::Malformed {
        what,
        said: said.to_owned(),
    }
}

/// Returns the fault of an answer that broke off.
pub fn broken(error: &io::Error) -> TransportFault {
    match error.kind() {
        io::ErrorKind::TimedOut => TransportFault::Timeout,
        io::ErrorKind::UnexpectedEof => TransportFault::Short,
        _ => TransportFault::Connection { said: io_reason(error) },
    }
}

fn fault(error: ureq::Error, url: &Url) -> TransportFault {
    let host = url.host_str().unwrap_or_default().to_owned();
    match error {
        ureq::Error::Io(e) => match why_refused(&e) {
            Some(why) => TransportFault::Address { host, why },
            None => broken(&e),
        },
        ureq::Error::Timeout(Timeout::RecvBody | Timeout::SendBody) => TransportFault::Slow,
        ureq::Error::Timeout(_) => TransportFault::Timeout,
        ureq::Error::HostNotFound => TransportFault::Connection {
            said: format!("there is no host {host}"),
        },
        other => TransportFault::Connection {
            said: other.to_string(),
        },
    }
}
