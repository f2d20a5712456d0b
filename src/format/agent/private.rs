//! Private files of agents, version 3: a header in the clear, and an age file that is bound to it.

use super::{HEADER, RESERVED, SALT, SNAPSHOT, StoreHeader};
use crate::format::digest::Digest;
use crate::refusal::private_file::PrivateFault;

/// The version that is written.
pub const VERSION: u8 = 3;
/// The version that was written before, and is read for migration only.
pub const OLD_VERSION: u8 = 2;

/// What a private file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PrivateKind {
    /// The format of an agent: `GYR3`.
    Format,
    /// A curriculum: `GYR4`.
    Curriculum,
    /// The session: `GYR5`.
    Session,
}

impl PrivateKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Format, Self::Curriculum, Self::Session];

    /// Returns the first bytes of such a file.
    pub fn magic(self) -> [u8; 4] {
        match self {
            Self::Format => *b"GYR3",
            Self::Curriculum => *b"GYR4",
            Self::Session => *b"GYR5",
        }
    }

    /// Returns the kind with this magic.
    pub fn of_magic(magic: [u8; 4]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.magic() == magic)
    }

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Curriculum => "curriculum",
            Self::Session => "session",
        }
    }

    /// Returns the directory of an agent in which such a file is.
    pub fn directory(self) -> &'static str {
        match self {
            Self::Format => "g3_information",
            Self::Curriculum => "g4_information",
            Self::Session => "g5_information",
        }
    }

    /// Returns the name of the plaintext.
    pub fn plain_name(self) -> &'static str {
        match self {
            Self::Format => "format.json",
            Self::Curriculum => "curriculum.json",
            Self::Session => "session.json",
        }
    }

    /// Returns the kind of the plaintext with this name.
    pub fn of_plain_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.plain_name() == name)
    }
}

/// What is appended to the name of a plaintext.
pub const SUFFIX: &str = ".enc";
/// The directory of all agents, below the top of a store.
pub const AGENTS: &str = "agents";
/// The most bytes that a content may have. All of it is held in memory.
pub const MAX_CONTENT: u64 = 256 << 20;

impl PrivateKind {
    /// Returns the name of the encrypted file.
    pub fn sealed_name(self) -> String {
        format!("{}{SUFFIX}", self.plain_name())
    }

    /// Returns the kind of the encrypted file with this name.
    pub fn of_sealed_name(name: &str) -> Option<Self> {
        Self::of_plain_name(name.strip_suffix(SUFFIX)?)
    }

    /// Returns the kind whose files are in a directory of this name.
    pub fn of_directory(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.directory() == name)
    }
}

/// The header of a private file of version 3, which is known to be valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateHeader {
    /// What the file holds.
    pub kind: PrivateKind,
    bytes: [u8; HEADER],
}

impl PrivateHeader {
    /// Makes the header of a new file.
    pub fn new(kind: PrivateKind, snapshot: [u8; SNAPSHOT], salt: [u8; SALT]) -> Self {
        Self {
            kind,
            bytes: new_header(kind, snapshot, salt),
        }
    }

    /// Parses the beginning of a file.
    pub fn parse(start_of_file: &[u8]) -> Result<Self, PrivateFault> {
        let magic = start_of_file.first_chunk::<4>().ok_or(PrivateFault::NotPrivate)?;
        let kind = PrivateKind::of_magic(*magic).ok_or(PrivateFault::NotPrivate)?;
        let bytes = start_of_file.first_chunk::<HEADER>().ok_or(PrivateFault::Short {
            bytes: start_of_file.len() as u64,
        })?;
        let header = StoreHeader::from_bytes(bytes);
        match header.version {
            VERSION => {}
            OLD_VERSION => return Err(PrivateFault::OldVersion),
            other => return Err(PrivateFault::Version(other)),
        }
        if header.flags != 0 {
            return Err(PrivateFault::Flags(header.flags));
        }
        if usize::from(header.header_size) != HEADER {
            return Err(PrivateFault::HeaderSize(header.header_size));
        }
        if header.number != 0 || header.reserved != [0; RESERVED] {
            return Err(PrivateFault::Reserved);
        }
        Ok(Self { kind, bytes: *bytes })
    }

    /// Returns its bytes.
    pub fn bytes(&self) -> &[u8; HEADER] {
        &self.bytes
    }
}

/// Returns the header of a new file.
pub fn new_header(kind: PrivateKind, snapshot: [u8; SNAPSHOT], salt: [u8; SALT]) -> [u8; HEADER] {
    StoreHeader::of(kind.magic(), VERSION, snapshot, salt).to_bytes()
}

/// Returns the kind of a private file of version 3 or another version, by its first bytes, with its header. `None` if
/// the bytes are not the header of a private file.
pub fn header_of(start_of_file: &[u8]) -> Option<(PrivateKind, StoreHeader)> {
    let header = StoreHeader::from_bytes(start_of_file.first_chunk()?);
    let kind = PrivateKind::of_magic(header.magic)?;
    (usize::from(header.header_size) == HEADER).then_some((kind, header))
}

/// Returns the first line inside the age file: it binds the payload to the header.
pub fn binding(header: &[u8; HEADER]) -> String {
    format!("{}\n", Digest::of(header))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_belongs_to_its_header_alone() {
        let header = new_header(PrivateKind::Session, [1; SNAPSHOT], [2; SALT]);
        let payload = [binding(&header).as_bytes(), b"{}"].concat();
        let unbound = |payload: &[u8], header: &[u8; HEADER]| {
            payload.strip_prefix(binding(header).as_bytes()).map(<[u8]>::to_vec)
        };
        assert_eq!(unbound(&payload, &header), Some(b"{}".to_vec()));
        for at in 0..HEADER {
            let mut other = header;
            other[at] ^= 1;
            assert_eq!(unbound(&payload, &other), None, "{at}");
        }
        assert_eq!(unbound(b"", &header), None);
        assert_eq!(unbound(b"{}", &header), None);
        assert!(binding(&header).starts_with("sha256:"));
    }

    #[test]
    fn every_field_of_a_header_is_judged() {
        let good = new_header(PrivateKind::Format, [7; SNAPSHOT], [9; SALT]);
        assert_eq!(PrivateHeader::parse(&good).unwrap().bytes(), &good);
        let with = |at: usize, byte: u8| {
            let mut bytes = good;
            bytes[at] = byte;
            PrivateHeader::parse(&bytes).unwrap_err()
        };
        assert_eq!(with(0, b'g'), PrivateFault::NotPrivate);
        assert_eq!(with(3, b'O'), PrivateFault::NotPrivate);
        assert_eq!(with(4, 2), PrivateFault::OldVersion);
        assert_eq!(with(4, 4), PrivateFault::Version(4));
        assert_eq!(with(5, 1), PrivateFault::Flags(1));
        assert_eq!(with(6, 127), PrivateFault::HeaderSize(127));
        for at in (8..12).chain(120..128) {
            assert_eq!(with(at, 1), PrivateFault::Reserved, "{at}");
        }
        let short = PrivateHeader::parse(&good[..127]).unwrap_err();
        assert_eq!(short, PrivateFault::Short { bytes: 127 });
    }

    #[test]
    fn kinds_are_known_by_magic_and_by_name() {
        for kind in PrivateKind::ALL {
            assert_eq!(PrivateKind::of_magic(kind.magic()), Some(kind));
            assert_eq!(PrivateKind::of_plain_name(kind.plain_name()), Some(kind));
            assert_eq!(PrivateKind::of_sealed_name(&kind.sealed_name()), Some(kind));
            assert_eq!(PrivateKind::of_directory(kind.directory()), Some(kind));
            let header = new_header(kind, [0; SNAPSHOT], [0; SALT]);
            assert_eq!(header_of(&header).unwrap().0, kind);
            assert_eq!(header[4..8], [3, 0, 128, 0]);
        }
        assert_eq!(header_of(&[0; HEADER]), None);
        assert_eq!(header_of(b"GYR3"), None);
    }
}
