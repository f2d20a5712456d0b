//! A pack in a registry, as its reader sees it.

use std::collections::BTreeMap;

use super::OciRegistry;
use crate::adapters::published::{PublishedPack, TakeMember, not_listed};
use crate::format::attachment::{Attached, AttachedCounts};
use crate::format::digest::Digest;
use crate::format::oci::Files;
use crate::refusal::{Refusal, Result};

/// A pack in a registry.
pub(super) struct RegistryPack {
    pub(super) registry: OciRegistry,
    pub(super) name: String,
    /// The digest of the document that stands for the pack.
    pub(super) subject: Digest,
    pub(super) manifest: Vec<u8>,
    pub(super) files: Files,
    pub(super) listed: BTreeMap<String, Option<u64>>,
}

impl PublishedPack for RegistryPack {
    fn name(&self) -> &str {
        &self.name
    }

    fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    fn listed(&self) -> &BTreeMap<String, Option<u64>> {
        &self.listed
    }

    fn member(&self, path: &str, take: TakeMember<'_>) -> Result<()> {
        let Some((digest, size)) = self.files.get(path) else {
            return Err(not_listed(self, path));
        };
        let mut blob = self
            .registry
            .blob(digest, *size)
            .map_err(|fault| self.registry.refused(fault))?;
        let fault = blob.fault();
        take(&mut blob, *size).map_err(|e| match fault.get() {
            Some(fault) => self.registry.refused(fault),
            None => Refusal::io("reading", path.as_ref())(e),
        })
    }

    fn attached(&self) -> Result<Attached> {
        let attached = self.registry.attached_to(&self.subject);
        attached.map_err(|fault| self.registry.refused(fault))
    }

    fn attached_counts(&self) -> Result<AttachedCounts> {
        let counts = self.registry.count_attached_to(&self.subject);
        counts.map_err(|fault| self.registry.refused(fault))
    }
}
