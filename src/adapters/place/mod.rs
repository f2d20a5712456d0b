//! Places that hold published packs: OCI registries, object stores, git remotes, data fabrics.
//!
//! Content is kept by its hash, once for all packs. A pack is published by one write, when all of its content is there,
//! so a reader never sees a part of one. Nothing that a place sends is believed: its reader checks hashes and ids.

#[cfg(feature = "network")]
pub mod fabric;
#[cfg(feature = "network")]
mod fabric_body;
pub mod git;
mod git_attached;
#[cfg(feature = "network")]
pub mod objects;
#[cfg(feature = "network")]
pub mod registry;

use std::fmt;
use std::io::Read;
use std::path::PathBuf;

use crate::adapters::published::PublishedPack;
use crate::adapters::store::Store;
use crate::adapters::workers::{self, TRANSFERS};
use crate::format::attachment::Attachment;
use crate::format::destination::Which;
use crate::format::digest::Digest;
use crate::format::timestamp::Timestamp;
use crate::refusal::Result;

/// A place that holds packs.
pub trait PackPlace: Store {
    /// Returns the name of the place for messages, without secrets.
    fn shown(&self) -> String;

    /// Returns the packs that it holds.
    fn packs(&self) -> Result<Vec<PackAtPlace>>;

    /// Returns one pack. `None` if the place does not have it.
    fn find(&self, which: &Which) -> Result<Option<Box<dyn PublishedPack>>>;

    /// Returns whether the place has this very pack, whole.
    fn has_pack(&self, pack: &Outgoing<'_>) -> Result<bool>;

    /// Returns whether the place has the content of a member.
    fn has(&self, member: &OutgoingMember) -> Result<bool> {
        self.contains(&member.hash)
    }

    /// Publishes a pack whose content the place has, in one write. Succeeds if the place has the pack already.
    fn announce(&self, pack: &Outgoing<'_>) -> Result<()>;

    /// Attaches files to a pack that the place has. Returns the number of those that it did not have. `None` if the
    /// place cannot keep attached files.
    fn attach(&self, pack: &Outgoing<'_>, files: &[Attachment]) -> Result<Option<u64>> {
        let _ = (pack, files);
        Ok(None)
    }

    /// Publishes a pack and attaches files to it.
    fn publish_with(&self, pack: &Outgoing<'_>, files: &[Attachment], told: &dyn Progress) -> Result<SentWithFiles> {
        let sent = self.publish(pack, told)?;
        let files = match files.is_empty() {
            true => Some(0),
            false => self.attach(pack, files)?,
        };
        Ok(SentWithFiles { pack: sent, files })
    }

    /// Sends the content of a member.
    fn send(&self, member: &OutgoingMember, pack: &Outgoing<'_>, told: &dyn Progress) -> Result<()> {
        let content = (pack.open)(&member.path)?;
        self.put(&member.hash, &mut Told { content, told })
    }

    /// Publishes a pack: sends the content that the place does not have, then announces it.
    fn publish(&self, pack: &Outgoing<'_>, told: &dyn Progress) -> Result<Sent> {
        if self.has_pack(pack)? {
            return Ok(Sent::default());
        }
        let mut contents: Vec<&OutgoingMember> = pack.members.iter().collect();
        contents.sort_by_key(|member| member.hash);
        contents.dedup_by_key(|member| member.hash);
        let there = workers::map_on(TRANSFERS, &contents, || Ok(()), |(), member| self.has(member))?;
        let missing: Vec<&OutgoingMember> = contents
            .into_iter()
            .zip(there)
            .filter_map(|(member, there)| (!there).then_some(member))
            .collect();
        let bytes = missing.iter().map(|member| member.size).sum();
        told.begin("sending", bytes);
        workers::map_on(
            TRANSFERS,
            &missing,
            || Ok(()),
            |(), member| self.send(member, pack, told),
        )?;
        self.announce(pack)?;
        told.end();
        Ok(Sent {
            contents: missing.len() as u64,
            bytes,
        })
    }
}

/// Where credentials for places are kept, as the environment tells it.
#[derive(Clone, Default)]
pub struct CredentialPlaces {
    /// Configurations of Docker and Podman, the first one first.
    pub docker: Vec<PathBuf>,
    /// Variables that the tools of clouds read: their names and values.
    pub cloud: Vec<(String, String)>,
    /// The user's home directory, where the tools of clouds keep files.
    pub home: Option<PathBuf>,
    /// Tells the time, for credentials that expire.
    pub clock: Option<fn() -> Timestamp>,
}

impl fmt::Debug for CredentialPlaces {
    /// Writes the names of the variables. Their values are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.cloud.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("CredentialPlaces")
            .field("docker", &self.docker)
            .field("cloud", &names)
            .finish_non_exhaustive()
    }
}

/// A pack that a place holds, as the place tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackAtPlace {
    /// Its id.
    pub pack_id: Digest,
    /// Other names of it, such as tags.
    pub names: Vec<String>,
}

/// What publishing sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Number of contents.
    pub contents: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

/// What publishing a pack with attached files sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentWithFiles {
    /// What was sent of the pack.
    pub pack: Sent,
    /// Number of attached files that the place did not have. `None` if it cannot keep attached files.
    pub files: Option<u64>,
}

/// A verified pack on its way to a place.
#[cfg_attr(
    not(feature = "network"),
    allow(dead_code, reason = "only places in the network have labels and tags")
)]
pub struct Outgoing<'a> {
    /// Its id.
    pub pack_id: Digest,
    /// The bytes of its manifest.
    pub manifest: &'a [u8],
    /// Its members, and the manifest itself, sorted by path.
    pub members: Vec<OutgoingMember>,
    /// What a list of packs shows of it, as keys and values of annotations.
    pub labels: Vec<(&'static str, String)>,
    /// Another name for it, where the place has such names.
    pub tag: Option<String>,
    /// Opens a member.
    pub open: &'a (dyn Fn(&str) -> Result<Box<dyn Read + Send>> + Sync),
}

/// A file of a pack on its way to a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingMember {
    /// Its path.
    pub path: String,
    /// Its hash.
    pub hash: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// Hears how far a transfer is.
pub trait Progress: Sync {
    /// A step of `bytes` bytes begins.
    fn begin(&self, what: &'static str, bytes: u64);

    /// So many more bytes are done.
    fn advance(&self, bytes: u64);

    /// The step ended.
    fn end(&self);
}

/// Tells of each byte that is read.
pub struct Told<'a, R> {
    /// The content.
    pub content: R,
    /// Who hears of it.
    pub told: &'a dyn Progress,
}

impl<R: Read> Read for Told<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.content.read(buf)?;
        self.told.advance(n as u64);
        Ok(n)
    }
}
