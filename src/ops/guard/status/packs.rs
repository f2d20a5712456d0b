//! The packs in the output directory of a work tree: what each was sealed from, who signed it, and where it was published.

use std::collections::BTreeMap;
use std::path::Path;

use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::adapters::pack_dir;
use crate::format::attachment::AttachedCounts;
use crate::format::canonical_json::parse_strict_into;
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::format::sealed::{MEMBER as SEALED_ARTIFACTS, SealedArtifacts};
use crate::format::tree_meta::{PACK_INFO, PackInfo};
use crate::ops::Context;
use crate::ops::pack::source::Source;
use crate::ops::share::publication::default_place;
use crate::refusal::{Refusal, Result};
use crate::rules::protect::OUTPUT_DIRECTORY;

/// A pack in the output directory. Nothing of it was verified.
#[derive(Debug)]
pub struct PackOutput {
    /// Its directory, relative to the top of the work tree.
    pub path: String,
    /// Its id, if the manifest can be read.
    pub pack_id: Option<Digest>,
    /// The commit that it was sealed from. `None` for evidence.
    pub commit: Option<String>,
    /// How much is attached to it.
    pub attached: AttachedCounts,
    /// The places where this clone published it.
    pub published: Vec<String>,
}

/// The packs, and which of them seal a file.
#[derive(Default)]
pub struct PackOutputs {
    /// The packs, sorted by path.
    pub packs: Vec<PackOutput>,
    /// For each artifact with a name, the directory of the first pack that seals it.
    pub sealing: BTreeMap<RepoPath, String>,
}

impl PackOutputs {
    /// Reads the packs of a work tree.
    pub(super) fn of(ctx: &Context, repo: &Repository, root: &Path) -> Result<Self> {
        let outputs = root.join(OUTPUT_DIRECTORY);
        let mut found = Self::default();
        let mut places: Vec<String> = repo.remotes().iter().map(|name| format!("git:{name}")).collect();
        // A bad address is a reason for push to refuse, not for status.
        let default = default_place(ctx).ok().flatten();
        places.extend(
            default
                .filter(|place| !places.contains(place))
                .into_iter()
                .collect::<Vec<_>>(),
        );
        for name in files::directories_in(&outputs)? {
            let directory = outputs.join(&name);
            let id = match pack_dir::manifest(&directory) {
                Ok(manifest) => Some(manifest.computed_id),
                Err(Refusal::BadPack { .. }) => continue,
                Err(_) => None,
            };
            let path = format!("{OUTPUT_DIRECTORY}/{}", name.to_string_lossy());
            for artifact in sealed_in(&directory) {
                found.sealing.entry(artifact).or_insert_with(|| path.clone());
            }
            let commit = document::<PackInfo>(&directory, PACK_INFO).map(|info| info.commit);
            let attached = id.and_then(|id| Source::Directory(&directory).attached_counts(&id).ok());
            found.packs.push(PackOutput {
                published: published(repo, &places, id.as_ref(), commit.as_deref()),
                attached: attached.unwrap_or_default(),
                pack_id: id,
                commit,
                path,
            });
        }
        Ok(found)
    }
}

/// Returns the places where this clone noted the publication of this very pack.
fn published(repo: &Repository, places: &[String], id: Option<&Digest>, commit: Option<&str>) -> Vec<String> {
    let (Some(id), Some(commit)) = (id, commit.and_then(ObjectId::parse)) else {
        return Vec::new();
    };
    let notes = repo.private().publications();
    let is_there = |place: &&String| notes.get(place, &commit).as_ref() == Some(id);
    places.iter().filter(is_there).cloned().collect()
}

/// Returns the paths of the artifacts that a pack seals under their names.
fn sealed_in(directory: &Path) -> Vec<RepoPath> {
    let sealed = document::<SealedArtifacts>(directory, SEALED_ARTIFACTS);
    let artifacts = sealed.map(|sealed| sealed.artifacts).unwrap_or_default().into_iter();
    let paths = artifacts.filter_map(|artifact| artifact.path);
    paths.map(|path| RepoPath::new(path.as_bytes())).collect()
}

/// Reads a document of a pack. `None` if it is not there or not valid.
fn document<T: for<'de> serde::Deserialize<'de>>(directory: &Path, member: &str) -> Option<T> {
    let bytes = files::read_optional(&directory.join(member), pack_dir::MAX_DOCUMENT)
        .ok()
        .flatten()?;
    parse_strict_into(&bytes).ok()
}
