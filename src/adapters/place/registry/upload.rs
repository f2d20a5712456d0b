//! Uploads of blobs to a registry, which go on where a connection broke.

use std::io::{self, Read};

use url::Url;

use super::OciRegistry;
use super::auth::RegistryAccess;
use crate::adapters::network::http::{Call, HttpAnswer, Method, Payload};
use crate::adapters::network::redirect;
use crate::adapters::network::retry::{Again, Failure, Waits, repeat};
use crate::adapters::place::{Outgoing, OutgoingMember, Progress};
use crate::format::digest::Digest;
use crate::refusal::transport::TransportFault;
use crate::refusal::{Refusal, Result};

/// The largest blob that is sent in one request, in bytes.
const SMALL: u64 = 1 << 20;

/// Sends a member.
pub(super) fn upload(
    registry: &OciRegistry,
    member: &OutgoingMember,
    pack: &Outgoing<'_>,
    told: &dyn Progress,
) -> Result<()> {
    if member.size <= SMALL {
        let mut bytes = Vec::with_capacity(member.size as usize);
        let mut content = (pack.open)(&member.path)?;
        let read = content.by_ref().take(SMALL + 1).read_to_end(&mut bytes);
        read.map_err(Refusal::io("reading", member.path.as_ref()))?;
        // Another digest would be refused at the end of the upload, with less to say.
        if Digest::of(&bytes) != member.hash {
            return Err(Refusal::ChangedWhileRead {
                path: (&member.path).into(),
            });
        }
        registry.put_small(&bytes).map_err(|fault| registry.refused(fault))?;
        told.advance(member.size);
        return Ok(());
    }
    let session = Session {
        registry,
        member,
        pack,
        told,
    };
    let mut waits = Waits::default();
    loop {
        let fault = match session.run()? {
            Ended::Stored => return Ok(()),
            Ended::Lost(fault) => fault,
        };
        if registry.stored_meanwhile(&member.hash) {
            return Ok(());
        }
        let failure = Failure {
            fault,
            again: Again::Soon,
        };
        waits.next(failure).map_err(|fault| registry.refused(fault))?;
    }
}

impl OciRegistry {
    /// Stores a blob that fits into memory.
    pub(super) fn put_small(&self, bytes: &[u8]) -> Result<(), TransportFault> {
        let digest = Digest::of(bytes);
        repeat(|| {
            let mut url = self.begin_upload().map_err(Failure::from)?;
            url.query_pairs_mut().append_pair("digest", &digest.to_string());
            let call = Call {
                headers: &[("content-type", "application/octet-stream")],
                bytes: bytes.len() as u64,
                ..Call::new(Method::PUT, &url, None)
            };
            let answer = self.authorized(RegistryAccess::Push, |credential| {
                self.http.once(
                    &Call {
                        credential,
                        method: Method::PUT,
                        ..call
                    },
                    Payload::Bytes(bytes),
                )
            });
            match answer? {
                answer if (200..300).contains(&answer.status) => Ok(()),
                answer if self.stored_meanwhile(&digest) => {
                    drop(answer);
                    Ok(())
                }
                answer if answer.status == 400 => Err(Failure {
                    again: Again::Soon,
                    ..answer.failure()
                }),
                answer => Err(answer.failure()),
            }
        })
    }

    /// Returns whether the registry has a blob whose upload it refused. Somebody else may have sent it at the same time, and
    /// registries answer the slower one with an error about its digest.
    fn stored_meanwhile(&self, digest: &Digest) -> bool {
        matches!(self.size_of(digest, RegistryAccess::Push), Ok(Some(_)))
    }

    /// Begins an upload. Returns where it goes.
    fn begin_upload(&self) -> Result<Url, TransportFault> {
        let url = self.url("blobs/uploads/");
        let call = Call {
            headers: &[("content-length", "0")],
            ..Call::new(Method::POST, &url, None)
        };
        let answer = self.ask(&call, b"", RegistryAccess::Push)?;
        match answer.status {
            202 => location(&answer),
            _ => Err(answer.fault()),
        }
    }
}

/// Returns where an upload goes on.
fn location(answer: &HttpAnswer) -> Result<Url, TransportFault> {
    let location = answer.header("location").ok_or(TransportFault::Malformed {
        what: "the answer to an upload",
        said: "it names no location".into(),
    })?;
    redirect::target(&answer.url, location)
}

/// How a session ended.
enum Ended {
    /// The blob is stored.
    Stored,
    /// The registry no longer knows the upload, or does not accept what it has.
    Lost(TransportFault),
}

/// One upload of a large blob.
struct Session<'a> {
    registry: &'a OciRegistry,
    member: &'a OutgoingMember,
    pack: &'a Outgoing<'a>,
    told: &'a dyn Progress,
}

impl Session<'_> {
    fn run(&self) -> Result<Ended> {
        let refused = |fault| self.registry.refused(fault);
        let mut url = self.registry.begin_upload().map_err(refused)?;
        let (mut at, mut waits, mut began) = (0, Waits::default(), 0);
        while at < self.member.size {
            let failure = match self.patch(&url, at)? {
                Ok(answer) if matches!(answer.status, 201 | 202 | 204) => {
                    url = location(&answer).map_err(refused)?;
                    at = self.member.size;
                    continue;
                }
                Ok(answer) if matches!(answer.status, 404 | 410) => return Ok(Ended::Lost(answer.fault())),
                // It has another number of bytes than we believe.
                Ok(answer) if answer.status == 416 => Failure {
                    again: Again::Soon,
                    ..answer.failure()
                },
                Ok(answer) => answer.failure(),
                Err(fault) => Failure::from(fault),
            };
            let fault = failure.fault.clone();
            if at > began {
                waits.progressed();
            }
            waits.next(failure).map_err(refused)?;
            began = at;
            match self.standing(&url).map_err(refused)? {
                Some((there, next)) if there <= self.member.size => (at, url) = (there, next),
                _ => return Ok(Ended::Lost(fault)),
            }
        }
        url.query_pairs_mut()
            .append_pair("digest", &self.member.hash.to_string());
        let call = Call {
            headers: &[("content-length", "0")],
            ..Call::new(Method::PUT, &url, None)
        };
        let answer = self.registry.ask(&call, b"", RegistryAccess::Push).map_err(refused)?;
        match answer.status {
            200..=299 => Ok(Ended::Stored),
            _ => Ok(Ended::Lost(answer.fault())),
        }
    }

    /// Sends everything from byte `at`.
    fn patch(&self, url: &Url, at: u64) -> Result<Result<HttpAnswer, TransportFault>> {
        let mut content = (self.pack.open)(&self.member.path)?;
        let skipped = io::copy(&mut content.by_ref().take(at), &mut io::sink());
        skipped.map_err(Refusal::io("reading", self.member.path.as_ref()))?;
        let size = self.member.size - at;
        let range = format!("{at}-{}", self.member.size - 1);
        let call = Call {
            headers: &[("content-type", "application/octet-stream"), ("content-range", &range)],
            bytes: size,
            ..Call::new(Method::PATCH, url, None)
        };
        let credential = self.registry.auth.known(RegistryAccess::Push);
        let mut told = crate::adapters::place::Told {
            content,
            told: self.told,
        };
        let call = Call {
            credential: credential.as_deref(),
            ..call
        };
        Ok(self.registry.http.once(&call, Payload::Stream(&mut told, size)))
    }

    /// Returns how many bytes the registry has, and where the upload goes on. `None` if it does not know the upload.
    fn standing(&self, url: &Url) -> Result<Option<(u64, Url)>, TransportFault> {
        let answer = self
            .registry
            .ask(&Call::new(Method::GET, url, None), b"", RegistryAccess::Push)?;
        if answer.status != 204 && answer.status != 202 {
            return Ok(None);
        }
        let range = answer.header("range").unwrap_or_default();
        let last = range.rsplit_once('-').and_then(|(_, last)| last.parse::<u64>().ok());
        // A registry cannot tell an upload of one byte from an empty one.
        let there = last.map_or(0, |last| if last == 0 { 0 } else { last + 1 });
        let next = location(&answer).unwrap_or_else(|_| url.clone());
        Ok(Some((there, next)))
    }
}
