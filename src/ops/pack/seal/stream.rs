//! Writes the one text of all files to a stream, and leaves nothing on the disk.

use std::io::{self, Write};

use crate::adapters::files;
use crate::adapters::staging::{Access, Staging};
use crate::format::digest::{Digest, Hasher};
use crate::format::repo_state::EntryKind;
use crate::format::tree_meta::Part;
use crate::ops::Context;
use crate::ops::pack::documents::DocumentWriter;
use crate::ops::pack::seal::copy::read_source;
use crate::ops::pack::seal::emit::emit;
use crate::ops::pack::seal::finalize::repo_state;
use crate::ops::pack::seal::leaks::ensure_no_leak;
use crate::ops::pack::seal::plan::{ArtifactSource, Material, TreePlan};
use crate::ops::pack::seal::{SealNotice, SealRequest, stage, tree};
use crate::ops::state;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};

/// The outcome.
#[derive(Debug)]
pub struct TextReport {
    /// The commit, shortened.
    pub commit: String,
    /// The state digest of the entries.
    pub state: Digest,
    /// Number of entries, texts and others.
    pub entries: u64,
    /// Number of protected entries, which are left out.
    pub withheld: u64,
    /// Size of the text in bytes.
    pub bytes: u64,
    /// Notices for the user.
    pub notices: Vec<SealNotice>,
}

/// Writes what `FULL/` of a pack would hold to `out`. Refuses what the pack would refuse, except for a lack of
/// recipients: nothing is sealed.
pub fn full_text(ctx: &Context, request: &SealRequest, out: &mut dyn Write) -> Result<TextReport> {
    let mut plan = tree::texts_only(ctx, request)?;
    let base = match &plan.default_directory {
        Some(directory) => {
            files::ensure_is_no_link(directory)?;
            directory.join("x")
        }
        None => Staging::aside(),
    };
    let Material::Tree(tree) = &mut plan.material else {
        return Err(Refusal::Usage(Misuse::OnlyFullToStream));
    };
    if tree.emit != [Part::Full] {
        return Err(Refusal::Usage(Misuse::OnlyFullToStream));
    }
    let withheld = hashes(tree)?;
    let staging = Staging::beside(&base, Access::Private)?;
    let mut staged = stage::stage(&staging, &plan, None)?;
    staged.withheld = withheld;
    ensure_no_leak(&plan, &staged)?;
    let Material::Tree(tree) = &plan.material else {
        return Err(Refusal::Usage(Misuse::OnlyFullToStream));
    };
    let digest = repo_state(tree, &staged).digest();
    let mut documents = DocumentWriter::of(&staging);
    let missed = emit(&mut documents, plan.mode, tree, &staged, digest)?;
    let mut bytes = 0;
    for (member, size) in documents.written() {
        let stream = |e| Refusal::io("writing", "standard output".as_ref())(e);
        io::copy(&mut staging.open(&member.path)?, out).map_err(stream)?;
        bytes += size;
    }
    let mut notices = plan.notices.clone();
    notices.extend(missed.into_iter().map(|path| SealNotice::NoAnchor { path }));
    Ok(TextReport {
        commit: tree.commit.id.short(),
        state: digest,
        entries: tree.members.len() as u64,
        withheld: tree.withheld.len() as u64,
        bytes,
        notices,
    })
}

/// Returns the hashes of the protected contents, with their paths. A pack has them of its seals.
fn hashes(tree: &TreePlan) -> Result<Vec<(Digest, String)>> {
    let repo = &tree.ruled.repo;
    let mut hashes = Vec::new();
    for artifact in &tree.withheld {
        let path = artifact.path.as_str().to_owned();
        let (hash, size) = match &artifact.source {
            ArtifactSource::Blob(id) => {
                let original = artifact.path.original();
                let entry = std::iter::once((&*original, EntryKind::Regular, id));
                let digests = state::digests(repo, &tree.ruled.registry, entry, repo.private().digests())?;
                digests[0]
            }
            source => read_source(source, |place, reader, _| {
                let (mut hasher, mut size) = (Hasher::default(), 0);
                let mut buffer = vec![0; 128 << 10];
                loop {
                    match reader.read(&mut buffer) {
                        Ok(0) => return Ok((hasher.finish(), size)),
                        Ok(n) => {
                            hasher.update(&buffer[..n]);
                            size += n as u64;
                        }
                        Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                        Err(e) => return Err(Refusal::io("reading", place)(e)),
                    }
                }
            })?,
        };
        // Every empty file has the same content, which reveals nothing.
        if size > 0 {
            hashes.push((hash, path));
        }
    }
    Ok(hashes)
}
