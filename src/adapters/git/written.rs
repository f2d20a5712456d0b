//! Writes blobs and trees into the object database. Nothing converts their content, and no ref leads to them yet.

use std::collections::BTreeMap;
use std::io::{self, Read};

use gix::objs::tree::{Entry, EntryKind};
use gix::objs::{Kind, Tree, Write as _};

use crate::adapters::git::{Repository, explain, from_gix, to_gix};
use crate::format::digest::{Digest, Hashing};
use crate::format::object_id::{ObjectHasher, ObjectId};
use crate::refusal::{Refusal, Result};

impl Repository {
    /// Stores content of `size` bytes as a blob, unless the repository has that blob. Returns its id, the SHA-256 of
    /// the content, and the number of bytes read.
    ///
    /// Content that is not there yet is opened twice.
    pub fn store_blob(
        &self,
        size: u64,
        open: &dyn Fn() -> Result<Box<dyn Read + Send>>,
    ) -> Result<(ObjectId, Digest, u64)> {
        let failed = |e: io::Error| Refusal::io("reading", "a member of the pack".as_ref())(e);
        let repo = self.local();
        let null = repo.object_hash().null();
        let mut content = Named {
            content: open()?,
            hasher: ObjectHasher::new(&from_gix(&null), "blob", size),
        };
        let mut hashing = Hashing::new(io::sink());
        let read = io::copy(&mut content, &mut hashing).map_err(failed)?;
        let (hash, id) = (hashing.finish().1, content.hasher.finish());
        if read != size || repo.has_object(to_gix(&id)) {
            return Ok((id, hash, read));
        }
        let mut content = open()?;
        let written = repo
            .objects
            .write_stream(Kind::Blob, size, &mut content)
            .map_err(|e| self.unwritten(&e))?;
        Ok((from_gix(&written), hash, read))
    }

    /// Stores the tree that has these files, with the trees below it. All files are plain ones.
    pub fn store_tree(&self, files: &[(&str, ObjectId)]) -> Result<ObjectId> {
        let mut top = Directory::default();
        for (path, id) in files {
            top.put(path, id);
        }
        self.store_directory(&top)
    }

    fn store_directory(&self, directory: &Directory) -> Result<ObjectId> {
        let entry = |name: &str, kind: EntryKind, id: &ObjectId| Entry {
            mode: kind.into(),
            filename: name.into(),
            oid: to_gix(id),
        };
        let mut entries = Vec::with_capacity(directory.files.len() + directory.below.len());
        for (name, id) in &directory.files {
            entries.push(entry(name, EntryKind::Blob, id));
        }
        for (name, below) in &directory.below {
            entries.push(entry(name, EntryKind::Tree, &self.store_directory(below)?));
        }
        // The order of git: a directory counts as if its name ended in a slash.
        entries.sort();
        let repo = self.local();
        let written = repo.write_object(Tree { entries });
        written.map(|id| from_gix(&id)).map_err(|e| self.unwritten(&e))
    }

    /// Returns the kind of an object.
    pub fn kind_of(&self, id: &ObjectId) -> Option<&'static str> {
        let kind = self.local().find_header(to_gix(id)).ok()?.kind();
        Some(match kind {
            Kind::Blob => "a blob",
            Kind::Tree => "a tree",
            Kind::Commit => "a commit",
            Kind::Tag => "a tag",
        })
    }

    fn unwritten(&self, error: &(dyn std::error::Error + 'static)) -> Refusal {
        let objects = self.common_dir().join("objects");
        Refusal::io("writing to", &objects)(io::Error::other(explain(error)))
    }
}

/// A reader that hashes its bytes as git hashes a blob.
struct Named<R> {
    content: R,
    hasher: ObjectHasher,
}

impl<R: Read> Read for Named<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.content.read(buf)?;
        self.hasher.update(&buf[..n]);
        Ok(n)
    }
}

/// A directory of files.
#[derive(Default)]
struct Directory<'a> {
    files: BTreeMap<&'a str, ObjectId>,
    below: BTreeMap<&'a str, Directory<'a>>,
}

impl<'a> Directory<'a> {
    fn put(&mut self, path: &'a str, id: &ObjectId) {
        match path.split_once('/') {
            None => drop(self.files.insert(path, *id)),
            Some((name, rest)) => self.below.entry(name).or_default().put(rest, id),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::adapters::git::Surroundings;

    #[test]
    fn a_tree_is_the_one_that_git_would_write() {
        for format in ["sha1", "sha256"] {
            let temp = tempfile::tempdir().unwrap();
            let git = |args: &[&str]| {
                let mut git = Command::new("git");
                git.current_dir(temp.path()).args(args);
                let output = git.output().unwrap();
                assert!(output.status.success(), "{args:?}");
                String::from_utf8(output.stdout).unwrap()
            };
            git(&["init", "-q", &format!("--object-format={format}")]);
            git(&["config", "core.autocrlf", "false"]);
            let files = ["a", "a-b", "a.d/x", "a/b".replace("a/", "aa/").leak(), "ab/c/d", "z"];
            let mut ids = Vec::new();
            let repo = Repository::discover(temp.path(), &Surroundings::default()).unwrap();
            for file in files {
                let path = temp.path().join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, format!("{file}\r\n")).unwrap();
                let content = std::fs::read(&path).unwrap();
                let size = content.len() as u64;
                let open = || Ok(Box::new(io::Cursor::new(content.clone())) as Box<dyn Read + Send>);
                let (id, hash, read) = repo.store_blob(size, &open).unwrap();
                assert_eq!((hash, read), (Digest::of(&content), size));
                assert_eq!(repo.store_blob(size, &open).unwrap().0, id);
                ids.push((file, id));
            }
            let tree = repo.store_tree(&ids).unwrap();
            git(&["add", "."]);
            assert_eq!(git(&["write-tree"]).trim(), tree.hex(), "{format}");
            git(&["fsck", "--strict"]);
            assert_eq!(repo.kind_of(&tree), Some("a tree"));
        }
    }
}
