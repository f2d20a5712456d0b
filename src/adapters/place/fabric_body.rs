//! The document that a data fabric is sent, made while it is read.

use std::io::{self, Read};

use crate::adapters::place::{Outgoing, OutgoingMember, Progress};
use crate::format::digest::Hashing;
use crate::format::fabric;
use crate::format::member_path::MANIFEST;
use crate::refusal::{Refusal, Result};

/// How much of a member is encoded at once, in bytes: a multiple of three.
const STEP: usize = 48 << 10;

/// The members of a pack, in the order of their paths.
pub(super) fn members<'a>(pack: &'a Outgoing<'_>) -> impl Iterator<Item = &'a OutgoingMember> {
    pack.members.iter().filter(|member| member.path != MANIFEST)
}

/// The document of a pack on its way out, made while it is read.
pub(super) struct Body<'a> {
    pack: &'a Outgoing<'a>,
    left: Box<dyn Iterator<Item = &'a OutgoingMember> + 'a>,
    current: Option<Current<'a>>,
    told: &'a dyn Progress,
    ready: Vec<u8>,
    at: usize,
    is_first: bool,
    is_at_end: bool,
    /// Why it could not be made, if it was not the connection that broke.
    pub(super) failed: Option<Refusal>,
}

/// A member whose content is on its way.
struct Current<'a> {
    member: &'a OutgoingMember,
    content: Hashing<Box<dyn Read + Send>>,
    done: u64,
}

impl<'a> Body<'a> {
    /// Begins the document.
    pub(super) fn of(pack: &'a Outgoing<'a>, told: &'a dyn Progress) -> Self {
        Self {
            pack,
            left: Box::new(members(pack)),
            current: None,
            told,
            ready: fabric::head(&pack.pack_id, pack.manifest),
            at: 0,
            is_first: true,
            is_at_end: false,
            failed: None,
        }
    }

    /// Returns the size of the whole document in bytes.
    pub(super) fn size(pack: &Outgoing<'_>) -> u64 {
        let around = fabric::head(&pack.pack_id, pack.manifest).len() + fabric::END.len();
        let each = members(pack).enumerate().map(|(at, member)| {
            let text = fabric::before(at == 0, &member.path, &member.hash).len() + fabric::AFTER.len();
            text as u64 + fabric::encoded_size(member.size)
        });
        around as u64 + each.sum::<u64>()
    }

    fn fill(&mut self) -> Result<()> {
        self.ready.clear();
        self.at = 0;
        if let Some(Current { member, content, done }) = &mut self.current {
            let mut step = Vec::with_capacity(STEP);
            let read = content.by_ref().take(STEP as u64).read_to_end(&mut step);
            let n = read.map_err(Refusal::io("reading", member.path.as_ref()))? as u64;
            *done += n;
            self.told.advance(n);
            let mut text = String::new();
            fabric::encode(&step, &mut text);
            self.ready.extend(text.into_bytes());
            if (n as usize) < STEP {
                let Current { member, content, done } = self.current.take().expect("it was there");
                if done != member.size || content.finish().1 != member.hash {
                    return Err(Refusal::ChangedWhileRead {
                        path: (&member.path).into(),
                    });
                }
                self.ready.extend_from_slice(fabric::AFTER);
            }
        } else if let Some(member) = self.left.next() {
            let content = (self.pack.open)(&member.path)?;
            self.ready = fabric::before(self.is_first, &member.path, &member.hash);
            self.is_first = false;
            self.current = Some(Current {
                member,
                content: Hashing::new(content),
                done: 0,
            });
        } else if !self.is_at_end {
            self.ready.extend_from_slice(fabric::END);
            self.is_at_end = true;
        }
        Ok(())
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.ready.len() {
            if self.is_at_end {
                return Ok(0);
            }
            if let Err(refused) = self.fill() {
                let error = io::Error::other(refused.to_string());
                self.failed = Some(refused);
                return Err(error);
            }
        }
        let n = buf.len().min(self.ready.len() - self.at);
        buf[..n].copy_from_slice(&self.ready[self.at..][..n]);
        self.at += n;
        Ok(n)
    }
}
