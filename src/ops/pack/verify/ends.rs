//! Finds the files of a pack that differ from those of a commit only in line endings.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::Path;

use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::adapters::git::blobs::reading;
use crate::format::digest::{Digest, Hasher};
use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::format::repo_state::{EntryKind, StateEntry};
use crate::format::tree_meta::REPO;
use crate::refusal::Result;

/// Returns those of `changed` whose copy in the pack at `root` has the lines of the commit's file with other endings.
///
/// Files without a readable copy are left out.
pub fn same_but_for_ends(
    repo: &Repository,
    root: &Path,
    changed: &[String],
    committed: &[StateEntry],
) -> Result<BTreeSet<String>> {
    let blobs: BTreeMap<Cow<'_, str>, ObjectId> = committed
        .iter()
        .filter(|file| file.entry.kind != EntryKind::Submodule)
        .map(|file| (file.entry.path.text(), file.entry.id))
        .collect();
    let mut copies = Vec::new();
    for path in changed {
        if let Some(id) = blobs.get(path.as_str())
            && MemberPath::parse(path).is_ok()
            && let Ok(opened) = files::open_regular(&root.join(REPO).join(path))
            && let Ok(lines) = lines_of(&mut &opened.file)
        {
            copies.push((path, *id, lines));
        }
    }
    let ids: Vec<ObjectId> = copies.iter().map(|(_, id, _)| *id).collect();
    let same = repo.with_blobs(&ids, |at, mut blob| {
        let lines = lines_of(&mut blob).map_err(|e| reading(&ids[at], &e))?;
        Ok(lines == copies[at].2)
    })?;
    let same = copies.iter().zip(same).filter(|(_, same)| *same);
    Ok(same.map(|((path, ..), _)| (*path).clone()).collect())
}

/// Returns the hash of a text without the carriage returns before newlines.
fn lines_of(text: &mut dyn Read) -> io::Result<Digest> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 64 << 10];
    let mut held_back = false;
    loop {
        let n = match text.read(&mut buffer) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let chunk = &buffer[..n];
        if held_back && chunk.first() != Some(&b'\n') {
            hasher.update(b"\r");
        }
        if n == 0 {
            return Ok(hasher.finish());
        }
        held_back = chunk.last() == Some(&b'\r');
        let mut rest = &chunk[..n - usize::from(held_back)];
        while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
            hasher.update(&rest[..at]);
            rest = &rest[at + 1..];
        }
        hasher.update(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Yields one byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(1);
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    #[test]
    fn only_a_return_before_a_newline_is_left_out() {
        for (text, lines) in [
            ("a\r\nb\r\n", "a\nb\n"),
            ("a\nb", "a\nb"),
            ("a\rb\r", "a\rb\r"),
            ("\r\r\n", "\r\n"),
            ("\r", "\r"),
            ("", ""),
        ] {
            let expected = Digest::of(lines.as_bytes());
            assert_eq!(lines_of(&mut text.as_bytes()).unwrap(), expected, "{text:?}");
            assert_eq!(lines_of(&mut Slow(text.as_bytes())).unwrap(), expected, "{text:?}");
        }
    }
}
