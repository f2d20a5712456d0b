//! A download that goes on where its connection broke.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use crate::adapters::network::http::{HttpAnswer, broken};
use crate::adapters::network::retry::{Failure, Waits};
use crate::refusal::transport::TransportFault;

/// Asks for the bytes from an offset to the end.
pub type OpenAt<'a> = Box<dyn Fn(u64) -> Result<HttpAnswer, TransportFault> + Send + 'a>;

/// How much must come between two failures for the second one to count as the first.
const PROGRESS: u64 = 16 << 10;

/// Reads `size` bytes, with a new request wherever a connection breaks.
///
/// Ends after that many bytes, whatever the server would still send.
pub struct Resuming<'a> {
    open: OpenAt<'a>,
    body: Option<Box<dyn Read + Send>>,
    size: u64,
    at: u64,
    /// Where the last connection began.
    began: u64,
    waits: Waits,
    fault: LastFault,
}

/// The fault that ended a download. Its reader learns only the text of it.
#[derive(Clone, Debug, Default)]
pub struct LastFault(Arc<Mutex<Option<TransportFault>>>);

impl LastFault {
    /// Returns the fault, if there was one.
    pub fn get(&self) -> Option<TransportFault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<'a> Resuming<'a> {
    /// Opens the first connection.
    pub fn open(size: u64, open: OpenAt<'a>) -> Result<Self, TransportFault> {
        let mut reading = Self::unopened(size, open);
        reading.connect().map_err(|failure| failure.fault)?;
        Ok(reading)
    }

    /// Goes on with a connection that has been opened, from byte 0.
    pub fn opened(size: u64, first: HttpAnswer, open: OpenAt<'a>) -> Self {
        Self {
            body: Some(Box::new(first.reader())),
            ..Self::unopened(size, open)
        }
    }

    fn unopened(size: u64, open: OpenAt<'a>) -> Self {
        Self {
            open,
            body: None,
            size,
            at: 0,
            began: 0,
            waits: Waits::default(),
            fault: LastFault::default(),
        }
    }

    /// Returns where the fault will be that ends this download.
    pub fn fault(&self) -> LastFault {
        self.fault.clone()
    }

    fn connect(&mut self) -> Result<(), Failure> {
        // Opening has been tried often enough when it fails.
        let answer = (self.open)(self.at).map_err(Failure::last)?;
        let malformed = |said: String| {
            Failure::last(TransportFault::Malformed {
                what: "the answer to a range",
                said,
            })
        };
        let left = self.size - self.at;
        // Without ranges, the server sends everything again.
        let skip = match answer.status {
            206 => {
                let range = answer.header("content-range").unwrap_or_default();
                let begins = format!("bytes {}-", self.at);
                if !range.starts_with(&begins) {
                    return Err(malformed(format!("expected {begins}…, found {range:?}")));
                }
                0
            }
            200 => self.at,
            _ => return Err(Failure::last(answer.fault())),
        };
        if let Some(announced) = answer.size()
            && announced != left + skip
        {
            return Err(malformed(format!(
                "expected {} bytes, and {announced} are announced",
                left + skip
            )));
        }
        let mut body = answer.reader();
        self.began = self.at;
        io::copy(&mut (&mut body).take(skip), &mut io::sink()).map_err(|e| Failure::from(broken(&e)))?;
        self.body = Some(Box::new(body));
        Ok(())
    }

    fn failed(&mut self, failure: Failure) -> io::Result<()> {
        self.body = None;
        if self.at - self.began >= PROGRESS {
            self.waits.progressed();
        }
        self.waits.next(failure).map_err(|fault| {
            let error = io::Error::other(fault.to_string());
            *self.fault.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
            error
        })
    }
}

impl Read for Resuming<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.size || buf.is_empty() {
            return Ok(0);
        }
        let most = buf
            .len()
            .min(usize::try_from(self.size - self.at).unwrap_or(usize::MAX));
        loop {
            let read = match &mut self.body {
                Some(body) => body.read(&mut buf[..most]),
                None => match self.connect() {
                    Ok(()) => continue,
                    Err(failure) => {
                        self.failed(failure)?;
                        continue;
                    }
                },
            };
            match read {
                Ok(0) => self.failed(TransportFault::Short.into())?,
                Ok(n) => {
                    self.at += n as u64;
                    return Ok(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => self.failed(broken(&e).into())?,
            }
        }
    }
}
