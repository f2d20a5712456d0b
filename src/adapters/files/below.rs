//! Opens the files below a directory by their names in it, so that a long way to it is gone once.

use std::io;
use std::path::{Path, PathBuf};

use super::platform::OpenDirectory;
use super::{OpenedFile, regular};
use crate::format::path_bytes::path_below;
use crate::refusal::Result;

/// Opens files below a directory.
pub struct Below {
    root: PathBuf,
    /// The directory of the last file that was opened, by its path below the root.
    last: Option<(Vec<u8>, OpenDirectory)>,
}

impl Below {
    /// Takes the directory, which is opened with the first file. It may be a link.
    pub fn of(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            last: None,
        }
    }

    /// Opens the regular file at a relative path, as [`super::open_regular`] does. Links on the way are not followed
    /// either.
    pub fn open_regular(&mut self, path: &[u8]) -> Result<OpenedFile> {
        let whole = self.root.join(path_below(path));
        let (directory, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (&b""[..], path),
        };
        let opened = self
            .directory(directory)
            .and_then(|directory| directory.file(path_below(name)));
        regular(opened, whole)
    }

    fn directory(&mut self, path: &[u8]) -> io::Result<&OpenDirectory> {
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            self.last = Some((path.to_vec(), self.open_directory(path)?));
        }
        let (_, directory) = self.last.as_ref().expect("it was just opened");
        Ok(directory)
    }

    fn open_directory(&self, path: &[u8]) -> io::Result<OpenDirectory> {
        let mut directory = OpenDirectory::at(&self.root)?;
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            if name == b".." {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "a path below leads above"));
            }
            directory = directory.directory(path_below(name))?;
        }
        Ok(directory)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;

    use super::super::platform::symlink;
    use super::*;

    #[test]
    fn nothing_is_opened_through_a_link_below_the_root() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir_all(root.join("ab")).unwrap();
        for name in ["f", "a/f", "a/b/f", "ab/f"] {
            fs::write(root.join(name), name).unwrap();
        }
        symlink("a", root.join("link")).unwrap();
        symlink("f", root.join("a/link")).unwrap();
        symlink("root", temp.path().join("way-in")).unwrap();
        for root in [root, temp.path().join("way-in")] {
            let mut below = Below::of(&root);
            for name in ["f", "a/f", "a/b/f", "a/f", "ab/f", "f"] {
                let mut read = String::new();
                let opened = below.open_regular(name.as_bytes()).unwrap();
                (&opened.file).read_to_string(&mut read).unwrap();
                assert_eq!((read.as_str(), opened.size), (name, name.len() as u64));
            }
            for name in [
                "link/f",
                "a/link",
                "link",
                "a/b",
                "none",
                "none/f",
                "f/f",
                "link/b/f",
                "../root/a/f",
                "a/../f",
            ] {
                assert!(below.open_regular(name.as_bytes()).is_err(), "{name}");
            }
        }
    }
}
