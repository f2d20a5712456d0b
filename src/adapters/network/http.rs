//! The HTTP client: TLS always verified, plain HTTP only to this machine, every wait bounded, no redirect followed that
//! leads somewhere else, and a credential only to the host that it is for.

use std::io::Read;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ureq::config::Config;
use ureq::http::{Request, Response};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, SendBody};
use url::Url;
use zeroize::Zeroizing;

use crate::adapters::network::address::{GuardedResolver, Nearest, is_loopback, why_refused};
use crate::adapters::network::answer::MAX_MESSAGE;
use crate::adapters::network::patience::{Patience, timed_out};
use crate::adapters::network::redirect;
use crate::adapters::network::retry::repeat;
use crate::refusal::transport::TransportFault;

pub use crate::adapters::network::answer::{HttpAnswer, broken};
pub use ureq::http::Method;

/// How long is waited for a connection to the service that hands out a machine's credentials.
const METADATA_PATIENCE: Duration = Duration::from_secs(2);

/// Most redirects that are followed one after the other.
const REDIRECTS: usize = 5;

/// The value of an `Authorization` header, and the only origin that may see it.
pub struct Credential {
    /// The value of the header.
    pub header: Zeroizing<String>,
    /// A URL of the origin.
    pub origin: Url,
}

/// The body of a request.
pub enum Payload<'a> {
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
            place: agent(GuardedResolver::for_place(&nearest)),
            others: agent(GuardedResolver::for_others(&nearest)),
            insecure,
            patience,
        };
        client.ensure_encrypted(origin)?;
        Ok(client)
    }

    /// Returns a client for the service at which a cloud hands out the credentials of a machine. It is on the local link,
    /// without encryption, and answers at once or does not exist.
    pub fn of_metadata(origin: &Url) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(METADATA_PATIENCE))
            .timeout_global(Some(METADATA_PATIENCE * 5))
            .proxy(None)
            .build();
        let agent = |resolver| Agent::with_parts(config.clone(), DefaultConnector::default(), resolver);
        Self {
            origin: origin.clone(),
            place: agent(GuardedResolver::for_metadata()),
            others: agent(GuardedResolver::for_others(&Nearest::default())),
            insecure: true,
            patience: Patience::default(),
        }
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
    pub fn ask(&self, call: &Call<'_>, body: &[u8]) -> Result<HttpAnswer, TransportFault> {
        repeat(|| {
            let answer = self.follow(call, body)?;
            match answer.status {
                408 | 429 | 500 | 502 | 503 | 504 => Err(answer.failure()),
                _ => Ok(answer),
            }
        })
    }

    fn follow(&self, call: &Call<'_>, body: &[u8]) -> Result<HttpAnswer, TransportFault> {
        let mut url = call.url.clone();
        let content = |body| match call.method {
            Method::GET | Method::HEAD => Payload::Nothing,
            _ => Payload::Bytes(body),
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
            let to = answer.header("location").unwrap_or_default();
            if !matches!(call.method, Method::GET | Method::HEAD) {
                return Err(redirect::unfollowed(to));
            }
            let next = redirect::target(&url, to)?;
            url = next;
        }
        Err(TransportFault::Redirect {
            to: url.to_string(),
            why: "after too many other redirects",
        })
    }

    /// Sends a request once, without following redirects.
    pub fn once(&self, call: &Call<'_>, content: Payload<'_>) -> Result<HttpAnswer, TransportFault> {
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
            Payload::Nothing => run(agent, within, request.body(()).map_err(asked)?),
            Payload::Bytes(bytes) => run(agent, within, request.body(bytes).map_err(asked)?),
            Payload::Stream(reader, size) => {
                let request = request.header("content-length", size);
                run(
                    agent,
                    within,
                    request.body(SendBody::from_reader(reader)).map_err(asked)?,
                )
            }
        };
        let (parts, body) = sent.map_err(|e| fault(e, call.url))?.into_parts();
        Ok(HttpAnswer {
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

/// How the TLS library begins what it says of a certificate. The client passes it on as text.
const CERTIFICATE: &str = "invalid peer certificate: ";

fn fault(error: ureq::Error, url: &Url) -> TransportFault {
    let host = url.host_str().unwrap_or_default().to_owned();
    if let Some((_, said)) = error.to_string().split_once(CERTIFICATE) {
        let said = said.to_owned();
        return TransportFault::Untrusted { host, said };
    }
    match error {
        ureq::Error::Io(e) => match why_refused(&e) {
            Some(why) => TransportFault::Address { host, why },
            None => broken(&e),
        },
        ureq::Error::Timeout(which) => timed_out(which),
        ureq::Error::HostNotFound => TransportFault::Connection {
            said: format!("there is no host {host}"),
        },
        other => TransportFault::Connection {
            said: other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc;

    use super::*;

    const SHORT: Patience = Patience {
        step: Duration::from_millis(400),
        answer: Duration::from_millis(400),
        slowest: 8 << 10,
    };

    /// Starts a server that hands each connection to `serve`, and returns a client for it and its URL.
    fn server(serve: fn(TcpStream)) -> (Http, Url) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                std::thread::spawn(move || serve(connection));
            }
        });
        (Http::of(&url, false, SHORT).unwrap(), url)
    }

    /// Sends one byte every 20 milliseconds, for as long as anyone listens.
    fn drip(mut connection: TcpStream, head: &str) {
        drop(connection.write_all(head.as_bytes()));
        while connection.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Fails if `ask` does not end within five seconds.
    fn fault_of(serve: fn(TcpStream), ask: fn(&Http, &Url) -> Result<(), TransportFault>) -> TransportFault {
        let (http, url) = server(serve);
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(ask(&http, &url)));
        let asked = receiver.recv_timeout(Duration::from_secs(5));
        asked.expect("the wait is bounded").unwrap_err()
    }

    fn get(http: &Http, url: &Url) -> Result<(), TransportFault> {
        let call = Call {
            bytes: 1000,
            ..Call::new(Method::GET, url, None)
        };
        http.once(&call, Payload::Nothing)?.bytes(1 << 20).map(drop)
    }

    fn put(http: &Http, url: &Url) -> Result<(), TransportFault> {
        let call = Call {
            bytes: 1000,
            ..Call::new(Method::PUT, url, None)
        };
        let mut content = std::io::repeat(b'x');
        http.once(&call, Payload::Stream(&mut content, 1 << 40)).map(drop)
    }

    #[test]
    fn no_wait_for_a_server_is_without_a_bound() {
        let silent = |connection: TcpStream| {
            std::thread::sleep(Duration::from_secs(20));
            drop(connection);
        };
        let in_time = |fault| {
            let bounded = matches!(fault, TransportFault::Timeout | TransportFault::Slow);
            assert!(bounded, "{fault:?}");
        };
        in_time(fault_of(silent, get));
        in_time(fault_of(silent, put));
        in_time(fault_of(
            |connection| drip(connection, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"),
            get,
        ));
        in_time(fault_of(|connection| drip(connection, "HTTP/1.1 200 OK\r\nX: "), get));
    }

    #[test]
    fn a_handshake_that_does_not_end_is_given_up() {
        let (_, url) = server(|connection| {
            // The beginning of a long message of TLS.
            drip(connection, "\x16\x03\x03\x40\x00\x02\x00\x3f\x7c");
        });
        let url: Url = url.to_string().replace("http:", "https:").parse().unwrap();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(get(&Http::of(&url, false, SHORT).unwrap(), &url)));
        let asked = receiver.recv_timeout(Duration::from_secs(5));
        let fault = asked.expect("the wait is bounded").unwrap_err();
        assert_eq!(fault, TransportFault::Timeout);
    }

    #[test]
    fn an_answer_is_read_only_as_far_as_allowed() {
        let endless = |mut connection: TcpStream| {
            drop(connection.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
            while connection
                .write_all(b"3e8\r\n")
                .and(connection.write_all(&[b'x'; 1000]))
                .is_ok()
            {
                drop(connection.write_all(b"\r\n"));
            }
        };
        assert_eq!(fault_of(endless, get), TransportFault::TooLong { allowed: 1 << 20 });
    }

    #[test]
    fn a_credential_goes_only_to_its_own_origin() {
        fn echo(mut connection: TcpStream) {
            let mut asked = [0; 4096];
            let n = connection.read(&mut asked).unwrap_or_default();
            let body = String::from_utf8_lossy(&asked[..n]).to_lowercase();
            drop(write!(
                connection,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ));
        }
        let (http, url) = server(echo);
        let (_, elsewhere) = server(echo);
        let credential = Credential::basic("u", "p", &url);
        let sent = |to: &Url| {
            let call = Call::new(Method::GET, to, Some(&credential));
            let answer = http.once(&call, Payload::Nothing).unwrap();
            String::from_utf8(answer.bytes(1 << 20).unwrap())
                .unwrap()
                .contains("authorization")
        };
        assert!(sent(&url));
        assert!(!sent(&elsewhere));
    }
}
