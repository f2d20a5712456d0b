//! Finds where old ciphertexts remain, as far as this clone can see. Everybody who could open them still can.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::adapters::git::{Peeled, Repository};
use crate::adapters::{files, pack_dir};
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::ops::Context;
use crate::ops::pack::rekey::is_same;
use crate::ops::pack::rekey::turn::Ciphertext;
use crate::refusal::{Refusal, Result};
use crate::rules::protect::OUTPUT_DIRECTORY;

/// Where old ciphertexts remain.
#[derive(Debug, Default)]
pub struct Remains {
    /// The places.
    pub places: Vec<Remaining>,
    /// Places that could not be searched, and why.
    pub unseen: Vec<(String, Refusal)>,
}

/// A place where old ciphertexts remain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remaining {
    /// The source that was rekeyed.
    Source(PathBuf),
    /// A pack of this repository, and the number of old ciphertexts in it.
    Pack(PathBuf, usize),
    /// The store that this clone keeps for the next sealing, and their number.
    Store(PathBuf, usize),
    /// The history of branches, tags and other refs of this clone.
    Refs(Vec<String>),
    /// The history of a remote when it was last fetched or pushed: the remote's name, and the branches.
    Remote(String, Vec<String>),
    /// Git's object database; no ref reaches them.
    Objects,
}

impl Remains {
    /// Searches for `old`. `source` is what was rekeyed, if it still exists, and `output` is the result.
    pub fn of(
        ctx: &Context,
        repo: Option<&Repository>,
        old: &[Ciphertext],
        source: Option<&Path>,
        output: &Path,
    ) -> Self {
        let mut remains = Self::default();
        remains
            .places
            .extend(source.map(|path| Remaining::Source(path.to_owned())));
        let Some(repo) = repo else { return remains };
        let hashes: BTreeSet<Digest> = old.iter().map(|ciphertext| ciphertext.hash).collect();
        let own: Vec<&Path> = source.into_iter().chain([output]).collect();
        let mut outputs: Vec<PathBuf> = repo
            .work_tree()
            .map(|root| root.join(OUTPUT_DIRECTORY))
            .into_iter()
            .collect();
        outputs.push(ctx.cwd.join("pack"));
        for outputs in outputs {
            remains.packs(&outputs, &hashes, &own);
        }
        let store = repo.private().seals();
        if let (count @ 1.., directory) = store.holding(&hashes) {
            remains.places.push(Remaining::Store(directory.to_owned(), count));
        }
        let blobs: BTreeSet<ObjectId> = old.iter().filter_map(|ciphertext| ciphertext.blob).collect();
        if let Err(why) = remains.history(repo, &blobs) {
            remains.unseen.push(("history was not searched".into(), why));
        }
        remains
    }

    /// Searches the manifests of the packs in a directory.
    fn packs(&mut self, outputs: &Path, hashes: &BTreeSet<Digest>, own: &[&Path]) {
        let names = match files::directories_in(outputs) {
            Ok(names) => names,
            Err(why) => return self.unseen.push(("packs were not looked at".into(), why)),
        };
        for name in names {
            let directory = outputs.join(name);
            if own.iter().any(|own| is_same(own, &directory)) {
                continue;
            }
            let manifest = match pack_dir::manifest(&directory) {
                Ok(manifest) => manifest,
                Err(Refusal::BadPack { .. }) => continue,
                Err(why) => {
                    self.unseen.push(("a pack was not looked at".into(), why));
                    continue;
                }
            };
            let held = manifest.members.iter().filter_map(|member| member.bytes_hash.digest());
            let count = held.filter(|hash| hashes.contains(hash)).count();
            if count > 0 {
                self.places.push(Remaining::Pack(directory, count));
            }
        }
    }

    /// Searches the history of every ref for the blobs.
    fn history(&mut self, repo: &Repository, blobs: &BTreeSet<ObjectId>) -> Result<()> {
        let has_any = blobs.iter().any(|blob| repo.has(blob));
        if !has_any && !repo.lacks_objects() {
            return Ok(());
        }
        let mut tips: BTreeMap<ObjectId, Vec<String>> = BTreeMap::new();
        let mut found: Vec<String> = Vec::new();
        for (name, id) in repo.refs("refs/")? {
            match repo.peel(&id)? {
                Peeled::Commit(tip) => tips.entry(tip).or_default().push(name),
                Peeled::Blob(blob) if blobs.contains(&blob) => found.push(name),
                Peeled::Blob(_) => {}
                Peeled::Tree(tree) => {
                    let entries = repo.tree_entries(&tree)?;
                    found.extend(entries.iter().any(|entry| blobs.contains(&entry.id)).then_some(name));
                }
            }
        }
        if repo.branch()?.is_none() && repo.has_commit()? {
            let head = repo.commit("HEAD")?.id;
            tips.entry(head).or_default().push("HEAD".into());
        }
        let all: Vec<ObjectId> = tips.keys().copied().collect();
        let walk = repo.walk(&all, &[])?;
        if let Err(cut) = walk.ensure_whole() {
            self.unseen.push(("older history was not searched".into(), cut));
        }
        let leading = repo.leading_to(&walk, blobs)?;
        found.extend(
            tips.into_iter()
                .filter(|(tip, _)| leading.contains(tip))
                .flat_map(|(_, names)| names),
        );
        found.sort();
        if found.is_empty() && has_any {
            self.places.push(Remaining::Objects);
        }
        let mut own = Vec::new();
        let mut remotes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for name in found {
            match name.strip_prefix("remotes/") {
                None => own.push(name),
                // It points at another branch of the same remote, which is searched itself.
                Some(tracking) if tracking.ends_with("/HEAD") => {}
                Some(tracking) => {
                    let (remote, branch) = split(repo, tracking);
                    remotes.entry(remote).or_default().push(branch);
                }
            }
        }
        self.places.extend((!own.is_empty()).then_some(Remaining::Refs(own)));
        let remotes = remotes.into_iter();
        self.places
            .extend(remotes.map(|(name, branches)| Remaining::Remote(name, branches)));
        Ok(())
    }
}

/// Splits the name of a tracking ref into remote and branch. Both may contain slashes.
fn split(repo: &Repository, tracking: &str) -> (String, String) {
    let ends = tracking.match_indices('/').map(|(at, _)| at);
    let known = ends.clone().find(|at| repo.has_remote(&tracking[..*at]));
    match known.or(ends.clone().next()) {
        Some(at) => (tracking[..at].to_owned(), tracking[at + 1..].to_owned()),
        None => (tracking.to_owned(), String::new()),
    }
}
