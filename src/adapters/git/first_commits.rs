//! Finds the commits of a walk that introduced some entries.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::adapters::git::blobs::Proof;
use crate::adapters::git::raw_tree::{Leads, RawEntries, check_tree, read_tree};
use crate::adapters::git::steps::CommitStep;
use crate::adapters::git::walk::Walk;
use crate::adapters::git::{Repository, from_gix, to_gix};
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::refusal::{Refusal, Result};

/// Number of commits whose directories are looked into in one go, oldest first.
const AT_ONCE: usize = 16384;

/// A directory that leads to wanted entries: a tree, and the number of its path.
type Directory = (u32, ObjectId);

/// A name in a directory that leads to wanted entries.
#[derive(Default)]
struct Name {
    /// The wanted entry of this name: the number of its path.
    file: Option<usize>,
    /// The number of the directory of this name.
    below: Option<u32>,
}

/// What a directory has under one of the names.
enum Held {
    /// A wanted entry: the number of its path, and its id.
    Wanted(usize, ObjectId),
    Below(Directory),
}

/// The paths that are searched for.
struct Paths<'w> {
    /// The names in each directory that lead to wanted entries. The first is the root.
    directories: Vec<BTreeMap<&'w [u8], Name>>,
    /// The wanted ids at each path.
    ids: Vec<Vec<ObjectId>>,
    /// For each wanted entry, the number of its path.
    files: Vec<usize>,
}

impl<'w> Paths<'w> {
    fn of(wanted: &'w [(RepoPath, ObjectId)]) -> Self {
        let mut paths = Self {
            directories: vec![BTreeMap::new()],
            ids: Vec::new(),
            files: Vec::new(),
        };
        for (path, id) in wanted {
            let mut at = 0;
            let mut names = path.as_bytes().split(|byte| *byte == b'/').peekable();
            while let Some(name) = names.next() {
                let count = paths.directories.len();
                let name = paths.directories[at].entry(name).or_default();
                if names.peek().is_some() {
                    at = *name.below.get_or_insert(count as u32) as usize;
                    if at == count {
                        paths.directories.push(BTreeMap::new());
                    }
                } else {
                    let file = *name.file.get_or_insert(paths.ids.len());
                    paths.ids.resize_with(paths.ids.len().max(file + 1), Vec::new);
                    paths.ids[file].push(*id);
                    paths.files.push(file);
                }
            }
        }
        paths
    }

    /// Returns what a directory with these bytes has of what is searched for.
    fn held(&self, number: u32, bytes: &[u8], width: usize) -> Vec<Held> {
        let names = &self.directories[number as usize];
        let mut begin = [false; 256];
        for name in names.keys() {
            begin[usize::from(name.first().copied().unwrap_or_default())] = true;
        }
        let mut held = Vec::new();
        for entry in RawEntries::of(bytes, width) {
            // Hardly a name begins like one that is searched for.
            if !begin[usize::from(entry.name.first().copied().unwrap_or_default())] {
                continue;
            }
            let Some(name) = names.get(entry.name) else {
                continue;
            };
            let id = from_gix(gix::oid::from_bytes_unchecked(entry.id));
            let wanted = name.file.filter(|file| self.ids[*file].contains(&id));
            match (wanted, name.below) {
                (Some(file), _) => held.push(Held::Wanted(file, id)),
                (None, Some(below)) if entry.leads() == Some(Leads::Directory) => held.push(Held::Below((below, id))),
                _ => {}
            }
        }
        held
    }
}

impl Repository {
    /// Returns, for each entry in `wanted`, the first commit of the walk that has it.
    ///
    /// Reads the directories of all commits level by level, but only those that lead to the entries.
    pub fn introduced_by(
        &self,
        walk: &Walk,
        wanted: &[(RepoPath, ObjectId)],
    ) -> Result<HashMap<(RepoPath, ObjectId), ObjectId>> {
        let paths = Paths::of(wanted);
        let mut found = HashMap::new();
        for start in (0..walk.steps.len()).step_by(AT_ONCE) {
            let end = walk.steps.len().min(start + AT_ONCE);
            let steps: Vec<CommitStep> = walk.steps.of(start..end).collect();
            self.introduced_in(&steps, &paths, &mut found)?;
            if found.len() == wanted.len() {
                break;
            }
        }
        let by = wanted.iter().zip(&paths.files).filter_map(|(entry, file)| {
            let commit = found.get(&(*file, entry.1))?;
            Some((entry.clone(), *commit))
        });
        Ok(by.collect())
    }

    /// Adds the wanted entries of some commits that were not found in earlier ones.
    fn introduced_in(
        &self,
        steps: &[CommitStep],
        paths: &Paths<'_>,
        found: &mut HashMap<(usize, ObjectId), ObjectId>,
    ) -> Result<()> {
        let mut all: HashMap<Directory, Vec<Held>> = HashMap::new();
        let roots: HashSet<Directory> = steps.iter().map(|step| (0, from_gix(&step.tree))).collect();
        let mut level: Vec<Directory> = roots.into_iter().collect();
        while !level.is_empty() {
            let held = self.held(paths, &level)?;
            let mut next: HashSet<Directory> = HashSet::new();
            for held in held.iter().flatten() {
                if let Held::Below(directory) = held {
                    next.insert(*directory);
                }
            }
            all.extend(level.into_iter().zip(held).filter(|(_, held)| !held.is_empty()));
            level = next.into_iter().collect();
        }
        for step in steps {
            let mut waiting = vec![(0, from_gix(&step.tree))];
            while let Some(directory) = waiting.pop() {
                // Taken out, so that a later commit does not look into it again.
                for held in all.remove(&directory).into_iter().flatten() {
                    match held {
                        Held::Below(directory) => waiting.push(directory),
                        Held::Wanted(file, id) => {
                            found.entry((file, id)).or_insert_with(|| from_gix(&step.id));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns what each directory has of what is searched for, in the order of `level`.
    fn held(&self, paths: &Paths<'_>, level: &[Directory]) -> Result<Vec<Vec<Held>>> {
        let ids: Vec<ObjectId> = level.iter().map(|(_, tree)| *tree).collect();
        let order = self.pack_order(&ids);
        self.by_families(
            &order,
            || Ok((self.worker(), Vec::new())),
            |(repo, buffer), job, packed| {
                let (number, tree) = level[job.index()];
                let (tree, width) = (to_gix(&tree), tree.as_bytes().len());
                let needs_its_id = Proof::Checksum.needs_the_id(job);
                if let Some(object) = packed {
                    check_tree(self, tree, object.kind, object.bytes, needs_its_id)?;
                    return Ok((paths.held(number, object.bytes, width), ()));
                }
                match read_tree(self, repo, tree, buffer, needs_its_id)? {
                    true => Ok((paths.held(number, buffer, width), ())),
                    false => Err(Refusal::MissingObject {
                        count: 1,
                        example: tree.to_string(),
                    }),
                }
            },
        )
    }
}
