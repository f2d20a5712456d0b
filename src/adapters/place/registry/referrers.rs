//! Files that are attached to a pack: artifacts that refer to the image of the pack.
//!
//! A registry lists them itself, or a tag leads to an index of them, which its clients keep. What it lists is not
//! believed: each artifact must name the pack as its subject, and each document and content must have its digest.

use std::io::Read;
use std::time::Duration;

use super::OciRegistry;
use super::auth::RegistryAccess;
use super::pages::{Ended, Pages};
use crate::format::attachment::{
    Attached, AttachedContent, AttachedCounts, Attachment, AttachmentKind, MAX_ATTACHMENT, MAX_ATTACHMENTS,
};
use crate::format::digest::Digest;
use crate::format::oci::referrers::{
    Artifact, MAX_ARTIFACT, MAX_REFERRERS, Referrer, add_referrers, artifact_tag, content_of, is_artifact_tag,
    parse_referrers, referrers_tag,
};
use crate::format::oci::{EMPTY, IMAGE_INDEX, ImageDocument};
use crate::refusal::transport::TransportFault;

/// Most pages of a list of referrers that are read.
const MAX_PAGES: usize = 32;

/// How often the index of the referrers is written while others write it too.
const TRIES: u32 = 64;

/// How long to wait before the second try. Each further wait is longer by as much.
const PAUSE: Duration = Duration::from_millis(20);

/// The artifacts that are attached to a pack.
#[derive(Default)]
struct Listed {
    referrers: Vec<Referrer>,
    /// Whether there are more than are read.
    is_cut: bool,
}

/// An attached file that was not received.
enum NotReceived {
    /// The file is not as it should be, and why. Others may be.
    Strange(String),
    /// The registry could not be read.
    Failed(TransportFault),
}

impl From<TransportFault> for NotReceived {
    fn from(fault: TransportFault) -> Self {
        match fault {
            TransportFault::WrongContent { .. }
            | TransportFault::NotFound { .. }
            | TransportFault::TooLong { .. }
            | TransportFault::Short
            | TransportFault::Malformed { .. } => Self::Strange(fault.to_string()),
            other => Self::Failed(other),
        }
    }
}

impl OciRegistry {
    /// Attaches files to a subject. Returns the number of those that were not there.
    pub(super) fn attach_to(&self, subject: &ImageDocument, files: &[Attachment]) -> Result<u64, TransportFault> {
        let digest = subject.digest();
        let there = self.referrers_of(&digest)?.referrers;
        let mut unlisted = Vec::new();
        let mut sent = 0;
        for file in files {
            let artifact = Artifact::of(file, subject);
            let own = artifact.document.digest();
            if there.iter().any(|there| there.digest == own) {
                continue;
            }
            for content in [EMPTY, &file.bytes] {
                if self.size_of(&Digest::of(content), RegistryAccess::Push)?.is_none() {
                    self.put_small(content)?;
                }
            }
            if !self.store_document(&artifact.document, &own.to_string())? {
                unlisted.push(artifact);
            }
            sent += 1;
        }
        if !unlisted.is_empty() {
            self.list_by_tag(&digest, &unlisted)?;
        }
        Ok(sent)
    }

    /// Adds artifacts to the index of the referrers of a subject.
    ///
    /// Each artifact gets a tag of its own first. An index that was written is compared with the tags afterwards, so
    /// the last of several writers finds what an earlier one added.
    fn list_by_tag(&self, subject: &Digest, artifacts: &[Artifact]) -> Result<(), TransportFault> {
        for artifact in artifacts {
            let tag = artifact_tag(subject, &artifact.document.digest());
            self.store_document(&artifact.document, &tag)?;
        }
        let tag = referrers_tag(subject);
        let mut all = artifacts.to_vec();
        for tried in 1..=TRIES {
            self.add_tagged(subject, &mut all)?;
            let index = self.document(&tag, MAX_REFERRERS)?;
            let added = add_referrers(index.as_deref(), &all).map_err(malformed)?;
            match added {
                None => return Ok(()),
                Some(index) => self.store_document(&index, &tag).map(drop)?,
            }
            std::thread::sleep(PAUSE * (tried - 1));
        }
        Err(TransportFault::Conflict { name: tag })
    }

    /// Adds the artifacts that have a tag and are not in `all`.
    fn add_tagged(&self, subject: &Digest, all: &mut Vec<Artifact>) -> Result<(), TransportFault> {
        let above = referrers_tag(subject);
        let is_before_end = |tag: &str| tag <= above.as_str() || tag.starts_with(&above);
        let tags = self.tags(&format!("n=1000&last={above}"), &mut |last| is_before_end(last))?;
        let ours = tags.iter().filter(|tag| is_artifact_tag(tag, subject));
        for tag in ours.take(MAX_ATTACHMENTS) {
            let is_known = |artifact: &Artifact| *tag == artifact_tag(subject, &artifact.document.digest());
            if all.iter().any(is_known) {
                continue;
            }
            // One that cannot be read yet is added by its own writer.
            let document = self.document(tag, MAX_ARTIFACT)?;
            all.extend(document.and_then(|bytes| Artifact::parse(&bytes)));
        }
        Ok(())
    }

    /// Returns the files that are attached to a subject.
    pub(super) fn attached_to(&self, subject: &Digest) -> Result<Attached, TransportFault> {
        let listed = self.referrers_of(subject)?;
        let mut found = Attached::default();
        for referrer in &listed.referrers {
            let name = referrer.digest.to_string();
            match self.receive(&mut found, referrer, subject) {
                Ok(()) => {}
                Err(NotReceived::Strange(why)) => found.is_strange(name, &why),
                Err(NotReceived::Failed(fault)) => return Err(fault),
            }
        }
        if listed.is_cut {
            found.is_strange("the list of referrers".into(), "it names more files than are read");
        }
        found.files.sort_by_key(|file| (file.kind, file.digest()));
        Ok(found)
    }

    /// Counts the files that are attached to a subject, as the registry lists them.
    pub(super) fn count_attached_to(&self, subject: &Digest) -> Result<AttachedCounts, TransportFault> {
        let listed = self.referrers_of(subject)?.referrers;
        let kinds: Vec<AttachmentKind> = listed.iter().map(|referrer| referrer.kind).collect();
        Ok(AttachedCounts::of(kinds.iter()))
    }

    fn receive(&self, found: &mut Attached, referrer: &Referrer, subject: &Digest) -> Result<(), NotReceived> {
        let strange = |why: &str| Err(NotReceived::Strange(why.to_owned()));
        let Some(document) = self.document_of(&referrer.digest, MAX_ARTIFACT)? else {
            return strange("the registry lists it and does not have it");
        };
        let content = content_of(&document, referrer.kind, subject).map_err(NotReceived::Strange)?;
        let (content, size): (AttachedContent, u64) = content;
        if size > MAX_ATTACHMENT || !found.has_room_for(size) {
            return strange("it is more than may be attached to a pack");
        }
        let mut blob = self.blob(&content.hash, size)?;
        let fault = blob.fault();
        let mut bytes = Vec::new();
        let read = (&mut blob).take(MAX_ATTACHMENT + 1).read_to_end(&mut bytes);
        read.map_err(|e| {
            fault
                .get()
                .unwrap_or(TransportFault::Connection { said: e.to_string() })
        })?;
        found.receive(content.name(), &content, bytes);
        Ok(())
    }

    /// Lists the artifacts that are attached to a subject: by the registry's own list or, where it has none, by a tag.
    fn referrers_of(&self, subject: &Digest) -> Result<Listed, TransportFault> {
        let mut listed = Listed::default();
        let pages = Pages {
            url: self.url(&format!("referrers/{subject}")),
            accept: IMAGE_INDEX,
            bytes: MAX_REFERRERS,
            pages: MAX_PAGES,
        };
        let ended = self.pages(pages, &mut |page| {
            listed.referrers.extend(parse_referrers(page).map_err(malformed)?);
            Ok(listed.referrers.len() <= MAX_ATTACHMENTS)
        })?;
        if ended == Ended::Absent
            && let Some(index) = self.document(&referrers_tag(subject), MAX_REFERRERS)?
        {
            listed.referrers = parse_referrers(&index).map_err(malformed)?;
        }
        listed.is_cut = ended == Ended::Cut || listed.referrers.len() > MAX_ATTACHMENTS;
        listed.referrers.truncate(MAX_ATTACHMENTS);
        listed.referrers.sort_unstable();
        listed.referrers.dedup();
        Ok(listed)
    }
}

fn malformed(said: String) -> TransportFault {
    TransportFault::Malformed {
        what: "the list of referrers",
        said,
    }
}
