//! Walks of everything below a directory. Links are never followed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::FileType;
use std::io;
use std::path::Path;

use walkdir::WalkDir;

use crate::adapters::files::kind_name;
use crate::format::name_list::NameList;
use crate::format::path_bytes::bytes_of_path;

/// An item that [`descend`] passes to its visitor.
pub enum Met {
    /// A directory. Its content follows.
    Directory,
    /// A file, link, FIFO, socket or device, by its kind.
    Other(FileType),
    /// A directory that was entered and could not be listed.
    UnreadableDirectory(io::Error),
    /// An entry of unknown kind.
    Unreadable(io::Error),
}

/// Passes everything below `root` to `visit`, by its path relative to `root`, depth first and otherwise unordered.
///
/// A directory is entered if `visit` returns true for it.
pub fn descend<E>(root: &Path, mut visit: impl FnMut(&[u8], Met) -> Result<bool, E>) -> Result<(), E> {
    // Every path that the walk yields is the root's, joined with the names below it.
    let above = root.as_os_str().len();
    let relative = |path: &Path| below(path, above).into_owned();
    let mut entered = Vec::new();
    let mut entries = WalkDir::new(root).into_iter();
    while let Some(next) = entries.next() {
        match next {
            Ok(entry) if entry.depth() == 0 => {}
            Ok(entry) if entry.file_type().is_dir() => {
                let path = relative(entry.path());
                match visit(&path, Met::Directory)? {
                    true => entered = path,
                    false => entries.skip_current_dir(),
                }
            }
            Ok(entry) => drop(visit(&below(entry.path(), above), Met::Other(entry.file_type()))?),
            Err(error) => {
                // An error in the middle of a listing does not name the directory. It counts for the root.
                let path = error.path().map(relative).unwrap_or_default();
                let error = error
                    .into_io_error()
                    .unwrap_or_else(|| io::Error::other("a link leads back to a directory above it"));
                let met = match path.is_empty() || path == entered {
                    true => Met::UnreadableDirectory(error),
                    false => Met::Unreadable(error),
                };
                visit(&path, met)?;
            }
        }
    }
    Ok(())
}

/// Returns what a path has behind so many bytes and a slash.
fn below(path: &Path, above: usize) -> Cow<'_, [u8]> {
    fn cut(bytes: &[u8], above: usize) -> &[u8] {
        let below = bytes.get(above..).unwrap_or_default();
        below.strip_prefix(b"/").unwrap_or(below)
    }
    match bytes_of_path(path) {
        Cow::Borrowed(bytes) => Cow::Borrowed(cut(bytes, above)),
        Cow::Owned(bytes) => Cow::Owned(cut(&bytes, above).to_vec()),
    }
}

/// An item of the list that [`walk`] returns.
pub enum Walked {
    /// A regular file.
    File,
    /// A link, FIFO, socket or device, by its name.
    NotRegular(&'static str),
    /// A directory with nothing in it.
    EmptyDirectory,
    /// A directory that could not be listed.
    UnreadableDirectory(io::Error),
    /// An entry of unknown kind.
    Unreadable(io::Error),
}

/// Lists everything below `root`, as relative paths in bytewise order.
///
/// A directory is listed only if it is empty or unreadable; otherwise, its content is. Directories for whose path
/// `enter` returns false are skipped.
pub fn walk(root: &Path, enter: impl Fn(&[u8]) -> bool) -> Vec<(Vec<u8>, Walked)> {
    let mut found = Vec::new();
    walk_each(root, enter, |path, walked| found.push((path.to_vec(), walked)));
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// The list that [`walk_all`] returns.
pub struct WalkedList {
    /// The paths in bytewise order.
    pub paths: NameList,
    /// What is no regular file, by its place in the list.
    pub others: BTreeMap<usize, Walked>,
}

/// Lists everything below `root` as [`walk`] does, and takes less memory.
pub fn walk_all(root: &Path) -> WalkedList {
    let (mut found, mut others) = (NameList::default(), BTreeMap::new());
    walk_each(
        root,
        |_| true,
        |path, walked| {
            if !matches!(walked, Walked::File) {
                others.insert(found.len(), walked);
            }
            found.push(path);
        },
    );
    let mut list = WalkedList {
        paths: NameList::default(),
        others: BTreeMap::new(),
    };
    for at in found.order() {
        if let Some(walked) = others.remove(&at) {
            list.others.insert(list.paths.len(), walked);
        }
        list.paths.push(found.get(at));
    }
    list
}

/// Passes everything below `root` to `found`, in no order.
fn walk_each(root: &Path, enter: impl Fn(&[u8]) -> bool, mut found: impl FnMut(&[u8], Walked)) {
    // The directory that was entered last, until something in it is met.
    let mut empty: Option<Vec<u8>> = None;
    let Ok(()) = descend::<Infallible>(root, |path, met| {
        if let Some(directory) = empty.take() {
            let inner = path.strip_prefix(&directory[..]);
            if !inner.is_some_and(|inner| inner.is_empty() || inner.starts_with(b"/")) {
                found(&directory, Walked::EmptyDirectory);
            }
        }
        let walked = match met {
            Met::Directory => {
                let enters = enter(path);
                empty = enters.then(|| path.to_vec());
                return Ok(enters);
            }
            Met::Other(kind) if kind.is_file() => Walked::File,
            Met::Other(kind) => Walked::NotRegular(kind_name(kind)),
            Met::UnreadableDirectory(e) => Walked::UnreadableDirectory(e),
            Met::Unreadable(e) => Walked::Unreadable(e),
        };
        found(path, walked);
        Ok(false)
    });
    if let Some(directory) = empty {
        found(&directory, Walked::EmptyDirectory);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::platform::symlink;
    use super::*;

    #[test]
    fn a_walk_lists_everything_once_and_in_order() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path();
        for directory in ["a", "ab/empty", "b/c/d", "b/skipped", "only/skipped", "z"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        for file in ["a.x", "ab/f", "b/c/d/f", "b/skipped/f", "only/skipped/f"] {
            fs::write(root.join(file), "").unwrap();
        }
        symlink("../b", root.join("ab/link")).unwrap();
        let names = |root: &Path| -> Vec<String> {
            let walked = walk(root, |path| !path.ends_with(b"skipped")).into_iter();
            let named = walked.map(|(path, walked)| {
                let what = match walked {
                    Walked::File => "",
                    Walked::NotRegular(kind) => kind,
                    Walked::EmptyDirectory => "empty",
                    Walked::UnreadableDirectory(_) => "unreadable directory",
                    Walked::Unreadable(_) => "unreadable",
                };
                format!("{} {what}", String::from_utf8(path).unwrap())
                    .trim_end()
                    .to_owned()
            });
            named.collect()
        };
        let expected = [
            "a empty",
            "a.x",
            "ab/empty empty",
            "ab/f",
            "ab/link a symbolic link",
            "b/c/d/f",
            "z empty",
        ];
        assert_eq!(names(root), expected);
        let all = walk(root, |_| true);
        let list = walk_all(root);
        assert!(list.paths.iter().eq(all.iter().map(|(path, _)| path.as_slice())));
        for (at, (path, walked)) in all.iter().enumerate() {
            let is_other = !matches!(walked, Walked::File);
            assert_eq!(list.others.contains_key(&at), is_other, "{path:?}");
        }
        let link = temp.path().join("way-in");
        symlink("b", &link).unwrap();
        assert_eq!(names(&link), ["c/d/f"], "a link as the root");
        assert_eq!(names(&root.join("missing")), [" unreadable directory"]);
        assert_eq!(names(&root.join("a")), [""; 0], "an empty root");
    }
}
