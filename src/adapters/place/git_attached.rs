//! Files that are attached to a pack at a git remote: each is a blob, to which a ref of its own leads, below
//! `refs/gitpack/attestations/<pack id>/`. A ref is made in one step, so many may attach files at the same time.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::adapters::git::budget::Side;
use crate::adapters::git::remote_refs::Pushed;
use crate::adapters::git::{Repository, Surroundings};
use crate::format::attachment::{
    Attached, AttachedContent, AttachedCounts, Attachment, AttachmentKind, MAX_ATTACHMENT, MAX_ATTACHMENTS,
};
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::refusal::transport::TransportFault;
use crate::refusal::{Refusal, Result};

/// Where the refs of attached files are at the remote.
const ATTACHED: &str = "refs/gitpack/attestations/";

/// The attached files of each pack, with their blobs.
type Listed = BTreeMap<Digest, BTreeMap<AttachedContent, ObjectId>>;

/// The refs of attached files at a remote. They are listed once.
pub(super) struct AttachedRefs {
    pub(super) directory: PathBuf,
    pub(super) surroundings: Surroundings,
    pub(super) remote: String,
    pub(super) shown: String,
    pub(super) listed: Mutex<Option<Arc<Listed>>>,
}

impl AttachedRefs {
    fn repository(&self) -> Result<Repository> {
        let repo = Repository::discover(&self.directory, &self.surroundings)?;
        // The configuration says which programs git starts.
        repo.ensure_ours()?;
        Ok(repo)
    }

    fn refused(&self, fault: TransportFault) -> Refusal {
        Refusal::Transport {
            place: self.shown.clone(),
            fault,
        }
    }

    fn listed(&self) -> Result<Arc<Listed>> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listed) = &*listed {
            return Ok(Arc::clone(listed));
        }
        let refs = self.repository()?.remote_refs(&self.remote, &format!("{ATTACHED}*"));
        let mut found = Listed::new();
        for (name, id) in refs.map_err(|fault| self.refused(fault))? {
            let names = name.strip_prefix(ATTACHED).and_then(|rest| rest.split_once('/'));
            let read = names.and_then(|(pack, file)| Some((Digest::parse_hex(pack)?, AttachedContent::parse(file)?)));
            if let Some((pack, content)) = read {
                found.entry(pack).or_default().insert(content, id);
            }
        }
        let found = Arc::new(found);
        *listed = Some(Arc::clone(&found));
        Ok(found)
    }

    /// Pushes the files that the remote does not have. Returns their number.
    pub(super) fn send(&self, pack_id: &Digest, files: &[Attachment]) -> Result<u64> {
        let listed = self.listed()?;
        let there = listed.get(pack_id);
        let repo = self.repository()?;
        let mut sent = 0;
        for file in files {
            let content = AttachedContent::of(file);
            if there.is_some_and(|there| there.contains_key(&content)) {
                continue;
            }
            let (blob, ..) = repo.store_blob(file.bytes.len() as u64, &|| {
                Ok(Box::new(Cursor::new(file.bytes.clone())))
            })?;
            sent += u64::from(self.push(&repo, &blob, &ref_of(pack_id, &content))?);
        }
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(sent)
    }

    /// Pushes a blob to a ref of its own. Returns whether the ref is new.
    fn push(&self, repo: &Repository, blob: &ObjectId, name: &str) -> Result<bool> {
        let pushed = repo.push_object(&self.remote, blob, name);
        match pushed.map_err(|fault| self.refused(fault))? {
            Pushed::New(..) => Ok(true),
            Pushed::There => Ok(false),
            Pushed::Other => Err(self.refused(TransportFault::Conflict { name: name.to_owned() })),
            Pushed::Refused(said) => Err(self.refused(TransportFault::Program {
                program: "git push",
                said,
            })),
        }
    }

    /// Fetches the files that are attached to a pack. Refs of other packs are left where they are.
    pub(super) fn read(&self, pack_id: &Digest) -> Result<Attached> {
        let listed = self.listed()?;
        let mut found = Attached::default();
        let Some(there) = listed.get(pack_id) else {
            return Ok(found);
        };
        if there.len() > MAX_ATTACHMENTS {
            found.is_strange(
                format!("{ATTACHED}{}", pack_id.hex()),
                "it holds more files than are read",
            );
        }
        let there: Vec<(&AttachedContent, &ObjectId)> = there.iter().take(MAX_ATTACHMENTS).collect();
        let mut repo = self.repository()?;
        let ids: Vec<ObjectId> = there.iter().map(|(_, id)| **id).collect();
        let absent = repo.absent(&ids)?;
        if !absent.is_empty() {
            let wanted = there.iter().filter(|(_, id)| absent.contains(id));
            let names: Vec<String> = wanted.map(|(content, _)| ref_of(pack_id, content)).collect();
            let fetched = repo.fetch_refs(&self.remote, &names);
            fetched.map_err(|fault| self.refused(fault))?;
            // A repository that was opened earlier may not know what git fetched since.
            repo = self.repository()?;
        }
        let repo = repo.bounded(Side::Clone)?;
        for (content, id) in there {
            let name = content.name();
            match repo.kind_of(id) {
                Some("a blob") => {}
                Some(_) => {
                    found.is_strange(name, "its ref does not lead to a file");
                    continue;
                }
                None => {
                    found.is_strange(name, "the remote lists it and does not have it");
                    continue;
                }
            }
            match repo.blob_size(id)? {
                size if size > MAX_ATTACHMENT => found.is_strange(name, "it is larger than an attached file may be"),
                _ => found.receive(name.clone(), content, repo.document(id, &name, MAX_ATTACHMENT)?),
            }
        }
        Ok(found)
    }

    /// Counts the files that are attached to a pack by the names of their refs.
    pub(super) fn count(&self, pack_id: &Digest) -> Result<AttachedCounts> {
        let listed = self.listed()?;
        let there = listed.get(pack_id);
        let kinds: Vec<AttachmentKind> = there.into_iter().flatten().map(|(content, _)| content.kind).collect();
        Ok(AttachedCounts::of(kinds.iter()))
    }
}

fn ref_of(pack_id: &Digest, content: &AttachedContent) -> String {
    format!("{ATTACHED}{}/{}", pack_id.hex(), content.name())
}
