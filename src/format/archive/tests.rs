//! Archives on values: what is written is read again, at every border of a header and of a frame.

use std::io::{self, Read, Write};

use super::frames::HEAD;
use super::header::{Stated, headers};
use super::*;
use crate::format::manifest::{Manifest, ManifestDocument};
use crate::format::member_path::MemberPath;
use crate::refusal::archive::ArchiveFault;
use crate::refusal::pack::PackFault;

/// Hands its bytes out one by one.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(1);
        self.0.read(&mut buffer[..most])
    }
}

/// Archives members of these sizes. Returns the archive, and the size of its content.
fn archive(sizes: &[u64], slowly: bool) -> (Vec<u8>, u64) {
    let manifest = Manifest {
        created: Timestamp::from_seconds(1_768_473_000).unwrap(),
        note: None,
        tool_version: "0.1.0".into(),
        members: Vec::new(),
    };
    let mut bytes = Vec::new();
    manifest.write(&mut bytes).unwrap();
    let document = ManifestDocument::parse(&bytes).unwrap();
    let mut writer = ArchiveWriter::new(Vec::new(), &bytes, &document).unwrap();
    for (n, size) in sizes.iter().enumerate() {
        let content: Vec<u8> = (0..*size).map(|at| ((at * at) >> 3) as u8).collect();
        let mut content: Box<dyn Read + '_> = match slowly {
            true => Box::new(Slow(&content)),
            false => Box::new(&content[..]),
        };
        let path = MemberPath::parse(&format!("{n}")).unwrap();
        writer = writer.member(&path, *size, &mut content).unwrap();
    }
    writer.finish().unwrap()
}

/// Reads an archive to its end.
fn read(bytes: &[u8], max_content: u64) -> Result<Vec<ArchivedMember>, UnreadArchive> {
    let mut reader = ArchiveReader::open(bytes, max_content)?;
    let mut members = Vec::new();
    while let Some(member) = reader.next_member()? {
        members.push(member);
    }
    Ok(members)
}

#[track_caller]
fn refused(bytes: &[u8], max_content: u64) -> ArchiveFault {
    match read(bytes, max_content) {
        Err(UnreadArchive::Bad(PackFault::Archive { fault })) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_frame_ends_when_it_is_full_and_only_then() {
    let (_, around) = archive(&[0], false);
    let fills = FRAME - (around - 2 * BLOCK as u64);
    for (size, frames) in [
        (fills - 512, 1),
        (fills - 511, 2),
        (fills, 2),
        (fills + 1, 2),
        (3 * FRAME, 2),
    ] {
        let (bytes, _) = archive(&[size, 1], false);
        let members = read(&bytes, 1 << 30).unwrap();
        let mut at: Vec<u64> = members.iter().map(|member| member.frame_at).collect();
        at.dedup();
        assert_eq!((at.len(), members[0].size), (frames, size), "{size}");
        assert!(at.iter().all(|at| bytes[*at as usize..].starts_with(&HEAD)));
        let second = &members[1];
        let mut frame = ArchiveFrames::new(&bytes[second.frame_at as usize..], second.frame_at).unwrap();
        assert!(frame.begin().unwrap());
        frame.skip(second.offset, &mut [0; 1000]).unwrap();
        assert_eq!(frame.decode(&mut [9]).unwrap(), 1);
    }
    // The end stands in a frame of its own if the last one is full.
    let (bytes, content) = archive(&[fills], false);
    assert_eq!(read(&bytes, content).unwrap().len(), 1);
    // One frame for all, where two belong.
    let whole = ::zstd::decode_all(&archive(&[fills, 1], false).0[..]).unwrap();
    let mut encoder = ::zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.window_log(WINDOW_LOG).unwrap();
    encoder.write_all(&whole).unwrap();
    assert_eq!(
        refused(&encoder.finish().unwrap(), 1 << 30),
        ArchiveFault::FrameEnd { at: 0 }
    );
}

#[test]
fn bytes_do_not_depend_on_how_the_content_comes() {
    let sizes = [700_000, 0, 513, 5 << 20, 1];
    assert!(archive(&sizes, true) == archive(&sizes, false));
}

#[test]
fn a_member_has_the_size_that_was_announced() {
    let (bytes, _) = archive(&[], false);
    let document = ManifestDocument::parse(ArchiveReader::open(&bytes[..], 1 << 20).unwrap().manifest()).unwrap();
    for content in [&b"abc"[..], b"abcde"] {
        let writer = ArchiveWriter::new(Vec::new(), b"", &document).unwrap();
        let path = MemberPath::parse("a").unwrap();
        let error = writer.member(&path, 4, &mut { content }).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}

#[test]
fn content_is_bounded_to_the_byte() {
    let (bytes, content) = archive(&[1000, 10_000], false);
    assert_eq!(read(&bytes, content).unwrap().len(), 2);
    let allowed = content - 1;
    assert_eq!(refused(&bytes, allowed), ArchiveFault::TooMuch { allowed });
    assert_eq!(max_content(0), 4 << 30);
    assert_eq!(max_content(4_294_968), 4_294_968_000);
    assert_eq!(max_content(u64::MAX), u64::MAX);
}

#[test]
fn headers_hold_any_path_and_any_size() {
    let split = |prefix: usize, name: usize| format!("{}/{}", "p".repeat(prefix), "n".repeat(name));
    for (path, size, blocks) in [
        ("n".repeat(100), 0, 1),
        ("n".repeat(101), 0, 3),
        (split(155, 100), 0, 1),
        (split(156, 99), 0, 3),
        (split(155, 101), 0, 3),
        (format!("a/{}", split(155, 99)), 0, 3),
        ("é".repeat(51), 0, 3),
        ("é".repeat(3000), 0, 1 + 12 + 1),
        ("n".repeat(MAX_PATH + 22), 1 << 40, 1 + 128 + 1),
        ("a".into(), 0o77_777_777_777, 1),
        ("a".into(), 0o100_000_000_000, 3),
        ("a".into(), u64::MAX, 3),
        #[cfg(unix)]
        ("a\\b".into(), 1, 1),
    ] {
        let bytes = headers(&path, size, 7);
        assert_eq!(bytes.len(), blocks * BLOCK, "{path}");
        let (first, last) = (bytes.first_chunk().unwrap(), bytes.last_chunk().unwrap());
        let stated = match blocks {
            1 => Stated::default(),
            _ => {
                let (_, records) = Stated::default().with_header(first).unwrap();
                Stated::of_pax(&bytes[BLOCK..BLOCK + records as usize]).unwrap()
            }
        };
        assert_eq!(stated.with_header(last).unwrap(), (path.into_bytes(), size));
    }
}

#[test]
fn records_count_their_own_digits() {
    for length in (1..130).chain(980..1010).chain(9980..10_010) {
        let bytes = headers(&"n".repeat(100 + length), 0, 0);
        let text = std::str::from_utf8(&bytes[BLOCK..]).unwrap();
        let (digits, rest) = text.split_once(' ').unwrap();
        let stated: usize = digits.parse().unwrap();
        assert_eq!(text.find('\n'), Some(stated - 1));
        assert!(rest.starts_with("path=n"));
    }
}
