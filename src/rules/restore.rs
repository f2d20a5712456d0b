//! Decides where the entries of a manifest of contents are restored to, and refuses entries that collide.

use std::cmp::Ordering;

use crate::format::digest::Digest;
use crate::format::lite::{Kind, MANIFEST_VERSION, ManifestEntry, PackManifest};
use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::format::sealed::Seal;
use crate::format::tree_name;
use crate::refusal::manifest::ManifestFault;
use crate::refusal::path::PathFault;
use crate::refusal::shown::{brief, told};

/// A file to be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Path to write to, relative to the output.
    pub path: MemberPath,
    /// Hash of the content, or of the ciphertext to open.
    pub content: Digest,
    /// Size in bytes of that content or ciphertext.
    pub bytes: u64,
    /// What to write of the content.
    pub form: Form,
}

/// What to write of a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// The content of a file, as it is.
    File,
    /// A ciphertext, as it is.
    Ciphertext,
    /// The plaintext sealed in it.
    Opened(Box<Seal>),
}

/// Why a manifest cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is not a valid manifest of a commit's tree.
    Bad(ManifestFault),
    /// Two entries would be written to the same path, or one below the other.
    Collision {
        /// The path.
        path: String,
        /// The two entries.
        sources: [String; 2],
        /// Whether the collision would not occur if ciphertexts were opened.
        as_ciphertext: bool,
    },
}

/// Refuses a manifest that is not a valid manifest of a tree. Does not check where its entries go.
pub fn check(manifest: &PackManifest) -> Result<(), Unfit> {
    let bad = |fault| Err(Unfit::Bad(fault));
    if manifest.version != MANIFEST_VERSION {
        return bad(ManifestFault::Version {
            expected: MANIFEST_VERSION,
            found: brief(&manifest.version),
        });
    }
    if let Some(disorder) = manifest.disorder() {
        return bad(disorder);
    }
    let ids = [&manifest.repo_state.commit, &manifest.repo_state.tree].map(|id| ObjectId::parse(id));
    if !matches!(ids, [Some(commit), Some(tree)] if commit.as_bytes().len() == tree.as_bytes().len()) {
        return bad(ManifestFault::NoCommit);
    }
    let mut total: u64 = 0;
    for entry in &manifest.entries {
        match total.checked_add(entry.bytes) {
            Some(sum) => total = sum,
            None => return bad(ManifestFault::TooManyBytes),
        }
        if entry.ext != ManifestEntry::new(&entry.path, entry.content, entry.bytes, entry.kind).ext {
            let path = brief(&entry.path);
            return bad(ManifestFault::Extension { path });
        }
    }
    Ok(())
}

/// Returns the files to restore, sorted bytewise by path. With `opened`, ciphertexts are replaced by the plaintexts
/// sealed in them.
pub fn items(manifest: &mut PackManifest, opened: Option<Vec<(MemberPath, Seal)>>) -> Result<Vec<Item>, Unfit> {
    let opaque = manifest.has_opaque_names();
    let entries = std::mem::take(&mut manifest.entries);
    let mut items = Vec::with_capacity(entries.len());
    for entry in entries {
        let own = parse(&entry.path)?;
        let (path, form) = match entry.kind {
            Kind::File => (own, Form::File),
            Kind::Sealed if opened.is_some() => continue,
            Kind::Sealed if opaque => (own, Form::Ciphertext),
            Kind::Sealed => (parse(&format!("{own}.age"))?, Form::Ciphertext),
        };
        items.push(Item {
            path,
            content: entry.content,
            bytes: entry.bytes,
            form,
        });
    }
    items.extend(opened.into_iter().flatten().map(|(path, seal)| Item {
        path,
        content: seal.sealed_hash,
        bytes: seal.sealed_bytes,
        form: Form::Opened(Box::new(seal)),
    }));
    items.sort_unstable_by(|a, b| in_tree_order(&a.path, &b.path));
    if let Some(pair) = items.windows(2).find(|pair| collide(&pair[0].path, &pair[1].path)) {
        return Err(collision(&pair[0], &pair[1]));
    }
    items.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(items)
}

fn parse(path: &str) -> Result<MemberPath, Unfit> {
    let parsed = match tree_name::is_text(path) {
        true => MemberPath::parse(path),
        false => Err(PathFault::Escape),
    };
    parsed.map_err(|fault| {
        let path = brief(path);
        Unfit::Bad(ManifestFault::BadPath { path, fault })
    })
}

/// Orders paths so that everything below a path directly follows it.
fn in_tree_order(a: &MemberPath, b: &MemberPath) -> Ordering {
    fn key(path: &MemberPath) -> impl Iterator<Item = u8> {
        // Paths have no NUL byte, so zero sorts before everything else.
        path.as_str().bytes().map(|byte| if byte == b'/' { 0 } else { byte })
    }
    key(a).cmp(key(b))
}

fn collide(path: &MemberPath, next: &MemberPath) -> bool {
    let rest = next.as_str().strip_prefix(path.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn collision(item: &Item, next: &Item) -> Unfit {
    if item.form == Form::File && next.form == Form::File {
        let path = brief(item.path.as_str());
        return Unfit::Bad(match item.path == next.path {
            true => ManifestFault::Duplicate { path },
            false => ManifestFault::FileAndDirectory { path },
        });
    }
    let source = |item: &Item| match item.form {
        Form::File => format!("the file {}", told(item.path.as_str())),
        Form::Ciphertext => format!("the ciphertext {}", told(item.path.as_str())),
        Form::Opened(_) => format!("{}, which is sealed", told(item.path.as_str())),
    };
    Unfit::Collision {
        path: brief(item.path.as_str()),
        sources: [source(item), source(next)],
        as_ciphertext: [item, next].iter().any(|item| item.form == Form::Ciphertext),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::dump::layout::Layout;
    use crate::format::run_record::CommitRef;
    use crate::refusal::shown::TOLD;

    fn manifest(entries: &[(&str, Kind)]) -> PackManifest {
        let layout = Layout {
            prefix: String::new(),
            buckets: Vec::new(),
            anchors: Vec::new(),
            max_tokens: None,
        };
        let entry = |(path, kind): &(&str, Kind)| ManifestEntry::new(*path, Digest::of(path.as_bytes()), 1, *kind);
        let commit = CommitRef {
            commit: "1".repeat(40),
            tree: "2".repeat(40),
        };
        PackManifest::new("repo", commit, &layout, entries.iter().map(entry).collect())
    }

    fn paths(items: &[Item]) -> Vec<&str> {
        items.iter().map(|item| item.path.as_str()).collect()
    }

    fn seal(path: &str) -> Seal {
        Seal {
            sealed_path: format!("sealed/{path}.age"),
            sealed_hash: Digest::of(path.as_bytes()),
            sealed_bytes: 1,
            plain_bytes: 1,
            padded: false,
            stanzas: Vec::new(),
            nonce: String::new(),
        }
    }

    fn opened(path: &str) -> (MemberPath, Seal) {
        (MemberPath::parse(path).unwrap(), seal(path))
    }

    #[test]
    fn ciphertexts_get_another_name_and_what_is_opened_its_own() {
        let made = manifest(&[("b.vec", Kind::Sealed), ("a", Kind::File), ("b", Kind::File)]);
        assert_eq!(check(&made), Ok(()));
        let items = items(&mut made.clone(), None).unwrap();
        assert_eq!(paths(&items), ["a", "b", "b.vec.age"]);
        assert_eq!(items[2].form, Form::Ciphertext);
        let items = super::items(&mut made.clone(), Some(vec![opened("b.vec")])).unwrap();
        assert_eq!(paths(&items), ["a", "b", "b.vec"]);
        assert!(matches!(items[2].form, Form::Opened(_)));
    }

    #[test]
    fn every_unsafe_path_is_refused() {
        for path in [
            "../x",
            "/x",
            "a/../x",
            ".git/config",
            "a//b",
            "",
            "a/",
            "C:x",
            "git~1/x",
        ] {
            for kind in [Kind::File, Kind::Sealed] {
                let made = manifest(&[("a", Kind::File), (path, kind)]);
                let refused = items(&mut made.clone(), None);
                assert!(matches!(refused, Err(Unfit::Bad(_))), "{path}: {refused:?}");
            }
        }
    }

    #[test]
    fn nothing_is_a_file_and_a_directory_or_two_files() {
        use Kind::{File, Sealed};
        let bad = |entries: &[(&str, Kind)]| items(&mut manifest(entries), None).unwrap_err();
        // Sorted bytewise, other paths may lie between a file and a path below it.
        for entries in [
            &[("a", File), ("a-b", File), ("a.b", File), ("a/x", File)][..],
            &[("d/a", File), ("d/a/b/c", File)],
            &[("a", File), ("a", File)],
        ] {
            assert!(matches!(bad(entries), Unfit::Bad(_)), "{entries:?}");
        }
        for entries in [
            &[("a.vec", Sealed), ("a.vec.age", File)][..],
            &[("a.vec", Sealed), ("a.vec.age/x", File)],
            &[("a/x", Sealed), ("a", File)],
        ] {
            assert!(
                matches!(
                    bad(entries),
                    Unfit::Collision {
                        as_ciphertext: true,
                        ..
                    }
                ),
                "{entries:?}"
            );
        }
        let made = manifest(&[("a.vec", Sealed), ("a.vec.age", File)]);
        assert!(items(&mut made.clone(), Some(vec![opened("a.vec")])).is_ok());
        for path in ["a.vec.age", "a.vec.age/x"] {
            let refused = items(&mut made.clone(), Some(vec![opened(path)])).unwrap_err();
            assert!(
                matches!(
                    refused,
                    Unfit::Collision {
                        as_ciphertext: false,
                        ..
                    }
                ),
                "{path}"
            );
        }
        assert_eq!(
            paths(&items(&mut manifest(&[("a-b", File), ("a/x", File), ("a/y", File)]), None).unwrap()),
            ["a-b", "a/x", "a/y"]
        );
    }

    #[test]
    fn what_is_no_manifest_of_a_tree_is_noticed() {
        let whole = manifest(&[("a.rs", Kind::File), ("b", Kind::File)]);
        assert_eq!(check(&whole), Ok(()));
        let changed = |change: &dyn Fn(&mut PackManifest)| {
            let mut made = whole.clone();
            change(&mut made);
            assert!(matches!(check(&made), Err(Unfit::Bad(_))), "{made:?}");
        };
        changed(&|made| made.version = "P1.0".into());
        changed(&|made| made.entries.reverse());
        changed(&|made| made.entries[1] = made.entries[0].clone());
        changed(&|made| made.buckets.push("x".into()));
        changed(&|made| made.repo_state.commit = "HEAD".into());
        changed(&|made| made.repo_state.tree = "2".repeat(64));
        changed(&|made| made.entries[0].ext = None);
        changed(&|made| made.entries.iter_mut().for_each(|entry| entry.bytes = u64::MAX / 2 + 1));
    }

    #[test]
    fn long_paths_are_told_in_short_and_judged_in_time() {
        let long = "a/".repeat(5_000_000) + "x";
        let below = format!("{long}/y");
        let made = manifest(&[(long.as_str(), Kind::File), (below.as_str(), Kind::File)]);
        let Err(Unfit::Bad(why)) = items(&mut made.clone(), None) else {
            panic!("a file and a directory");
        };
        assert!(why.to_string().len() < 2 * TOLD);
    }
}
