//! Keys that do not serve: identities, recipients, and what locks them.

use std::fmt;
use std::path::PathBuf;

use crate::refusal::seal::SealFault;

/// Why a file with a secret is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretFault {
    /// It is a directory.
    Directory,
    /// Others than its owner can read it.
    ReadableByOthers {
        /// Its permission bits.
        mode: u32,
        /// The file.
        path: PathBuf,
    },
    /// It is longer than such a file may be.
    TooLong {
        /// The most bytes that it may have.
        allowed: usize,
    },
}

/// Why the content of a file is not a set of identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// It is not text.
    NotText,
    /// It holds no key.
    Empty,
    /// Its age header cannot be read.
    BadHeader {
        /// What the parser said.
        said: String,
    },
    /// It is an age file that is not sealed with a passphrase.
    NotLocked,
    /// A line holds a damaged key.
    DamagedLine {
        /// The line, counted from 1.
        line: usize,
        /// The beginning of such keys.
        kind: &'static str,
    },
    /// A line holds a hybrid key.
    HybridLine {
        /// The line, counted from 1.
        line: usize,
    },
    /// A line holds something else than a key.
    UnknownLine {
        /// The line, counted from 1.
        line: usize,
    },
    /// It is a key file that age does not read.
    ForeignFile,
    /// It is a damaged SSH private key.
    DamagedSsh,
    /// It is an SSH private key of a kind that age does not use.
    UnusedSsh,
    /// It is an SSH private key with an insecure protection by its passphrase.
    InsecurePassphrase,
    /// It is an SSH private key that is encrypted in a way that is not supported.
    UnsupportedCipher {
        /// The cipher.
        cipher: String,
    },
    /// It is an SSH key that lives on a device.
    OnDevice {
        /// The type of the key.
        kind: String,
    },
    /// It is an SSH private key of a type that does not decrypt.
    DoesNotDecrypt {
        /// The type of the key.
        kind: String,
    },
}

/// Why an identity file cannot serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityFault {
    /// There is no such file.
    Missing(IdentityNamer),
    /// It appeared and was removed while git-pack ran.
    Vanished,
    /// It is in the work tree, where git could track it.
    InWorkTree,
    /// It is not fit to hold a secret.
    Secret(SecretFault),
    /// Its content is not a set of identities.
    Key(KeyFault),
    /// It was not unlocked.
    Locked(LockFault),
    /// Only its plugin knows its recipient.
    OnlyPluginKnows,
    /// Only the key itself knows its recipient.
    OnlyKeyKnows {
        /// The kind of the key.
        kind: String,
    },
}

/// Where recipients are named that do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipientsElsewhere {
    /// Nowhere.
    Nowhere,
    /// Nowhere, but there is a configuration that could name them.
    Unnamed,
    /// In a configuration in the work tree, which is not committed.
    Uncommitted,
    /// In the configuration of the work tree; the commit is an older one, and cannot get it.
    OtherCommit,
}

/// Who named an identity file that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityNamer {
    /// The command line.
    Caller,
    /// The variable `GIT_PACK_IDENTITY`.
    Variable,
    /// The configuration of git.
    GitConfig,
    /// Nobody: it is the default place.
    Nobody,
}

/// Why something that is locked was not unlocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockFault {
    /// It needs a passphrase, and there is no terminal to ask for it.
    NoPassphrase,
    /// The passphrase is wrong.
    WrongPassphrase,
    /// Its content is not a set of identities.
    Key(KeyFault),
    /// The cipher failed.
    Cipher(CipherFault),
}

/// Why the cipher failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CipherFault {
    /// A plugin of age is not installed.
    MissingPlugin {
        /// The program.
        program: String,
    },
    /// The recipients are of sorts that exclude each other.
    MixedRecipients,
    /// There are no recipients.
    NoRecipients,
    /// The line ends of the file were converted, so it is not the file that was sealed.
    LineEnds,
    /// The file lost its carriage returns before newlines, so it is not the file that was sealed.
    LostReturns,
    /// What was opened is not what was declared.
    Seal(SealFault),
    /// Another reason, as the cipher states it.
    Said(String),
}

/// Why text is not a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipientFault {
    /// It is a secret key.
    Secret,
    /// It has several lines.
    SeveralLines,
    /// It does not look like a recipient.
    Unknown,
    /// It is not a valid age recipient.
    BadAge {
        /// What the parser said.
        said: String,
    },
    /// It is a hybrid recipient.
    Hybrid,
    /// It is an RSA key with too few bits.
    WeakRsa,
    /// It is an RSA key with too many bits.
    LongRsa,
    /// It is an SSH key of a type that does not encrypt.
    DoesNotEncrypt {
        /// The type of the key.
        kind: String,
    },
    /// It is a damaged SSH public key.
    DamagedSsh,
}

impl fmt::Display for SecretFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory => f.write_str("it is a directory"),
            Self::ReadableByOthers { mode, .. } => write!(f, "others can read it (mode {mode:03o})"),
            Self::TooLong { allowed } => write!(f, "it has more than {allowed} bytes"),
        }
    }
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => f.write_str("it is not a text file"),
            Self::Empty => f.write_str("it holds no AGE-SECRET-KEY-1… line"),
            Self::BadHeader { said } => f.write_str(said),
            Self::NotLocked => f.write_str("it is an age file, but not an identity locked with a passphrase"),
            Self::DamagedLine { line, kind } => write!(f, "line {line}: the {kind}… key is damaged"),
            Self::HybridLine { line } => {
                write!(
                    f,
                    "line {line}: hybrid keys (AGE-SECRET-KEY-PQ-1…) are not supported here"
                )
            }
            Self::UnknownLine { line } => write!(
                f,
                "line {line}: expected an identity (AGE-SECRET-KEY-1…, AGE-PLUGIN-…) or a comment"
            ),
            Self::ForeignFile => f.write_str("age does not read this kind of key file"),
            Self::DamagedSsh => f.write_str("it is a damaged SSH private key"),
            Self::UnusedSsh => f.write_str("age does not support this kind of SSH private key"),
            Self::InsecurePassphrase => f.write_str("it is encrypted in an old, insecure format"),
            Self::UnsupportedCipher { cipher } => write!(f, "it is encrypted with {cipher}, which is not supported"),
            Self::OnDevice { kind } => write!(f, "{kind} keys are on a hardware device, which cannot decrypt"),
            Self::DoesNotDecrypt { kind } => write!(f, "{kind} keys cannot decrypt"),
        }
    }
}

impl fmt::Display for IdentityFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(IdentityNamer::Caller | IdentityNamer::Nobody) => f.write_str("the file does not exist"),
            Self::Missing(IdentityNamer::Variable) => {
                f.write_str("GIT_PACK_IDENTITY names it, and the file does not exist")
            }
            Self::Missing(IdentityNamer::GitConfig) => {
                f.write_str("gitpack.identity in git's configuration names it, and the file does not exist")
            }
            Self::Vanished => f.write_str("another process created it and removed it again"),
            Self::InWorkTree => f.write_str("it is in the work tree, where git could track it"),
            Self::Secret(fault) => fault.fmt(f),
            Self::Key(fault) => fault.fmt(f),
            Self::Locked(fault) => fault.fmt(f),
            Self::OnlyPluginKnows => f.write_str("only its plugin knows its recipient"),
            Self::OnlyKeyKnows { kind } => write!(f, "git-pack cannot derive the recipient of a {kind} key"),
        }
    }
}

impl fmt::Display for LockFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPassphrase => f.write_str("it needs a passphrase, and there is no terminal to ask for it"),
            Self::WrongPassphrase => f.write_str("the passphrase is wrong"),
            Self::Key(fault) => fault.fmt(f),
            Self::Cipher(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for CipherFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingPlugin { program } => write!(f, "{program} is not on PATH"),
            Self::MixedRecipients => f.write_str(
                "these recipients cannot be mixed: some kinds, such as post-quantum ones, protect only if all \
                 recipients are of that kind",
            ),
            Self::NoRecipients => f.write_str("there are no recipients"),
            Self::LineEnds => f.write_str("its line ends were converted to CRLF"),
            Self::LostReturns => f.write_str("its line ends were converted to LF"),
            Self::Seal(fault) => fault.fmt(f),
            Self::Said(said) => f.write_str(said),
        }
    }
}

impl fmt::Display for RecipientFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret => f.write_str("this is a secret key, not a recipient"),
            Self::SeveralLines => f.write_str("expected one recipient, on one line"),
            Self::Unknown => f.write_str("expected a recipient: age1…, ssh-ed25519 …, ssh-rsa …"),
            Self::BadAge { said } => write!(f, "expected an age recipient (age1…): {said}"),
            Self::Hybrid => f.write_str("hybrid recipients (age1pq1…) are not supported here"),
            Self::WeakRsa => f.write_str("this RSA key is too weak: it has fewer than 2048 bits"),
            Self::LongRsa => f.write_str("this RSA key has too many bits"),
            Self::DoesNotEncrypt { kind } => write!(f, "age cannot encrypt to {kind} keys"),
            Self::DamagedSsh => f.write_str("this SSH public key is damaged"),
        }
    }
}

/// What is wrong with a file that should hold a passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassphraseFault {
    /// There is no such file.
    Missing,
    /// It cannot be used as it is.
    Unfit(SecretFault),
    /// Its first line is empty.
    Empty,
    /// Its first line is not text.
    NotText,
}

impl fmt::Display for PassphraseFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the file does not exist"),
            Self::Unfit(fault) => fault.fmt(f),
            Self::Empty => f.write_str("its first line is empty"),
            Self::NotText => f.write_str("its first line is not text"),
        }
    }
}
