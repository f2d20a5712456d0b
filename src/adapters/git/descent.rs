//! Visits several directories of one tree, and reads each tree on the way once.

use crate::adapters::git::raw_tree::{Leads, RawEntries};
use crate::adapters::git::tree::id_of;
use crate::adapters::git::{Repository, changes, to_gix};
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::TreeEntry;
use crate::refusal::Result;

/// The path to the last visited directory. The next visit starts at the deepest directory that both paths share, so
/// each tree is read once if the directories are visited in order.
struct Descent<'a> {
    repo: &'a Repository,
    root: ObjectId,
    /// The root, once it was read, followed by the directories on the path.
    way: Vec<Step>,
}

struct Step {
    name: Vec<u8>,
    id: ObjectId,
    bytes: Vec<u8>,
}

impl Descent<'_> {
    /// Goes to the directory `path`; the empty path is the root. `None` if there is no such directory.
    fn to(&mut self, path: &[u8]) -> Result<Option<&Step>> {
        if self.way.is_empty() {
            self.enter(b"", self.root)?;
        }
        let names: Vec<&[u8]> = match path {
            [] => Vec::new(),
            _ => path.split(|byte| *byte == b'/').collect(),
        };
        let below_root = self.way[1..].iter().zip(&names);
        let shared = below_root.take_while(|(step, name)| step.name == **name).count();
        self.way.truncate(1 + shared);
        for name in &names[shared..] {
            let Some(above) = self.way.last() else { return Ok(None) };
            // If a name occurs twice, the first entry counts, as in git.
            let found = RawEntries::of(&above.bytes, above.id.as_bytes().len()).find(|entry| entry.name == *name);
            let Some(entry) = found else { return Ok(None) };
            if changes::leads(&entry, to_gix(&above.id))? != Leads::Directory {
                return Ok(None);
            }
            let id = id_of(&entry);
            self.enter(name, id)?;
        }
        Ok(self.way.last())
    }

    fn enter(&mut self, name: &[u8], id: ObjectId) -> Result<()> {
        let bytes = self.repo.tree_bytes(to_gix(&id))?;
        self.way.push(Step {
            name: name.to_vec(),
            id,
            bytes,
        });
        Ok(())
    }
}

impl Repository {
    fn descent(&self, tree: &ObjectId) -> Descent<'_> {
        Descent {
            repo: self,
            root: *tree,
            way: Vec::new(),
        }
    }

    /// Returns the files directly in these directories of a tree. A missing directory counts as empty.
    pub fn files_in_directories<'a>(
        &self,
        tree: &ObjectId,
        directories: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<TreeEntry>> {
        let mut descent = self.descent(tree);
        let mut files = Vec::new();
        for directory in directories {
            let Some(step) = descent.to(directory)? else { continue };
            let entries = RawEntries::of(&step.bytes, tree.as_bytes().len());
            files.extend(entries.filter_map(|entry| match entry.leads()? {
                Leads::Content(kind) => Some(TreeEntry {
                    path: RepoPath::new(&changes::joined(directory, entry.name)),
                    kind,
                    id: id_of(&entry),
                }),
                Leads::Directory => None,
            }));
        }
        Ok(files)
    }

    /// Returns those directories that exist in a tree, each with the id of its tree.
    pub fn directories_in_tree<'a>(
        &self,
        tree: &ObjectId,
        directories: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<(&'a [u8], ObjectId)>> {
        let mut descent = self.descent(tree);
        let mut found = Vec::new();
        for directory in directories {
            if let Some(step) = descent.to(directory)? {
                found.push((directory, step.id));
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use crate::adapters::git::{Repository, Surroundings};

    #[test]
    fn each_directory_is_found_whatever_came_before() {
        let temp = tempfile::tempdir().unwrap();
        let git = |args: &[&str]| {
            let mut git = Command::new("git");
            git.current_dir(temp.path()).args(args);
            assert!(git.status().unwrap().success(), "{args:?}");
        };
        git(&["init", "-q"]);
        for file in ["root", "a/one", "a-b/two", "a/b/three", "a/b/c/four", "b/five"] {
            let file = temp.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        git(&["add", "."]);
        git(&[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.org",
            "commit",
            "-q",
            "-m",
            "x",
        ]);
        let repo = Repository::discover(temp.path(), &Surroundings::default()).unwrap();
        let tree = repo.commit("HEAD").unwrap().tree;
        let files = |directories: &[&str]| {
            let directories = directories.iter().map(|directory| directory.as_bytes());
            let files = repo.files_in_directories(&tree, directories).unwrap();
            files.iter().map(|file| file.path.to_string()).collect::<Vec<_>>()
        };
        let all = [
            "", "a", "a-b", "a/b", "a/b/c", "a/none", "a/one", "a/one/x", "b", "none",
        ];
        let there = ["root", "a/one", "a-b/two", "a/b/three", "a/b/c/four", "b/five"];
        assert_eq!(files(&all), there);
        for directory in all {
            let alone = files(&[directory]);
            let expected: Vec<&str> = there
                .into_iter()
                .filter(|file| file.rsplit_once('/').map_or("", |(above, _)| above) == directory)
                .collect();
            assert_eq!(alone, expected, "{directory}");
        }
        let mut backwards = all;
        backwards.reverse();
        assert_eq!(files(&backwards).len(), there.len());
        let found = repo.directories_in_tree(&tree, [&b"a/b"[..], b"none", b"b"]).unwrap();
        assert_eq!(
            found.iter().map(|(path, _)| *path).collect::<Vec<_>>(),
            [&b"a/b"[..], b"b"]
        );
    }
}
