//! The requests of the object store library, sent by git-pack's own HTTP client: it alone decides whom they may reach, and
//! how long they may take. Redirects are not followed.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io::{self, Read};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http_body::Body;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};
use url::Url;
use zeroize::Zeroizing;

use super::fault::{CarriedFault, without_queries};
use crate::adapters::network::http::{Call, Credential, Http, HttpAnswer, Method, Payload};
use crate::adapters::network::patience::Patience;
use crate::adapters::network::retry::Again;
use crate::refusal::transport::TransportFault;

/// The longest answer that is read, in bytes: a part of an object, or a page of a list.
const MAX_ANSWER: u64 = 16 << 20;

/// How much of a part must have come for a broken connection to count as progress, in bytes.
const PROGRESS: usize = 16 << 10;

/// The longest wait that a server may ask for.
const LONGEST: Duration = Duration::from_secs(60);

/// Where clouds hand out the credentials of a machine. These names reach it only if they are the host of a request's own
/// URL, and no server can make one: redirects are not followed.
const METADATA: [&str; 6] = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "[fd00:ec2::23]",
    "[fd00:ec2::254]",
    "metadata.google.internal",
];

/// Makes clients for the library.
pub(super) struct Connector {
    /// Whether plain HTTP to other machines is allowed.
    pub(super) insecure: bool,
    /// Where credentials were looked for.
    pub(super) sought: &'static str,
    /// The service that hands out the credentials of a machine, if the configuration names one.
    pub(super) metadata: Option<Url>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // The library forbids plain HTTP for some requests for credentials, whatever the user allows.
        let allowed = options.get_config_value(&ClientConfigKey::AllowHttp);
        Ok(HttpClient::new(Service(Arc::new(Clients {
            insecure: self.insecure && allowed.as_deref() == Some("true"),
            sought: self.sought,
            metadata: self.metadata.as_ref().map(Url::origin),
            known: Mutex::new(Vec::new()),
        }))))
    }
}

struct Service(Arc<Clients>);

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Service")
    }
}

impl HttpService for Service {
    fn call<'service, 'call>(
        &'service self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'call>>
    where
        'service: 'call,
        Self: 'call,
    {
        let clients = self.0.clone();
        Box::pin(async move {
            let answered = tokio::task::spawn_blocking(move || clients.answer(request)).await;
            answered.unwrap_or_else(|e| Err(HttpError::new(HttpErrorKind::Unknown, e)))
        })
    }
}

/// One client for each origin. The user's configuration names them all.
struct Clients {
    insecure: bool,
    sought: &'static str,
    metadata: Option<url::Origin>,
    known: Mutex<Vec<(url::Origin, Arc<Http>)>>,
}

/// A request that was not answered as it should be.
struct Failed {
    fault: TransportFault,
    /// Whether another attempt may help.
    again: bool,
}

impl From<TransportFault> for Failed {
    fn from(fault: TransportFault) -> Self {
        let again = matches!(
            fault,
            TransportFault::Connection { .. } | TransportFault::Timeout | TransportFault::Slow | TransportFault::Short
        );
        Self { fault, again }
    }
}

impl Clients {
    fn answer(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.answered(request).map_err(|failed| {
            let kind = match failed.again {
                // The library repeats such a request, whatever its method. All of ours may be sent twice.
                true => HttpErrorKind::Request,
                false => HttpErrorKind::Unknown,
            };
            HttpError::new(kind, CarriedFault(failed.fault))
        })
    }

    fn answered(&self, request: HttpRequest) -> Result<HttpResponse, Failed> {
        let malformed = |what, said: &str| TransportFault::Malformed {
            what,
            said: said.to_owned(),
        };
        let (parts, body) = request.into_parts();
        let url: Url = parts
            .uri
            .to_string()
            .parse()
            .map_err(|_| malformed("the address", "it is not a URL"))?;
        let mut body = Frames::of(body)?;
        let mut headers = Vec::new();
        let mut credential = None;
        for (name, value) in &parts.headers {
            let value = value
                .to_str()
                .map_err(|_| malformed("a header", "it has characters that no header may have"))?;
            match name.as_str() {
                // The client makes these.
                "content-length" | "host" | "user-agent" => {}
                "authorization" => {
                    credential = Some(Credential {
                        header: Zeroizing::new(value.to_owned()),
                        origin: url.clone(),
                    });
                }
                name => headers.push((name, value)),
            }
        }
        let call = Call {
            headers: &headers,
            bytes: body.size + MAX_ANSWER,
            ..Call::new(parts.method.clone(), &url, credential.as_ref())
        };
        let content = match (body.size, &parts.method) {
            (0, &Method::PUT | &Method::POST) => Payload::Bytes(b""),
            (0, _) => Payload::Nothing,
            (size, _) => Payload::Stream(&mut body, size),
        };
        let is_metadata = is_metadata(&url);
        let hands_out = is_metadata || self.metadata.as_ref() == Some(&url.origin());
        let client = self.client(&url, is_metadata)?;
        match client.once(&call, content) {
            // A machine to which no role is attached.
            Ok(answer) if hands_out && (400..500).contains(&answer.status) => Err(self.unauthorized(false).into()),
            Ok(answer) => self.judged(answer, &parts.method, credential.as_ref()),
            // On a machine without such a service, there are no credentials. It does not come up later.
            Err(TransportFault::Connection { .. } | TransportFault::Timeout) if hands_out => {
                Err(self.unauthorized(false).into())
            }
            Err(_) if is_metadata => Err(self.unauthorized(false).into()),
            Err(fault) => Err(fault.into()),
        }
    }

    fn client(&self, url: &Url, is_metadata: bool) -> Result<Arc<Http>, TransportFault> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = known.iter().find(|(origin, _)| *origin == url.origin()) {
            return Ok(client.clone());
        }
        let client = match is_metadata {
            true => Http::of_metadata(url),
            false => Http::of(url, self.insecure, Patience::default())?,
        };
        let client = Arc::new(client);
        known.push((url.origin(), client.clone()));
        Ok(client)
    }

    fn unauthorized(&self, found: bool) -> TransportFault {
        TransportFault::Unauthorized {
            sought: self.sought.to_owned(),
            found,
        }
    }

    /// Returns the answers that the library is to see, and all others as faults.
    fn judged(
        &self,
        answer: HttpAnswer,
        method: &Method,
        credential: Option<&Credential>,
    ) -> Result<HttpResponse, Failed> {
        let status = answer.status;
        let mut response = HttpResponse::new(Vec::new().into());
        *response.status_mut() = answer.status_code();
        *response.headers_mut() = answer.header_map().clone();
        match status {
            200..=299 if *method == Method::HEAD => return Ok(response),
            // What came of a part of an object counts; the reader goes on behind it.
            206 => {
                *response.body_mut() = answer.beginning(MAX_ANSWER, PROGRESS)?.into();
                return Ok(response);
            }
            200..=299 => {
                *response.body_mut() = answer.bytes(MAX_ANSWER)?.into();
                return Ok(response);
            }
            // The library knows what these mean.
            404 if is_list(&answer.url) => {
                return Err(Failed::from(TransportFault::NotFound {
                    what: "the bucket".into(),
                }));
            }
            304 | 404 | 409 | 412 => return Ok(response),
            301 | 302 | 303 | 307 | 308 => return Err(redirected(&answer).into()),
            401 => return Err(self.unauthorized(credential.is_some()).into()),
            _ => {}
        }
        let failure = answer.failure();
        let wait = match failure.again {
            Again::After(wait) if wait <= LONGEST => wait,
            _ => Duration::ZERO,
        };
        let again = match failure.again {
            Again::Never => false,
            Again::Soon => true,
            Again::After(wait) => wait <= LONGEST,
        };
        std::thread::sleep(wait);
        let fault = match failure.fault {
            TransportFault::Status { code, said } => TransportFault::Status {
                code,
                said: cleaned(&said, credential),
            },
            other => other,
        };
        Err(Failed { fault, again })
    }
}

/// Returns whether a URL names the service at which a cloud hands out credentials.
pub(super) fn is_metadata(url: &Url) -> bool {
    url.host_str().is_some_and(|host| METADATA.contains(&host))
}

/// Returns whether a request asks for a list of objects.
fn is_list(url: &Url) -> bool {
    url.query_pairs().any(|(name, _)| name == "prefix")
}

/// Returns the fault of an answer that names another place.
fn redirected(answer: &HttpAnswer) -> TransportFault {
    match answer.header("x-amz-bucket-region") {
        Some(region) => TransportFault::Status {
            code: answer.status,
            said: format!("the bucket is in the region {region}"),
        },
        None => TransportFault::Redirect {
            to: without_queries(answer.header("location").unwrap_or("another place")),
            why: "and git-pack does not follow redirects of object stores",
        },
    }
}

/// Returns what a server said. If it repeats the credential, returns nothing.
fn cleaned(said: &str, credential: Option<&Credential>) -> String {
    let words = credential
        .iter()
        .flat_map(|credential| credential.header.split([' ', ',', '=']));
    let repeats = words.filter(|word| word.len() >= 8).any(|word| said.contains(word));
    match repeats {
        true => String::new(),
        false => without_queries(said),
    }
}

/// The body of a request as a reader. The library holds it in memory, so it never waits for a part.
struct Frames {
    left: VecDeque<<HttpRequestBody as Body>::Data>,
    at: usize,
    size: u64,
}

impl Frames {
    fn of(body: HttpRequestBody) -> Result<Self, TransportFault> {
        let mut frames = Self {
            left: VecDeque::new(),
            at: 0,
            size: 0,
        };
        let mut body = pin!(body);
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut context) {
            let data = frame.ok().and_then(|frame| frame.into_data().ok());
            let data = data.ok_or_else(|| TransportFault::Malformed {
                what: "the request",
                said: "its body is not bytes".into(),
            })?;
            frames.size += data.len() as u64;
            frames.left.push_back(data);
        }
        Ok(frames)
    }
}

impl Read for Frames {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(first) = self.left.front() {
            let n = (&first[self.at..]).read(buf)?;
            if n > 0 || buf.is_empty() {
                self.at += n;
                return Ok(n);
            }
            self.left.pop_front();
            self.at = 0;
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::PutPayload;

    #[test]
    fn a_body_is_read_frame_by_frame() {
        let parts = [&b"ab"[..], b"", b"cde"].map(|part| PutPayload::from(part.to_vec()));
        let payload: PutPayload = parts.into_iter().flatten().collect();
        assert_eq!(payload.as_ref().len(), 3);
        let mut frames = Frames::of(payload.into()).unwrap();
        assert_eq!(frames.size, 5);
        let mut read = String::new();
        frames.read_to_string(&mut read).unwrap();
        assert_eq!(read, "abcde");
    }

    #[test]
    fn a_server_cannot_have_the_credential_printed() {
        let credential = Credential {
            header: Zeroizing::new("Bearer ya29.secret-token".into()),
            origin: "https://h/".parse().unwrap(),
        };
        assert_eq!(cleaned("you sent ya29.secret-token", Some(&credential)), "");
        assert_eq!(
            cleaned("no such https://h/b?sig=x", Some(&credential)),
            "no such https://h/b"
        );
    }

    #[test]
    fn only_the_written_names_reach_the_metadata_service() {
        for (url, reaches) in [
            ("http://169.254.169.254/latest/api/token", true),
            ("http://2852039166/", true),
            ("http://[fd00:ec2::254]/latest", true),
            ("http://metadata.google.internal/x", true),
            ("http://[::ffff:169.254.169.254]/", false),
            ("http://169.254.169.253/", false),
            ("http://metadata.google.internal.example/", false),
            ("http://169.254.169.254.example/", false),
            ("http://127.0.0.1/169.254.169.254", false),
        ] {
            assert_eq!(is_metadata(&url.parse().unwrap()), reaches, "{url}");
        }
    }
}
