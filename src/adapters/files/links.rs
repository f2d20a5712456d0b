//! Checks for links in a work tree, so that the author of its content cannot redirect a write to a place outside of it.

use std::path::{Path, PathBuf};

use super::{canonical, exists, parent};
use crate::refusal::{Refusal, Result};

/// Refuses if `path` itself is a link.
pub fn ensure_is_no_link(path: &Path) -> Result<()> {
    match is_link(path) {
        true => Err(through(path, path)),
        false => Ok(()),
    }
}

/// Refuses if any component of `below`, a path relative to `root`, is a link.
pub fn ensure_no_link(root: &Path, below: &Path) -> Result<()> {
    let mut path = root.to_owned();
    for part in below.components() {
        path.push(part);
        if is_link(&path) {
            return Err(through(&root.join(below), &path));
        }
    }
    Ok(())
}

/// Refuses if, on the way to `path`, a link that lies in a work tree leads out of that work tree. For paths that a
/// person named.
///
/// A link outside of any work tree is the person's own. So is one in git's directory: no commit can create it, and
/// anyone who can write there can make git run any program.
pub fn ensure_stays_in_tree(path: &Path) -> Result<()> {
    // A slash at the end would make the system follow the link.
    let path: &Path = &path.components().collect::<PathBuf>();
    for link in path.ancestors().filter(|path| is_link(path)) {
        let (Ok(home), Some(name)) = (canonical(parent(link)), link.file_name()) else {
            return Err(through(path, link));
        };
        let Some(tree) = home.ancestors().find(|above| exists(&above.join(".git"))) else {
            continue;
        };
        let place = home.join(name);
        let is_gits = place.strip_prefix(tree).is_ok_and(|below| below.starts_with(".git"));
        let stays = || canonical(link).is_ok_and(|target| target.starts_with(tree));
        if !is_gits && !stays() {
            return Err(through(path, link));
        }
    }
    Ok(())
}

fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink())
}

fn through(path: &Path, link: &Path) -> Refusal {
    Refusal::ThroughLink {
        path: path.to_owned(),
        link: link.to_owned(),
        target: std::fs::read_link(link).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::platform::symlink;
    use super::*;
    use std::fs::create_dir_all;

    #[test]
    fn a_link_in_a_work_tree_leads_nowhere_else() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        let tree = root.join("tree");
        create_dir_all(tree.join(".git")).unwrap();
        create_dir_all(tree.join("d/e")).unwrap();
        create_dir_all(root.join("away")).unwrap();
        symlink("../away", tree.join("out")).unwrap();
        symlink("../../away", tree.join("d/out")).unwrap();
        symlink("d", tree.join("in")).unwrap();
        symlink("nowhere", tree.join("dangling")).unwrap();
        symlink(root.join("away"), tree.join(".git/hooks")).unwrap();
        symlink("tree", root.join("way-in")).unwrap();
        for (path, stays) in [
            ("tree/new", true),
            ("tree/d/e/new", true),
            ("tree/in/new", true),
            ("tree/.git/hooks/new", true),
            ("way-in/d/new", true),
            ("tree/out", false),
            ("tree/out/new", false),
            ("tree/out/../new", false),
            ("tree/in/out/new", false),
            ("way-in/out/new", false),
            ("tree/dangling/new", false),
        ] {
            assert_eq!(ensure_stays_in_tree(&root.join(path)).is_ok(), stays, "{path}");
        }
        assert!(ensure_no_link(&root.join("way-in"), Path::new("d/e/new")).is_ok());
        for path in ["out", "out/new", "in/e", "dangling"] {
            assert!(ensure_no_link(&tree, Path::new(path)).is_err(), "{path}");
        }
    }
}
