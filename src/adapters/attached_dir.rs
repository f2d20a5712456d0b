//! The directory beside a pack's directory that holds what is attached to the pack.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::adapters::files;
use crate::format::attachment::{
    Attached, AttachedCounts, Attachment, AttachmentKind, AttachmentName, BESIDE, MAX_ATTACHMENT, MAX_ATTACHMENTS,
};
use crate::format::digest::Digest;
use crate::refusal::signing::SigningFault;
use crate::refusal::{Refusal, Result};

/// Returns the directory beside the pack at `root`. Whoever names the pack by a link, or as `..`, means the same one.
pub fn beside(root: &Path) -> PathBuf {
    let found = files::canonical(root);
    let root = found.as_deref().unwrap_or(root);
    let mut name = root.file_name().map(OsString::from).unwrap_or_default();
    name.push(BESIDE);
    root.with_file_name(name)
}

/// Reads what is attached to the pack at `root`. A missing directory counts as empty.
pub fn read(root: &Path, pack_id: &Digest) -> Result<Attached> {
    let directory = beside(root);
    files::ensure_is_no_link(&directory)?;
    let mut found = Attached::default();
    let mut files = Vec::new();
    for name in files::names_in(&directory)? {
        let shown = name.to_string_lossy().into_owned();
        match name.to_str().and_then(AttachmentName::parse) {
            Some((id, parsed)) if id == *pack_id => files.push((parsed, shown)),
            Some(_) => found.is_strange(shown, "its name is for another pack"),
            None => found.is_strange(shown, "an attached file does not have such a name"),
        }
    }
    files.sort();
    for (parsed, name) in files {
        let path = directory.join(&name);
        match files::regular_size(&directory, &name) {
            None => found.is_strange(name, "it is not a regular file"),
            Some(size) if found.has_room_for(size) => found.take(Attachment {
                bytes: files::read(&path, MAX_ATTACHMENT)?,
                kind: parsed.kind,
                name,
            }),
            Some(_) => found.is_strange(name, "it is more than may be attached to a pack"),
        }
    }
    Ok(found)
}

/// Counts what is attached to the pack at `root`, by the names of the files.
pub fn count(root: &Path, pack_id: &Digest) -> Result<AttachedCounts> {
    let directory = beside(root);
    files::ensure_is_no_link(&directory)?;
    let names = files::first_names_in(&directory, MAX_ATTACHMENTS)?;
    let parsed = names.iter().filter_map(|name| AttachmentName::parse(name.to_str()?));
    let kinds: Vec<AttachmentKind> = parsed
        .filter(|(id, _)| id == pack_id)
        .map(|(_, name)| name.kind)
        .collect();
    Ok(AttachedCounts::of(kinds.iter()))
}

/// Attaches a file to the pack at `root`, under the first free number. Returns its path, and whether it was written:
/// one with the same content stays as it is.
pub fn add(root: &Path, pack_id: &Digest, kind: AttachmentKind, bytes: &[u8]) -> Result<(PathBuf, bool)> {
    let directory = beside(root);
    let too_many = || Refusal::Signing {
        path: directory.clone(),
        fault: SigningFault::TooMany {
            allowed: MAX_ATTACHMENTS,
        },
    };
    if !read(root, pack_id)?.has_room_for(bytes.len() as u64) {
        return Err(too_many());
    }
    files::create_shared_dir(&directory)?;
    for number in 1..=MAX_ATTACHMENTS as u32 {
        let path = directory.join(AttachmentName { kind, number }.of_pack(pack_id));
        if files::exists(&path) {
            if files::read(&path, MAX_ATTACHMENT)? == bytes {
                return Ok((path, false));
            }
            continue;
        }
        let mut file = files::unnamed_beside(&path, 0o666)?;
        file.write_all(bytes).map_err(Refusal::io("writing", &path))?;
        match files::place_new_unnamed(file, &path, 0o666) {
            Ok(()) => return Ok((path, true)),
            // Somebody else attached a file at the same moment, perhaps this very one.
            Err(Refusal::OutputExists { .. }) if files::read(&path, MAX_ATTACHMENT)? == bytes => {
                return Ok((path, false));
            }
            Err(Refusal::OutputExists { .. }) => {}
            Err(refused) => return Err(refused),
        }
    }
    Err(too_many())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::files::platform::symlink;

    #[test]
    fn what_is_attached_is_found_again_once() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("run");
        let id = Digest::of(b"");
        let (signature, attestation) = (AttachmentKind::Signature, AttachmentKind::Attestation);
        assert_eq!(read(&root, &id).unwrap(), Attached::default());
        let names: Vec<_> = [(signature, "a"), (signature, "b"), (signature, "a"), (attestation, "a")]
            .into_iter()
            .map(|(kind, bytes)| {
                let (path, is_new) = add(&root, &id, kind, bytes.as_bytes()).unwrap();
                assert_eq!(path.parent(), Some(&*place.path().join("run.attestations")));
                (path.file_name().unwrap().to_str().unwrap()[64..].to_owned(), is_new)
            })
            .collect();
        let expected = [
            (".sig", true),
            (".2.sig", true),
            (".sig", false),
            (".1.intoto.jsonl", true),
        ];
        assert_eq!(names, expected.map(|(name, is_new)| (name.to_owned(), is_new)));
        let found = read(&root, &id).unwrap();
        assert_eq!((found.files.len(), found.strange.len()), (3, 0));
        let counts = count(&root, &id).unwrap();
        assert_eq!((counts, counts.signatures, counts.attestations), (found.counts(), 2, 1));
    }

    #[test]
    fn what_does_not_belong_there_is_named() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("run");
        let (id, other) = (Digest::of(b""), Digest::of(b"other"));
        let (path, _) = add(&root, &id, AttachmentKind::Signature, b"a").unwrap();
        let directory = beside(&root);
        let twin = AttachmentName {
            kind: AttachmentKind::Signature,
            number: 2,
        };
        let large = vec![0; MAX_ATTACHMENT as usize + 1];
        std::fs::write(directory.join("allowed_signers"), "*").unwrap();
        std::fs::write(directory.join(twin.of_pack(&other)), "a").unwrap();
        symlink(&path, directory.join(twin.of_pack(&id))).unwrap();
        std::fs::write(directory.join(format!("{}.3.sig", id.hex())), large).unwrap();
        let found = read(&root, &id).unwrap();
        assert_eq!((found.files.len(), found.strange.len()), (1, 4), "{:?}", found.strange);
    }

    #[test]
    fn each_name_of_a_pack_leads_to_the_same_directory() {
        let place = tempfile::tempdir().unwrap();
        let place = files::canonical(place.path()).unwrap();
        std::fs::create_dir_all(place.join("run/below")).unwrap();
        symlink("run", place.join("latest")).unwrap();
        for name in ["run", "run/", "run/.", "latest", "run/below/.."] {
            assert_eq!(beside(&place.join(name)), place.join("run.attestations"), "{name}");
        }
        // Nothing is there yet.
        assert_eq!(beside(&place.join("new")), place.join("new.attestations"));
    }

    #[test]
    fn a_planted_link_is_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let elsewhere = place.path().join("elsewhere");
        std::fs::create_dir(&elsewhere).unwrap();
        let root = place.path().join("run");
        symlink(&elsewhere, beside(&root)).unwrap();
        let id = Digest::of(b"");
        assert!(read(&root, &id).is_err());
        assert!(add(&root, &id, AttachmentKind::Signature, b"a").is_err());
        assert!(files::names_in(&elsewhere).unwrap().is_empty());
    }
}
