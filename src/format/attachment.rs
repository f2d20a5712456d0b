//! What is attached to a pack and stands beside it, because the pack is closed: signatures and attestations.

use crate::format::digest::Digest;

/// Most files that are attached to one pack.
pub const MAX_ATTACHMENTS: usize = 256;

/// Largest attached file, in bytes.
pub const MAX_ATTACHMENT: u64 = 1 << 20;

/// Size of all files that are attached to one pack, in bytes, at most.
pub const MAX_ATTACHED: u64 = 16 << 20;

/// What follows the name of a pack's directory in the name of the directory of its attached files.
pub const BESIDE: &str = ".attestations";

/// What an attached file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttachmentKind {
    /// An SSHSIG signature over the canonical bytes of the manifest, in armour.
    Signature,
    /// An in-toto statement in a DSSE envelope.
    Attestation,
}

impl AttachmentKind {
    const ALL: [Self; 2] = [Self::Signature, Self::Attestation];

    /// Returns the ending of the file's name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Signature => ".sig",
            Self::Attestation => ".intoto.jsonl",
        }
    }

    /// Returns the media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Signature => "application/vnd.gitpack.signature.v0+sshsig",
            Self::Attestation => "application/vnd.dsse.envelope.v1+json",
        }
    }

    /// Returns the number of files of this kind.
    fn count_in<'a>(self, kinds: impl Iterator<Item = &'a Self>) -> u64 {
        kinds.filter(|kind| **kind == self).count() as u64
    }

    /// Returns the kind with this media type.
    pub fn of_media_type(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.media_type() == text)
    }
}

/// A file that is attached to a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Where it was found, for messages.
    pub name: String,
    /// What it is, as its name or its media type says.
    pub kind: AttachmentKind,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Attachment {
    /// Returns the SHA-256 of the content. Places that do not number attached files name them by it.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}

/// Everything that is attached to a pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// The files, sorted by name, without those that have the same content as an earlier one.
    pub files: Vec<Attachment>,
    /// What else is there and does not belong there: its name, and why.
    pub strange: Vec<(String, String)>,
}

impl Attached {
    /// Notes something that does not belong there.
    pub fn is_strange(&mut self, name: String, why: &str) {
        self.strange.push((name, why.to_owned()));
    }

    /// Returns whether a file of `size` bytes may come to those that are there.
    pub fn has_room_for(&self, size: u64) -> bool {
        let there: u64 = self.files.iter().map(|file| file.bytes.len() as u64).sum();
        size <= MAX_ATTACHMENT && there + size <= MAX_ATTACHED && self.files.len() < MAX_ATTACHMENTS
    }

    /// Adds a file that a place sent for a content that was asked for. What is wrong or too much counts as strange.
    pub fn receive(&mut self, name: String, content: &AttachedContent, bytes: Vec<u8>) {
        if Digest::of(&bytes) != content.hash {
            self.is_strange(name, "its content is not the one that it is named for");
        } else if !self.has_room_for(bytes.len() as u64) {
            self.is_strange(name, "it is more than may be attached to a pack");
        } else {
            let kind = content.kind;
            self.take(Attachment { name, kind, bytes });
        }
    }

    /// Returns how many files there are of each kind.
    pub fn counts(&self) -> AttachedCounts {
        AttachedCounts::of(self.files.iter().map(|file| &file.kind))
    }

    /// Adds a file, unless one with this content and kind is there.
    pub fn take(&mut self, file: Attachment) {
        let is_there = |there: &Attachment| (there.kind, &there.bytes) == (file.kind, &file.bytes);
        if !self.files.iter().any(is_there) {
            self.files.push(file);
        }
    }
}

/// How many files are attached to a pack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttachedCounts {
    /// Number of signatures.
    pub signatures: u64,
    /// Number of attestations.
    pub attestations: u64,
}

impl AttachedCounts {
    /// Counts kinds.
    pub fn of<'a>(kinds: impl Iterator<Item = &'a AttachmentKind> + Clone) -> Self {
        Self {
            signatures: AttachmentKind::Signature.count_in(kinds.clone()),
            attestations: AttachmentKind::Attestation.count_in(kinds),
        }
    }
}

/// An attached file at a place that names such files by their content: `<sha256>.sig`, `<sha256>.intoto.jsonl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttachedContent {
    /// What the file is.
    pub kind: AttachmentKind,
    /// The SHA-256 of its content.
    pub hash: Digest,
}

impl AttachedContent {
    /// Returns what names this file.
    pub fn of(file: &Attachment) -> Self {
        Self {
            kind: file.kind,
            hash: file.digest(),
        }
    }

    /// Returns its name.
    pub fn name(&self) -> String {
        format!("{}{}", self.hash.hex(), self.kind.ending())
    }

    /// Parses a name that [`name`](Self::name) returns.
    pub fn parse(name: &str) -> Option<Self> {
        let (hex, ending) = name.split_at_checked(64)?;
        let kind = AttachmentKind::ALL.into_iter().find(|kind| kind.ending() == ending)?;
        let hash = Digest::parse_hex(hex)?;
        Some(Self { kind, hash })
    }
}

/// The name of an attached file in a directory: `<id>.sig`, `<id>.2.sig` and so on, `<id>.1.intoto.jsonl` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttachmentName {
    /// What the file is.
    pub kind: AttachmentKind,
    /// Its number, from 1.
    pub number: u32,
}

impl AttachmentName {
    /// Returns the name for a pack.
    pub fn of_pack(self, pack_id: &Digest) -> String {
        let (hex, ending) = (pack_id.hex(), self.kind.ending());
        match self {
            Self {
                kind: AttachmentKind::Signature,
                number: 1,
            } => format!("{hex}{ending}"),
            Self { number, .. } => format!("{hex}.{number}{ending}"),
        }
    }

    /// Parses a name that [`of_pack`](Self::of_pack) returns. Returns the id as well.
    pub fn parse(name: &str) -> Option<(Digest, Self)> {
        let (hex, rest) = name.split_at_checked(64)?;
        let id = Digest::parse_hex(hex)?;
        let kinds = AttachmentKind::ALL.into_iter();
        let (kind, middle) = kinds
            .filter_map(|kind| Some((kind, rest.strip_suffix(kind.ending())?)))
            .next()?;
        let number = match middle.strip_prefix('.') {
            None if middle.is_empty() => 1,
            None => return None,
            Some(digits) => digits.parse().ok()?,
        };
        let parsed = Self { kind, number };
        (number > 0 && parsed.of_pack(&id) == name).then_some((id, parsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        let id = Digest::of(b"");
        let hex = id.hex();
        let name = |kind, number| AttachmentName { kind, number };
        for (text, expected) in [
            (format!("{hex}.sig"), name(AttachmentKind::Signature, 1)),
            (format!("{hex}.12.sig"), name(AttachmentKind::Signature, 12)),
            (format!("{hex}.1.intoto.jsonl"), name(AttachmentKind::Attestation, 1)),
        ] {
            assert_eq!(expected.of_pack(&id), text);
            assert_eq!(AttachmentName::parse(&text), Some((id, expected)));
        }
        let upper = hex.to_uppercase();
        for other in [
            String::new(),
            "é".repeat(40),
            format!("{hex}.1.sig"),
            format!("{hex}.02.sig"),
            format!("{hex}.+2.sig"),
            format!("{hex}.0.sig"),
            format!("{hex}.intoto.jsonl"),
            format!("{hex}2.sig"),
            format!("{hex}.2.sig~"),
            format!("{hex}.4294967296.sig"),
            format!("{upper}.sig"),
        ] {
            assert_eq!(AttachmentName::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn names_of_contents_are_read_and_written() {
        let hash = Digest::of(b"");
        for kind in AttachmentKind::ALL {
            let content = AttachedContent { kind, hash };
            let name = content.name();
            assert_eq!(AttachedContent::parse(&name), Some(content));
            for other in [name.to_uppercase(), format!("{name}~"), name.replacen('.', ".2.", 1)] {
                assert_eq!(AttachedContent::parse(&other), None, "{other}");
            }
        }
        assert_eq!(AttachedContent::parse(&"é".repeat(40)), None);
    }

    #[test]
    fn what_a_place_sends_is_bounded_and_must_have_its_hash() {
        let mut found = Attached::default();
        let kind = AttachmentKind::Signature;
        let mut send = |asked: &[u8], sent: &[u8]| {
            let hash = Digest::of(asked);
            found.receive(hash.hex(), &AttachedContent { kind, hash }, sent.to_vec());
            (found.files.len(), found.strange.len())
        };
        assert_eq!(send(b"a", b"a"), (1, 0));
        assert_eq!(send(b"a", b"a"), (1, 0));
        assert_eq!(send(b"b", b"c"), (1, 1));
        let large = vec![0; MAX_ATTACHMENT as usize + 1];
        assert_eq!(send(&large, &large), (1, 2));
        for n in 0..MAX_ATTACHMENTS {
            send(&n.to_le_bytes(), &n.to_le_bytes());
        }
        assert_eq!(found.files.len(), MAX_ATTACHMENTS);
        assert_eq!(found.counts().signatures, MAX_ATTACHMENTS as u64);
    }

    #[test]
    fn a_media_type_names_one_kind() {
        for kind in AttachmentKind::ALL {
            assert_eq!(AttachmentKind::of_media_type(kind.media_type()), Some(kind));
        }
        assert_eq!(AttachmentKind::of_media_type("application/json"), None);
    }
}
