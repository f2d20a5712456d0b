//! The entries of a run's manifest, as an audit sees them.

use std::collections::BTreeSet;

use crate::format::digest::Digest;
use crate::format::lite::ManifestEntry;

/// What is noted of the entries of a manifest, which are read one by one because there may be very many.
pub struct SeenEntries<'a> {
    /// The outputs of the run.
    outputs: &'a [Digest],
    /// The contents that are not among them, with their paths.
    pub(super) unlisted: Vec<(Digest, String)>,
    /// The path of the last entry.
    last: Option<String>,
    is_disordered: bool,
    /// The directories of the root that have entries.
    directories: BTreeSet<String>,
}

impl<'a> SeenEntries<'a> {
    /// Begins without entries. The outputs are sorted.
    pub fn of(outputs: &'a [Digest]) -> Self {
        Self {
            outputs,
            unlisted: Vec::new(),
            last: None,
            is_disordered: false,
            directories: BTreeSet::new(),
        }
    }

    /// Notes the next entry.
    pub fn add(&mut self, entry: &ManifestEntry) {
        if self.outputs.binary_search(&entry.content).is_err() {
            self.unlisted.push((entry.content, entry.path.clone()));
        }
        if let Some((directory, _)) = entry.path.split_once('/')
            && !self.directories.contains(directory)
        {
            self.directories.insert(directory.to_owned());
        }
        self.is_disordered |= self.last.as_ref().is_some_and(|last| *last >= entry.path);
        entry.path.clone_into(self.last.get_or_insert_default());
    }

    /// Returns whether each path is greater than the one before, and the buckets are the directories.
    pub(super) fn are_in_order(&self, buckets: &[String]) -> bool {
        let mut buckets: Vec<&String> = buckets.iter().collect();
        buckets.sort_unstable();
        !self.is_disordered && buckets.into_iter().eq(&self.directories)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::lite::Kind;

    #[test]
    fn disorder_and_unlisted_contents_are_noticed() {
        let outputs = [Digest::of(b"a")];
        let seen = |paths: &[&str], content: &[u8]| {
            let mut seen = SeenEntries::of(&outputs);
            for path in paths {
                seen.add(&ManifestEntry::new(*path, Digest::of(content), 1, Kind::File));
            }
            seen
        };
        let buckets = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let whole = seen(&["a-b/x", "a/x", "a/y", "top"], b"a");
        assert!(whole.unlisted.is_empty());
        assert!(whole.are_in_order(&buckets(&["a-b", "a"])) && whole.are_in_order(&buckets(&["a", "a-b"])));
        for names in [&["a"][..], &["a", "a-b", "b"], &["a", "a", "a-b"]] {
            assert!(!whole.are_in_order(&buckets(names)), "{names:?}");
        }
        for paths in [["b", "a"], ["a", "a"], ["", ""]] {
            assert!(!seen(&paths, b"a").are_in_order(&[]), "{paths:?}");
        }
        assert_eq!(seen(&["x"], b"b").unlisted, [(Digest::of(b"b"), "x".to_owned())]);
    }
}
