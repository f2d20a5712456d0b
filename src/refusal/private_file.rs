//! What is wrong with the private files of agents, and why a migration leaves a file alone.

use std::fmt;

use crate::refusal::keys::SecretFault;
use crate::refusal::shown::shown;

/// Why a private file cannot be made, opened or migrated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrivateFault {
    /// It does not begin like a private file.
    NotPrivate,
    /// It ends within its header.
    Short {
        /// Its size in bytes.
        bytes: u64,
    },
    /// It has version 2, which anyone can read.
    OldVersion,
    /// It has a version that is not known.
    Version(u8),
    /// It has flags.
    Flags(u8),
    /// It states another length of its header, in bytes.
    HeaderSize(u16),
    /// Bytes that must be zero are not: the number, or the reserved bytes.
    Reserved,
    /// Its name stands for one kind, and its header for another one.
    OtherKind {
        /// The kind of its name.
        name: &'static str,
        /// The kind of its header.
        header: &'static str,
    },
    /// What follows its header is not a binary age file.
    NotAge,
    /// Its payload belongs to another header.
    OtherHeader,
    /// Its content is not JSON.
    Json(JsonFault),
    /// It is larger than such a file may be.
    TooLarge {
        /// The most bytes that it may have.
        allowed: u64,
    },
    /// What was written does not come back as it was given.
    Unproven,
    /// It was asked for as another kind than its name or its directory says.
    AskedKind {
        /// The kind of its name or its directory.
        found: &'static str,
        /// The kind that was asked for.
        asked: &'static str,
    },
    /// Nothing tells its kind.
    UnknownKind,
    /// The file for the key of version 2 does not exist.
    NoKey,
    /// The file for the key of version 2 must not be used.
    UnfitKey(SecretFault),
    /// The file for the key of version 2 does not hold 16 to 32 bytes.
    KeyLength,
    /// The directory is neither a store nor a part of one.
    NotAStore,
}

/// Why bytes are not JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonFault {
    /// They are not UTF-8.
    NotUtf8,
    /// They begin with a byte order mark.
    ByteOrderMark,
    /// They are not one JSON value.
    Syntax {
        /// What the parser said.
        said: String,
    },
}

/// Why a migration leaves a file alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftReason {
    /// It is not valid.
    Fault(PrivateFault),
    /// It is not a regular file.
    NotRegular(&'static str),
    /// A link leads to a directory outside.
    LeadsOut,
    /// It has other names, which would keep the content.
    HardLinks {
        /// How many names it has.
        names: u64,
    },
    /// The encrypted file beside it holds something else.
    Differs,
    /// The encrypted file beside it cannot be opened, so that they cannot be compared.
    NotCompared {
        /// Why not.
        said: String,
    },
    /// The encrypted file beside it is not valid.
    Beside,
    /// The plaintext beside it was left.
    PlaintextLeft,
    /// Several keystreams give different JSON.
    Ambiguous {
        /// How many.
        ways: usize,
    },
    /// It is a private file of version 2 with another name.
    Misnamed,
    /// No keystream gives JSON.
    NoStream,
    /// The given keys do not give JSON.
    KeyDoesNotFit,
    /// It cannot be read, written or removed.
    Said(String),
}

impl fmt::Display for PrivateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPrivate => f.write_str("it is not a private file of an agent"),
            Self::Short { bytes } => write!(f, "it has {bytes} bytes, and its header alone has 128"),
            Self::OldVersion => f.write_str("it has version 2, so anyone can read its content"),
            Self::Version(version) => write!(f, "it has version {version}, and private files have version 3"),
            Self::Flags(flags) => write!(f, "it has the flags {flags:#04x}, and private files have none"),
            Self::HeaderSize(size) => write!(f, "it states a header of {size} bytes, and a header has 128"),
            Self::Reserved => f.write_str("bytes 8 to 11 or 120 to 127 are not zero"),
            Self::OtherKind { name, header } => {
                write!(f, "its name says {name}, and its header says {header}")
            }
            Self::NotAge => f.write_str("a binary age file does not follow its header"),
            Self::OtherHeader => f.write_str("its header belongs to another file"),
            Self::Json(fault) => fault.fmt(f),
            Self::TooLarge { allowed } => write!(f, "it has more than {allowed} bytes"),
            Self::Unproven => f.write_str("the encrypted file does not come back as it was written"),
            Self::AskedKind { found, asked } => {
                write!(f, "its name or its directory says {found}, and you asked for {asked}")
            }
            Self::UnknownKind => f.write_str(
                "neither its name nor its directory tells whether it is a format, a curriculum or a session",
            ),
            Self::NoKey => f.write_str("the key file does not exist"),
            Self::UnfitKey(fault) => write!(f, "the key file cannot be used: {fault}"),
            Self::KeyLength => f.write_str("a key has 16 to 32 bytes, or 32 to 64 hexadecimal digits"),
            Self::NotAStore => f.write_str("it is not the directory of a store, nor one below its agents"),
        }
    }
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("it is not JSON: it is not UTF-8"),
            Self::ByteOrderMark => f.write_str("it is not JSON: it begins with a byte order mark"),
            Self::Syntax { said } => write!(f, "it is not JSON: {}", shown(said.as_bytes())),
        }
    }
}

impl fmt::Display for LeftReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::NotRegular(kind) => write!(f, "it is {kind}"),
            Self::LeadsOut => f.write_str("it is a symbolic link to a directory outside"),
            Self::HardLinks { names } => {
                write!(
                    f,
                    "it has {names} names (hard links), and the others would keep the content"
                )
            }
            Self::Differs => f.write_str("the .enc file beside it holds something else; move one of the two away"),
            Self::NotCompared { said } => {
                write!(f, "it cannot be compared with the encrypted file beside it: {said}")
            }
            Self::Beside => f.write_str("the .enc file beside it is not valid; move one of the two away"),
            Self::PlaintextLeft => f.write_str("the plaintext beside it was left, for the reason above"),
            Self::Ambiguous { ways } => {
                write!(
                    f,
                    "{ways} keystreams give different JSON, so only the agent's key tells which is right"
                )
            }
            Self::Misnamed => {
                f.write_str("it has version 2, which anyone can read, and not the name of a private file")
            }
            Self::NoStream => f.write_str("no keystream gives JSON"),
            Self::KeyDoesNotFit => f.write_str("no given key decodes it to JSON"),
            Self::Said(said) => f.write_str(said),
        }
    }
}
