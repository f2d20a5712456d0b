//! Edits to a pack that must not damage the store of its clone.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;

use crate::common;
use crate::common::Repo;
use crate::common::packs::{codes, opened};

/// Gain: an edited pack damages the clone's store, so that sealing the commit fails or every later seal is damaged.
#[test]
fn editing_a_sealed_member_does_not_spoil_the_store() {
    let repo = Repo::set_up();
    repo.write("s.vec", "tiny secret");
    let (id, pack) = repo.seal(&["--attach", "s.vec"]);
    let member = pack.join("sealed/s.vec.age");
    assert_eq!(fs::metadata(&member).unwrap().nlink(), 1);
    let whole = fs::read(&member).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&member).unwrap();
    file.write_all(b"more").unwrap();
    drop(file);
    assert!(!codes(&pack).is_empty());

    let (again, other) = repo.seal(&["--attach", "s.vec", "-o", "../other"]);
    assert_eq!(again, id);
    assert_eq!(fs::read(other.join("sealed/s.vec.age")).unwrap(), whole);
    assert_eq!(opened(&repo, &other.join("sealed/s.vec.age")), b"tiny secret");
    repo.pack(&["audit"]).ok();
    // No file of a pack or of the store may have a second hard link.
    for root in [repo.path("_PACK_RUN"), other, repo.path(".git/gitpack")] {
        for (path, mode, _) in common::snapshot(&root) {
            let meta = fs::metadata(root.join(&path)).unwrap();
            assert!(mode & 0o170000 != 0o100000 || meta.nlink() == 1, "{}", path.display());
        }
    }
}
