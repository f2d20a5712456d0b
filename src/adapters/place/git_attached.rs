//! Files that are attached to a pack at a git remote: each is a blob, to which a ref of its own leads, below
//! `refs/gitpack/attestations/<pack id>/`. A ref is made in one step, so many may attach files at the same time.

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::adapters::git::attached_blobs::wanted;
use crate::adapters::git::budget::Side;
use crate::adapters::git::{PassingObjects, Repository, Surroundings};
use crate::format::attachment::{Attached, AttachedContent, AttachedCounts, Attachment, AttachmentKind};
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::pack_refs::{ATTACHED, PackRefs, attached_ref};
use crate::refusal::transport::TransportFault;
use crate::refusal::{Refusal, Result};

/// The refs of attached files at a remote. They are listed once.
pub(super) struct AttachedRefs {
    pub(super) directory: PathBuf,
    pub(super) surroundings: Surroundings,
    pub(super) remote: String,
    pub(super) shown: String,
    pub(super) listed: Mutex<Option<Arc<PackRefs>>>,
    /// Where the fetched objects are, if they are not kept. Packs that were found need them as long as this value.
    pub(super) _passing: Option<PassingObjects>,
}

/// Attached files as blobs in a clone, with the names of their refs.
#[derive(Default)]
pub(super) struct StoredAttached {
    /// Those that the remote does not have.
    pub(super) missing: Vec<(ObjectId, String)>,
    /// Those that the remote has.
    pub(super) there: Vec<(ObjectId, String)>,
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

    fn listed(&self) -> Result<Arc<PackRefs>> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listed) = &*listed {
            return Ok(Arc::clone(listed));
        }
        let refs = self.repository()?.remote_refs(&self.remote, &format!("{ATTACHED}*"));
        let found = Arc::new(PackRefs::of(refs.map_err(|fault| self.refused(fault))?));
        *listed = Some(Arc::clone(&found));
        Ok(found)
    }

    /// Stores files as blobs in this clone, and tells which of them the remote does not have.
    pub(super) fn store(&self, repo: &Repository, pack_id: &Digest, files: &[Attachment]) -> Result<StoredAttached> {
        let mut stored = StoredAttached::default();
        if files.is_empty() {
            return Ok(stored);
        }
        let listed = self.listed()?;
        let there = listed.attached_to(pack_id);
        for file in files {
            let content = AttachedContent::of(file);
            let (blob, ..) = repo.store_blob(file.bytes.len() as u64, &|| {
                Ok(Box::new(Cursor::new(file.bytes.clone())))
            })?;
            let named = (blob, attached_ref(pack_id, &content));
            match there.and_then(|there| there.get(&content)) {
                None => stored.missing.push(named),
                Some(id) if *id == blob => stored.there.push(named),
                // A ref is never changed, whatever the remote has there.
                Some(_) => {}
            }
        }
        Ok(stored)
    }

    /// Forgets what was listed, because a push changed it.
    pub(super) fn forget(&self) {
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Fetches the files that are attached to a pack. Refs of other packs are left where they are.
    pub(super) fn read(&self, pack_id: &Digest) -> Result<Attached> {
        let listed = self.listed()?;
        let Some(there) = listed.attached_to(pack_id) else {
            return Ok(Attached::default());
        };
        let mut repo = self.repository()?;
        let ids: Vec<ObjectId> = wanted(there).map(|(_, id)| *id).collect();
        let absent = repo.absent(&ids)?;
        if !absent.is_empty() {
            let wanted = wanted(there).filter(|(_, id)| absent.contains(id));
            let names: Vec<String> = wanted.map(|(content, _)| attached_ref(pack_id, content)).collect();
            let fetched = repo.fetch_refs(&self.remote, &names);
            fetched.map_err(|fault| self.refused(fault))?;
            // A repository that was opened earlier may not know what git fetched since.
            repo = self.repository()?;
        }
        repo.bounded(Side::Clone)?.attached_by_refs(pack_id, there)
    }

    /// Counts the files that are attached to a pack by the names of their refs.
    pub(super) fn count(&self, pack_id: &Digest) -> Result<AttachedCounts> {
        let listed = self.listed()?;
        let there = listed.attached_to(pack_id);
        let kinds: Vec<AttachmentKind> = there.into_iter().flatten().map(|(content, _)| content.kind).collect();
        Ok(AttachedCounts::of(kinds.iter()))
    }
}
