//! Attached files in archives that somebody prepared.

use gitpack::adapters::archive::ArchivedPack;
use gitpack::adapters::published::PublishedPack;
use gitpack::format::archive::ArchiveWriter;
use gitpack::format::attachment::{Attachment, AttachmentKind};
use gitpack::format::digest::Digest;
use gitpack::format::manifest::ManifestDocument;

use super::hostile::{Entries, entries, framed, joined, tar};
use crate::common::Place;

/// An archive of a pack without members of its own, to which these files are attached.
fn archive(files: &[(AttachmentKind, Vec<u8>)]) -> (Vec<u8>, Digest) {
    let place = Place::new();
    let pack = super::sealed(&place, &[("a.txt", b"alpha".to_vec())]);
    let bytes = std::fs::read(pack.join("manifest.json")).unwrap();
    let document = ManifestDocument::parse(&bytes).unwrap();
    let id = Digest::parse_ref(&document.pack_id).unwrap();
    let files: Vec<Attachment> = files
        .iter()
        .map(|(kind, bytes)| Attachment {
            name: String::new(),
            kind: *kind,
            bytes: bytes.clone(),
        })
        .collect();
    let writer = ArchiveWriter::new(Vec::new(), &bytes, &document).unwrap();
    let (bytes, _) = writer.attach(&id, &files).unwrap().finish().unwrap();
    (bytes, id)
}

/// Returns the contents of the attached files of an archive, or what is said of it.
fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("a.tar.zst");
    std::fs::write(&path, bytes).unwrap();
    let pack = ArchivedPack::at(&path).map_err(|refused| refused.to_string())?.unwrap();
    let attached = pack.attached().unwrap();
    assert!(attached.strange.is_empty());
    Ok(attached.files.into_iter().map(|file| file.bytes).collect())
}

const SIGNATURE: AttachmentKind = AttachmentKind::Signature;

fn three() -> Vec<(AttachmentKind, Vec<u8>)> {
    vec![
        (AttachmentKind::Attestation, b"{}\n".to_vec()),
        (SIGNATURE, b"one".to_vec()),
        (SIGNATURE, b"two".to_vec()),
        (SIGNATURE, b"one".to_vec()),
    ]
}

#[test]
fn attached_files_are_written_in_one_order_and_each_once() {
    let (bytes, _) = archive(&three());
    let mut turned = three();
    turned.reverse();
    assert_eq!(archive(&turned).0, bytes);
    let names: Vec<String> = entries(&tar(&bytes))
        .iter()
        .map(|(header, _)| header.path().unwrap().to_str().unwrap().to_owned())
        .collect();
    let ends: Vec<&str> = names[1..]
        .iter()
        .map(|name| &name[name.find('.').unwrap() + 78..])
        .collect();
    assert_eq!(ends, [".sig", ".2.sig", ".1.intoto.jsonl"], "{names:?}");
    assert_eq!(read(&bytes).unwrap().len(), 3);
}

#[test]
fn another_order_or_another_name_is_refused() {
    let (bytes, id) = archive(&three());
    let rename = |entries: &mut Entries, at: usize, from: &str, to: &str| {
        let header = &mut entries[at].0;
        let name = header.path().unwrap().to_str().unwrap().replace(from, to);
        header.set_path(name).unwrap();
        header.set_cksum();
    };
    type Change<'a> = Box<dyn Fn(&mut Entries) + 'a>;
    let hex = id.hex();
    let other = Digest::of(b"other").hex();
    let changes: Vec<(&str, Change<'_>)> = vec![
        (
            "is there twice, or is not in order",
            Box::new(|entries| entries.swap(1, 2)),
        ),
        (
            "is there twice, or is not in order",
            Box::new(|entries| entries.swap(2, 3)),
        ),
        (
            "is there twice, or is not in order",
            Box::new(|entries| drop(entries.remove(1))),
        ),
        (
            "is there twice, or is not in order",
            Box::new(|entries| entries.insert(1, entries[1].clone())),
        ),
        // The same content under the next name.
        (
            "is there twice, or is not in order",
            Box::new(|entries| {
                let content = entries[1].1.clone();
                entries[2].1 = content;
            }),
        ),
        (
            "is there twice, or is not in order",
            Box::new(|entries| rename(entries, 2, ".2.sig", ".3.sig")),
        ),
        (
            "does not have the name",
            Box::new(|entries| rename(entries, 2, ".2.sig", ".02.sig")),
        ),
        (
            "does not have the name",
            Box::new(|entries| rename(entries, 1, &hex, &other)),
        ),
        (
            "does not have the name",
            Box::new(|entries| rename(entries, 1, ".sig", ".pub")),
        ),
        // A member behind attached files.
        (
            "is there twice, or is not in order",
            Box::new(|entries| {
                let mut member = entries[0].clone();
                let top = member.0.path().unwrap().parent().unwrap().to_str().unwrap().to_owned();
                member.0.set_path(format!("{top}/a.txt")).unwrap();
                member.0.set_cksum();
                entries.push(member);
            }),
        ),
    ];
    for (what, change) in changes {
        let mut entries = entries(&tar(&bytes));
        change(&mut entries);
        let said = read(&framed(&joined(&entries))).unwrap_err();
        assert!(said.contains(what), "expected {what:?}, found {said:?}");
    }
}

#[test]
fn attached_files_are_bounded() {
    let sized = |size: usize| vec![(SIGNATURE, vec![b'x'; size])];
    assert!(read(&archive(&sized(1 << 20)).0).is_ok());
    let said = read(&archive(&sized((1 << 20) + 1)).0).unwrap_err();
    assert!(said.contains("more than may be attached"), "{said}");
    let many = |count: u32| -> Vec<_> { (0..count).map(|n| (SIGNATURE, n.to_le_bytes().to_vec())).collect() };
    assert_eq!(read(&archive(&many(256)).0).unwrap().len(), 256);
    let said = read(&archive(&many(257)).0).unwrap_err();
    assert!(said.contains("more than may be attached"), "{said}");
}
