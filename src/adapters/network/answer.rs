//! What a server answered: its status, its headers, and its body, read within bounds.

use std::io::{self, Read};
use std::time::Duration;

use ureq::Body;
use url::Url;

use crate::adapters::network::patience::timed_out;
use crate::adapters::network::retry::{Again, Failure};
use crate::refusal::io_reason;
use crate::refusal::transport::TransportFault;

pub use ureq::http::{HeaderMap, StatusCode};

/// Most bytes of an error message that are read.
pub(super) const MAX_MESSAGE: u64 = 64 << 10;

/// An answer, its body not read yet.
#[derive(Debug)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The URL that answered.
    pub url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

impl HttpAnswer {
    /// Returns the status as a type.
    pub fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).expect("it came as one")
    }

    /// Returns all headers.
    pub fn header_map(&self) -> &HeaderMap {
        &self.headers
    }

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

    /// Reads the body up to where its connection breaks, if that is at least `enough` bytes.
    pub fn beginning(self, max: u64, enough: usize) -> Result<Vec<u8>, TransportFault> {
        let mut bytes = Vec::new();
        let read = self.body.into_reader().take(max).read_to_end(&mut bytes);
        match read {
            Err(e) if bytes.len() < enough => Err(broken(&e)),
            _ => Ok(bytes),
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
            let message = value
                .pointer("/errors/0/message")
                .or_else(|| value.pointer("/error/message"))
                .or_else(|| value.get("message"))?;
            message.as_str().map(str::to_owned)
        });
    let text = message.unwrap_or_else(|| String::from_utf8_lossy(said).into_owned());
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    // A page for browsers says nothing to a person here. An object store answers in XML.
    match line.starts_with('<') {
        true => [tagged(&text, "Code"), tagged(&text, "Message")]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(": ")
            .chars()
            .take(200)
            .collect(),
        false => line.chars().take(200).collect(),
    }
}

/// Returns the text of the first element with this name.
fn tagged<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once("</")?;
    Some(text.lines().next().unwrap_or_default())
}

/// Returns the fault of an answer that broke off.
pub fn broken(error: &io::Error) -> TransportFault {
    if let Some(ureq::Error::Timeout(which)) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return timed_out(*which);
    }
    match error.kind() {
        io::ErrorKind::TimedOut => TransportFault::Timeout,
        io::ErrorKind::UnexpectedEof => TransportFault::Short,
        _ => TransportFault::Connection { said: io_reason(error) },
    }
}
