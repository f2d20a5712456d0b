//! The layout of `FULL/` and `SPLIT/`: the order of texts, their buckets, and the names of the files.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::format::tree_meta::{FULL, SPLIT};

/// The layout of the texts of a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Prefix of the names of the files.
    pub prefix: String,
    /// Names of the root's directories that come first, in this order.
    pub buckets: Vec<String>,
    /// Paths of the files to read first, in this order.
    pub anchors: Vec<String>,
    /// The most tokens of a file under `SPLIT/`. `None` gives each bucket a file.
    pub max_tokens: Option<u64>,
}

/// A group of texts: those below one directory of the root, or those in the root itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bucket {
    /// The files in the root.
    Root,
    /// Everything below this directory of the root.
    Directory(String),
}

/// Number of characters of a directory's name that the name of a file takes over.
const MAX_NAME: usize = 40;

/// The budgets of tokens that a file under `SPLIT/` can have. Less would leave no room beside the headings.
pub const BUDGETS: RangeInclusive<u64> = 1000..=10_000_000;

/// Returns whether `text` is a valid prefix for the names of files.
pub fn is_prefix(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

impl Bucket {
    /// Returns the bucket of a path.
    pub fn of(path: &str) -> Self {
        match path.split_once('/') {
            Some((directory, _)) => Self::Directory(directory.to_owned()),
            None => Self::Root,
        }
    }

    /// Returns the bucket's name for use in a file name: capitals, digits, `.`, `_` and `-`.
    fn file_name(&self) -> String {
        let name = match self {
            Self::Root => return "ROOT".into(),
            Self::Directory(name) => name,
        };
        let plain = |c: char| match c {
            c if c.is_ascii_alphanumeric() || "._-".contains(c) => c.to_ascii_uppercase(),
            _ => '_',
        };
        name.chars().take(MAX_NAME).map(plain).collect()
    }
}

impl Layout {
    /// Returns the default layout of the scope `key`.
    pub fn of_scope(key: &str) -> Self {
        let plain = |c: char| match c {
            c if c.is_ascii_alphanumeric() || "_-".contains(c) => c.to_ascii_uppercase(),
            _ => '_',
        };
        Self {
            prefix: key.chars().take(64).map(plain).collect(),
            buckets: Vec::new(),
            anchors: Vec::new(),
            max_tokens: None,
        }
    }

    /// Sorts items by path: first the configured buckets in their order, then the files in the root, then the other
    /// directories bytewise. Within a bucket, bytewise.
    pub fn sort<T>(&self, items: &mut [T], path: impl Fn(&T) -> &str) {
        let named: BTreeMap<&str, usize> = self
            .buckets
            .iter()
            .zip(0..)
            .map(|(name, at)| (name.as_str(), at))
            .collect();
        let rank = |path: &str| match path.split_once('/') {
            None => (self.buckets.len(), Bucket::Root),
            Some((name, _)) => {
                let at = named.get(name).copied().unwrap_or(self.buckets.len() + 1);
                (at, Bucket::of(path))
            }
        };
        items.sort_by_cached_key(|item| (rank(path(item)), path(item).to_owned()));
    }
}

/// Returns the path of the member that holds all texts of a pack. `stamp` is part of its name.
pub fn full_member(prefix: &str, stamp: &str) -> String {
    format!("{FULL}/{prefix}-FULL-{stamp}.md")
}

/// Returns the path of the index member, which lists all texts of a pack and the file of each.
pub fn index_member(prefix: &str) -> String {
    format!("{SPLIT}/{prefix}{INDEX_END}")
}

const INDEX_END: &str = "-00_INDEX.md";

/// Returns the path of the member that holds the texts of a bucket. `number` counts the buckets from 1.
pub fn bucket_member(prefix: &str, number: usize, bucket: &Bucket) -> String {
    format!("{SPLIT}/{prefix}-{number:02}_{}.md", bucket.file_name())
}

/// Returns the path of the member that holds the texts of a split by tokens. `number` counts these members from 1.
pub fn chunk_member(prefix: &str, number: usize) -> String {
    format!("{SPLIT}/{prefix}-{number:02}{CHUNK_END}")
}

const CHUNK_END: &str = "_PART.md";

/// Returns whether a member may be a file of a split by tokens, by its name.
pub fn is_chunk(member: &str) -> bool {
    member.starts_with(SPLIT) && member.ends_with(CHUNK_END)
}

/// Returns the bucket's number in the path of a member. `None` if it is not the name of a bucket's member.
pub fn bucket_number(prefix: &str, member: &str) -> Option<usize> {
    let name = member.strip_prefix(SPLIT)?.strip_prefix('/')?.strip_prefix(prefix)?;
    let (number, _) = name.strip_prefix('-')?.split_once('_')?;
    number.parse().ok()
}

/// Returns the file prefix in the path of an index member. `None` if it is not the name of an index.
pub fn prefix_of_index(member: &str) -> Option<&str> {
    let name = member.strip_prefix(SPLIT)?.strip_prefix('/')?;
    name.strip_suffix(INDEX_END).filter(|prefix| is_prefix(prefix))
}

/// Returns the file prefix in the path of a member with all texts. `None` if it is not the name of one.
pub fn prefix_of_full<'a>(member: &'a str, stamp: &str) -> Option<&'a str> {
    let name = member.strip_prefix(FULL)?.strip_prefix('/')?.strip_suffix(".md")?;
    let prefix = name.strip_suffix(stamp)?.strip_suffix("-FULL-")?;
    Some(prefix).filter(|prefix| is_prefix(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_that_are_named_come_first_and_the_rest_bytewise() {
        let layout = Layout {
            buckets: vec!["src".into(), "none".into(), "LAW".into()],
            ..Layout::of_scope("repo")
        };
        let mut paths = [
            "z",
            "a-b/x",
            "a/x",
            "LAW/b",
            "src/b/a",
            "a/b/c",
            "src/b.rs",
            "README.md",
            "LAW/a",
            "src",
        ];
        layout.sort(&mut paths, |path| path);
        assert_eq!(
            paths,
            [
                "src/b.rs",
                "src/b/a",
                "LAW/a",
                "LAW/b",
                "README.md",
                "src",
                "z",
                "a/b/c",
                "a/x",
                "a-b/x"
            ]
        );
    }

    #[test]
    fn names_are_safe_whatever_the_directories_are_called() {
        let directory = |name: &str| Bucket::Directory(name.into());
        assert_eq!(bucket_member("R", 1, &Bucket::Root), "SPLIT/R-01_ROOT.md");
        assert_eq!(
            bucket_member("R", 12, &directory("a b\n..ü")),
            "SPLIT/R-12_A_B_..__.md".replace("__", "_")
        );
        assert_eq!(
            bucket_member("R", 123, &directory(&"x".repeat(300))).len(),
            6 + 6 + 40 + 3
        );
        assert_eq!(bucket_number("R", "SPLIT/R-123_X_Y.md"), Some(123));
        assert_eq!(bucket_number("R", "SPLIT/S-01_X.md"), None);
        assert_eq!(chunk_member("R", 7), "SPLIT/R-07_PART.md");
        assert!(is_chunk("SPLIT/R-107_PART.md") && !is_chunk("SPLIT/R-01_X.md"));
        assert_eq!(prefix_of_index("SPLIT/A-B-00_INDEX.md"), Some("A-B"));
        assert_eq!(prefix_of_index("SPLIT/-00_INDEX.md"), None);
        assert_eq!(prefix_of_index("SPLIT/x/y-00_INDEX.md"), None);
        let stamp = "0123456789ab";
        assert_eq!(prefix_of_full(&full_member("A-FULL-B", stamp), stamp), Some("A-FULL-B"));
        assert_eq!(prefix_of_full(&full_member("A", "0123456789ac"), stamp), None);
        assert_eq!(Layout::of_scope("my.docs-2").prefix, "MY_DOCS-2");
    }
}
