//! Archives that somebody prepared or damaged: each is refused, or its pack is found to be invalid.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use ::tar::{EntryType, Header};
use gitpack::adapters::archive::ArchivedPack;
use gitpack::format::digest::Digest;
use gitpack::ops::pack::source::Source;
use gitpack::ops::pack::verify::verify_source;
use serde_json::json;

use super::{archived, sealed};
use crate::common::Place;

/// The entries of an archive: the header, and the content without padding.
pub type Entries = Vec<(Header, Vec<u8>)>;

/// A small pack in an archive.
struct Scene {
    place: Place,
    bytes: Vec<u8>,
    top: String,
}

impl Scene {
    fn new() -> Self {
        let place = Place::new();
        let files = [
            ("a.txt", b"alpha".to_vec()),
            ("b.txt", Vec::new()),
            ("d/c.txt", b"gamma".to_vec()),
        ];
        sealed(&place, &files);
        let bytes = archived(&place, place.path(), "pack", "a.tar.zst");
        let top = entries(&tar(&bytes))[0]
            .0
            .path()
            .unwrap()
            .parent()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        Self { place, bytes, top }
    }

    fn path(&self) -> PathBuf {
        self.place.path().join("x.tar.zst")
    }

    /// Returns what is said of an archive: the refusal, or the codes of the findings.
    fn said(&self, bytes: &[u8]) -> String {
        fs::write(self.path(), bytes).unwrap();
        let verdict = match ArchivedPack::at(&self.path()) {
            Err(refused) => return refused.to_string(),
            Ok(pack) => verify_source(&Source::Published(&pack.unwrap())),
        };
        match verdict {
            Err(refused) => refused.to_string(),
            Ok(verdict) => {
                let codes = verdict.findings.iter().map(|finding| finding.kind.code());
                codes.collect::<Vec<_>>().join(" ")
            }
        }
    }

    /// Asserts what is said of an archive with changed entries.
    #[track_caller]
    fn says(&self, what: &str, change: impl FnOnce(&mut Entries, &str)) {
        let mut entries = entries(&tar(&self.bytes));
        change(&mut entries, &self.top);
        let said = self.said(&framed(&joined(&entries)));
        assert!(said.contains(what), "expected {what:?}, found {said:?}");
    }
}

pub fn tar(archive: &[u8]) -> Vec<u8> {
    ::zstd::decode_all(archive).unwrap()
}

/// Packs bytes into one frame that begins as in an archive.
pub fn framed(tar: &[u8]) -> Vec<u8> {
    let mut encoder = ::zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.window_log(21).unwrap();
    encoder.write_all(tar).unwrap();
    encoder.finish().unwrap()
}

pub fn entries(tar: &[u8]) -> Entries {
    let mut entries = Entries::new();
    let mut at = 0;
    while tar[at] != 0 {
        let header = Header::from_byte_slice(&tar[at..at + 512]).clone();
        let size = header.entry_size().unwrap() as usize;
        entries.push((header, tar[at + 512..at + 512 + size].to_vec()));
        at += 512 + size.next_multiple_of(512);
    }
    entries
}

pub fn joined(entries: &Entries) -> Vec<u8> {
    let mut tar = Vec::new();
    for (header, content) in entries {
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.extend_from_slice(&[0; 1024]);
    tar
}

/// Returns a header as an archive has it, with this name as it stands.
fn header(name: &str, kind: EntryType, size: u64, like: &Entries) -> Header {
    let mut header = like[0].0.clone();
    header.as_mut_bytes()[..345].first_chunk_mut::<100>().unwrap().fill(0);
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_cksum();
    header
}

/// Sets a field of the header of the entry `a.txt`.
fn with_field(entries: &mut Entries, change: impl FnOnce(&mut Header)) {
    change(&mut entries[1].0);
    entries[1].0.set_cksum();
}

fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let length = (rest..)
        .find(|length| *length == rest + length.to_string().len())
        .unwrap();
    format!("{length} {key}={value}\n").into_bytes()
}

fn pax(entries: &Entries, records: Vec<u8>) -> (Header, Vec<u8>) {
    (
        header("PaxHeaders/member", EntryType::XHeader, records.len() as u64, entries),
        records,
    )
}

#[test]
fn an_archive_that_is_put_together_again_is_the_same() {
    let scene = Scene::new();
    scene.says("", |_, _| {});
    let tar = tar(&scene.bytes);
    assert_eq!(framed(&joined(&entries(&tar))), scene.bytes);
    assert_eq!(scene.said(&scene.bytes), "");
}

#[test]
fn only_regular_files_are_taken() {
    let scene = Scene::new();
    for (kind, said) in [
        (b'1', "is a hard link"),
        (b'2', "is a symbolic link"),
        (b'3', "is a device"),
        (b'4', "is a device"),
        (b'5', "is a directory"),
        (b'6', "is a FIFO"),
        (b'7', "of a kind that archives"),
        (0, "of a kind that archives"),
        (b'S', "is a sparse file"),
        (b'L', "is a long name of GNU tar"),
        (b'K', "is a long name of GNU tar"),
        (b'g', "is a pax header in the wrong place"),
    ] {
        scene.says(said, |entries, _| {
            with_field(entries, |header| {
                header.as_mut_bytes()[156] = kind;
                header.set_link_name("/etc/passwd").unwrap();
            });
        });
        // The manifest is no exception.
        scene.says(said, |entries, _| {
            entries[0].0.as_mut_bytes()[156] = kind;
            entries[0].0.set_cksum();
        });
    }
}

#[test]
fn paths_lead_nowhere_else() {
    let scene = Scene::new();
    for (path, said) in [
        ("/etc/passwd", "unsafe path: it is absolute"),
        ("../x", "unsafe path: it has an empty, `.` or `..` segment"),
        ("TOP/../../x", "unsafe path"),
        ("TOP/./files/a.txt", "unsafe path"),
        ("TOP//files/a.txt", "unsafe path"),
        ("TOP/.git/config", "unsafe path: it has a segment that names .git"),
        ("TOP/C:x", "unsafe path"),
        ("TOP", "is outside of its directory"),
        ("TOPx/a", "is outside of its directory"),
        ("TOP.signatures/a", "is outside of its directory"),
        ("TOP.attestations", "is outside of its directory"),
        (
            "TOP.attestations/a",
            "does not have the name of a file that is attached",
        ),
        (
            "TOP.attestations/../x",
            "does not have the name of a file that is attached",
        ),
        ("other/a", "is outside of its directory"),
        ("TOP/files/b.txt", "is there twice, or is not in order"),
        ("TOP/manifest.json", "is there twice, or is not in order"),
        ("TOP/files/a", "EXTRA_MEMBER MISSING_MEMBER"),
    ] {
        scene.says(said, |entries, top| {
            entries[1].0 = header(&path.replace("TOP", top), EntryType::Regular, 5, entries);
        });
    }
    scene.says("is there twice", |entries, _| entries.swap(1, 2));
    scene.says("is there twice", |entries, _| entries.insert(1, entries[1].clone()));
    scene.says("first entry is", |entries, _| entries.swap(0, 1));
    scene.says("first entry is", |entries, _| drop(entries.remove(0)));
    scene.says("first entry is the end", |entries, _| entries.clear());
    for name in [
        "x/manifest.json",
        "git-pack-000000000000/manifest.json",
        "manifest.json",
        "../manifest.json",
    ] {
        scene.says("first entry is", |entries, _| {
            entries[0].0 = header(name, EntryType::Regular, entries[0].1.len() as u64, entries);
        });
    }
}

#[test]
fn headers_have_one_spelling() {
    let scene = Scene::new();
    let says = |what: &str, change: &dyn Fn(&mut Header)| {
        scene.says(&format!("has an unexpected {what}"), |entries, _| {
            with_field(entries, change)
        });
    };
    says("mode", &|header| header.set_mode(0o755));
    says("owner", &|header| header.set_uid(1));
    says("group", &|header| header.set_gid(1));
    says("time", &|header| header.set_mtime(1));
    says("link target", &|header| header.set_link_name("x").unwrap());
    says("owner name", &|header| header.set_username("root").unwrap());
    says("group name", &|header| header.set_groupname("root").unwrap());
    says("device", &|header| header.set_device_major(1).unwrap());
    says("size", &|header| {
        header.as_mut_bytes()[124..136].copy_from_slice(b"         5\0\0")
    });
    says("size", &|header| {
        header.as_mut_bytes()[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]);
    });
    says("name", &|header| header.as_mut_bytes()[99] = 1);
    says("checksum or padding", &|header| header.as_mut_bytes()[510] = 1);
    scene.says("has an unexpected checksum", |entries, _| {
        entries[1].0.as_mut_bytes()[150] ^= 1
    });
    scene.says("has an unexpected time", |entries, _| {
        entries[0].0.set_mtime(0);
        entries[0].0.set_cksum();
    });
    scene.says("size of its entry", |entries, _| {
        with_field(entries, |header| header.as_mut_bytes()[124] = b'x');
    });
    scene.says("more than the", |entries, _| {
        let huge = [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        with_field(entries, |header| header.as_mut_bytes()[124..136].copy_from_slice(&huge));
    });
    scene.says("ends in the wrong place", |entries, _| {
        let last = entries.len() - 1;
        entries[last].0.set_size(5000);
        entries[last].0.set_cksum();
    });
    let mut hidden = entries(&tar(&scene.bytes));
    hidden[1].1 = b"alpha hidden".to_vec();
    let said = scene.said(&framed(&joined(&hidden)));
    assert!(said.contains("hidden behind the content"), "{said}");
}

#[test]
fn pax_headers_state_only_what_does_not_fit() {
    let scene = Scene::new();
    let path = format!("{}/files/a.txt", scene.top);
    let long = format!("{}/files/{}", scene.top, "a".repeat(200));
    for (records, said) in [
        (record("path", &path), "malformed pax header"),
        (record("path", "/etc/passwd"), "unsafe path"),
        (record("size", "5"), "malformed pax header"),
        (record("linkpath", "/etc/passwd"), "malformed pax header"),
        (record("mtime", "1"), "malformed pax header"),
        (record("GNU.sparse.major", "1"), "malformed pax header"),
        (
            [record("path", &long), record("path", &path)].concat(),
            "malformed pax header",
        ),
        (
            [record("path", &long), record("size", "5")].concat(),
            "has an unexpected size",
        ),
        (record("path", &"a/".repeat(40_000)), "malformed pax header"),
        (record("size", "99999999999999999999999"), "malformed pax header"),
        (record("size", "18446744073709551615"), "more than the"),
        (record("size", "107374182400"), "more than the"),
        (b"99 path=x\n".to_vec(), "malformed pax header"),
        (b"0 path=x\n".to_vec(), "malformed pax header"),
        (b"path=x\n".to_vec(), "malformed pax header"),
        (Vec::new(), "malformed pax header"),
        // The name in the header itself is not that of the path.
        (record("path", &long), "has an unexpected name"),
    ] {
        scene.says(said, |entries, _| {
            let pax = pax(entries, records.clone());
            entries.insert(1, pax);
        });
    }
    scene.says("is a pax header in the wrong place", |entries, _| {
        let pax = pax(entries, record("path", &long));
        entries.insert(1, pax.clone());
        entries.insert(1, pax);
    });
}

#[test]
fn frames_begin_and_end_in_one_way() {
    let scene = Scene::new();
    let bytes = &scene.bytes;
    let tar = tar(bytes);
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0][..], b"skip"].concat();
    let at = 512 + entries(&tar)[0].1.len().next_multiple_of(512);
    let with = |change: &dyn Fn(&mut ::zstd::Encoder<'static, Vec<u8>>)| {
        let mut encoder = ::zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.window_log(21).unwrap();
        change(&mut encoder);
        encoder.write_all(&tar).unwrap();
        encoder.finish().unwrap()
    };
    let flag = |bit: u8| {
        let mut flagged = bytes.clone();
        flagged[4] |= bit;
        flagged
    };
    for (bytes, said) in [
        ([bytes, b"x".as_slice()].concat(), "something follows"),
        ([bytes, bytes.as_slice()].concat(), "something follows"),
        ([bytes, skippable.as_slice()].concat(), "something follows"),
        ([bytes, framed(&[]).as_slice()].concat(), "something follows"),
        (
            [skippable.as_slice(), bytes].concat(),
            "neither a directory nor an archive",
        ),
        ([framed(&[]).as_slice(), bytes].concat(), "neither a directory"),
        (
            [framed(&tar[..at]), framed(&tar[at..])].concat(),
            "ends in the wrong place",
        ),
        (framed(&[&tar[..], &[0; 512]].concat()), "something follows"),
        (framed(&[&tar[..], &tar].concat()), "something follows"),
        (framed(&tar[..tar.len() - 512]), "ends in the wrong place"),
        (framed(&tar[..tar.len() - 1024]), "ends in the wrong place"),
        (with(&|encoder| encoder.window_log(27).unwrap()), "neither a directory"),
        (
            with(&|encoder| encoder.include_checksum(false).unwrap()),
            "neither a directory",
        ),
        (
            with(&|encoder| {
                encoder.include_contentsize(true).unwrap();
                encoder.set_pledged_src_size(Some(tar.len() as u64)).unwrap();
            }),
            "neither a directory",
        ),
        (flag(0x01), "neither a directory"),
        (flag(0x08), "neither a directory"),
        (flag(0x10), "neither a directory"),
        (flag(0x20), "neither a directory"),
        (tar.clone(), "neither a directory"),
        (Vec::new(), "neither a directory"),
    ] {
        let found = scene.said(&bytes);
        assert!(found.contains(said), "expected {said:?}, found {found:?}");
    }
}

#[test]
fn what_a_sound_archive_holds_is_judged_like_a_directory() {
    let scene = Scene::new();
    scene.says("HASH_MISMATCH", |entries, _| entries[1].1 = b"ALPHA".to_vec());
    scene.says("MISSING_MEMBER", |entries, _| drop(entries.remove(1)));
    scene.says("HASH_MISMATCH", |entries, top| {
        let path = format!("{top}/files/a.txt");
        entries[1] = (header(&path, EntryType::Regular, 3, entries), b"alp".to_vec());
    });
    let extra = |entries: &mut Entries, top: &str, count: usize| {
        for n in 0..count {
            let path = format!("{top}/z{n:06}");
            entries.push((header(&path, EntryType::Regular, 0, entries), Vec::new()));
        }
    };
    scene.says("EXTRA_MEMBER", |entries, top| extra(entries, top, 1000));
    scene.says("more than 1000 files", |entries, top| extra(entries, top, 1001));
    // No command takes more of such an archive than verify does.
    let mut entries = entries(&tar(&scene.bytes));
    entries[1].1 = b"ALPHA".to_vec();
    fs::write(scene.path(), framed(&joined(&entries))).unwrap();
    let pack = |args: &[&str]| scene.place.pack_in(scene.place.path(), args);
    assert_eq!(pack(&["verify", "x.tar.zst"]).code, 1);
    pack(&["archive", "x.tar.zst", "-o", "y.tar.zst"]).refused("E_BAD_PACK");
    pack(&["pull", "x.tar.zst", "-o", "y"]).refused("E_BAD_PACK");
    pack(&["push", "x.tar.zst", "oci://127.0.0.1:1/x"]).refused("E_BAD_PACK");
    pack(&["open", "x.tar.zst", "-o", "z"]).refused("E_BAD_PACK");
    let mut names: Vec<_> = fs::read_dir(scene.place.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["a.tar.zst", "files", "home", "pack", "x.tar.zst"]);
}

#[test]
fn every_flipped_bit_is_caught_or_changes_nothing() {
    let scene = Scene::new();
    let content = tar(&scene.bytes);
    let mut harmless = 0;
    for at in 0..scene.bytes.len() {
        for bit in 0..8 {
            let mut flipped = scene.bytes.clone();
            flipped[at] ^= 1 << bit;
            // A few bits of compressed data have no meaning.
            if scene.said(&flipped).is_empty() {
                assert_eq!(tar(&flipped), content, "bit {bit} of byte {at}");
                harmless += 1;
            }
        }
    }
    eprintln!("{harmless} of {} bits have no meaning", 8 * scene.bytes.len());
    assert!(harmless < scene.bytes.len() / 20);
}

#[test]
fn every_truncation_is_caught() {
    let scene = Scene::new();
    for length in 0..scene.bytes.len() {
        let said = scene.said(&scene.bytes[..length]);
        assert!(said.contains("ends too early") || length < 6, "{length}: {said}");
        assert_ne!(said, "");
    }
}

/// Returns a frame with these bytes, then `zeros` zeros that cost four bytes for each 128 KiB.
fn bomb(head: &[u8], zeros: u64) -> Vec<u8> {
    const RUN: u64 = 128 << 10;
    let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58];
    let block = |kind: u32, size: u64| (size as u32) << 3 | kind << 1;
    for part in head.chunks(RUN as usize) {
        bytes.extend_from_slice(&block(0, part.len() as u64).to_le_bytes()[..3]);
        bytes.extend_from_slice(part);
    }
    for _ in 0..zeros / RUN {
        bytes.extend_from_slice(&block(1, RUN).to_le_bytes()[..3]);
        bytes.push(0);
    }
    bytes
}

#[test]
fn bombs_end_at_the_bound() {
    let scene = Scene::new();
    let parts = entries(&tar(&scene.bytes));
    let head = |size: u64| {
        let first = joined(&vec![parts[0].clone()]);
        let path = format!("{}/files/a.txt", scene.top);
        [
            &first[..first.len() - 1024],
            header(&path, EntryType::Regular, size, &parts).as_bytes(),
        ]
        .concat()
    };
    // 100 GiB, and as much as a file of this size may have.
    let said = scene.said(&bomb(&head(7 << 30), 100 << 30));
    assert!(said.contains("more than the 4294967296 bytes"), "{said}");
    let said = scene.said(&bomb(&head((4 << 30) - (1 << 20)), 5 << 30));
    assert!(
        said.contains("ends in the wrong place") || said.contains("more than the"),
        "{said}"
    );
    // A manifest may be long, but not longer than any that is read.
    let manifest = |size: u64| {
        let path = format!("{}/manifest.json", scene.top);
        header(&path, EntryType::Regular, size, &parts).as_bytes().to_vec()
    };
    let said = scene.said(&bomb(&manifest(257 << 20), 1 << 30));
    assert!(said.contains("more than the allowed"), "{said}");
    let said = scene.said(&bomb(&manifest(256 << 20), 1 << 30));
    assert!(said.contains("manifest.json: "), "{said}");
}

#[test]
fn a_time_that_a_header_cannot_hold_becomes_the_nearest() {
    for (created, time) in [
        ("1960-01-01T00:00:00Z", 0),
        ("9999-01-01T00:00:00Z", 0o77_777_777_777_u64),
    ] {
        let place = Place::new();
        sealed(&place, &[("a.txt", b"a".to_vec())]);
        let path = place.path().join("pack/manifest.json");
        let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        manifest["created"] = created.into();
        manifest["pack_id"] = json!("");
        let mut canonical = gitpack::format::canonical_json::to_document(&manifest);
        canonical.pop();
        manifest["pack_id"] = Digest::of(&canonical).to_string().into();
        fs::write(&path, gitpack::format::canonical_json::to_document(&manifest)).unwrap();
        let bytes = archived(&place, place.path(), "pack", "a.tar.zst");
        assert_eq!(entries(&tar(&bytes))[1].0.mtime().unwrap(), time);
        place.pack_in(place.path(), &["verify", "a.tar.zst"]).ok();
    }
}
