//! The codes of refusals, for machines.

use crate::refusal::Refusal;
use crate::refusal::agent::{AgentFault, CyclesFault};
use crate::refusal::private_file::PrivateFault;
use crate::refusal::signing::SigningFault;
use crate::refusal::transport::TransportFault;

/// The code of a refusal, for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// `E_EMPTY`
    Empty,
    /// `E_IO`
    Io,
    /// `E_DUPLICATE`
    Duplicate,
    /// `E_BAD_PACK`
    BadPack,
    /// `E_USAGE`
    Usage,
    /// `E_NOT_A_REPOSITORY`
    NotARepository,
    /// `E_BAD_REVISION`
    BadRevision,
    /// `E_BAD_CONFIG`
    BadConfig,
    /// `E_MISSING_OBJECT`
    MissingObject,
    /// `E_NO_RECIPIENTS`
    NoRecipients,
    /// `E_NO_IDENTITY`
    NoIdentity,
    /// `E_CRYPTO`
    Crypto,
    /// `E_SIGNATURE`
    Signature,
    /// `E_PLAINTEXT_LEAK`
    PlaintextLeak,
    /// `E_LIMIT`
    Limit,
    /// `E_CORRUPT`
    Corrupt,
    /// `E_AUDIT`
    Audit,
    /// `E_TRANSPORT`
    Transport,
    /// `E_UNSUPPORTED`
    Unsupported,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 19] = [
        Self::Empty,
        Self::Io,
        Self::Duplicate,
        Self::BadPack,
        Self::Usage,
        Self::NotARepository,
        Self::BadRevision,
        Self::BadConfig,
        Self::MissingObject,
        Self::NoRecipients,
        Self::NoIdentity,
        Self::Crypto,
        Self::Signature,
        Self::PlaintextLeak,
        Self::Limit,
        Self::Corrupt,
        Self::Audit,
        Self::Transport,
        Self::Unsupported,
    ];

    /// Returns the code as it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "E_EMPTY",
            Self::Io => "E_IO",
            Self::Duplicate => "E_DUPLICATE",
            Self::BadPack => "E_BAD_PACK",
            Self::Usage => "E_USAGE",
            Self::NotARepository => "E_NOT_A_REPOSITORY",
            Self::BadRevision => "E_BAD_REVISION",
            Self::BadConfig => "E_BAD_CONFIG",
            Self::MissingObject => "E_MISSING_OBJECT",
            Self::NoRecipients => "E_NO_RECIPIENTS",
            Self::NoIdentity => "E_NO_IDENTITY",
            Self::Crypto => "E_CRYPTO",
            Self::Signature => "E_SIGNATURE",
            Self::PlaintextLeak => "E_PLAINTEXT_LEAK",
            Self::Limit => "E_LIMIT",
            Self::Corrupt => "E_CORRUPT",
            Self::Audit => "E_AUDIT",
            Self::Transport => "E_TRANSPORT",
            Self::Unsupported => "E_UNSUPPORTED",
        }
    }
}

impl Refusal {
    /// Returns the code of the refusal.
    pub fn code(&self) -> Code {
        match self {
            Self::Empty => Code::Empty,
            Self::Io { .. }
            | Self::NotRegular { .. }
            | Self::ThroughLink { .. }
            | Self::Planted { .. }
            | Self::ChangedWhileRead { .. }
            | Self::OutputExists { .. }
            | Self::HasOtherSeals { .. }
            | Self::KeyExists { .. }
            | Self::TwinDiffers { .. }
            | Self::NotOneFile { .. }
            | Self::Merge { .. }
            | Self::NoDestination
            | Self::UnsafePath { .. } => Code::Io,
            Self::Duplicate { .. } | Self::Collision { .. } | Self::ReservedPath { .. } => Code::Duplicate,
            Self::NotSound { has_leak: true, .. } => Code::PlaintextLeak,
            Self::BadPack { .. } | Self::BadManifest { .. } | Self::NotSound { .. } => Code::BadPack,
            Self::Usage(_) | Self::BadDestination { .. } | Self::NoWorkTree { .. } | Self::Armoured { .. } => {
                Code::Usage
            }
            Self::NotARepository { .. } => Code::NotARepository,
            Self::NoCommit | Self::BadRevision { .. } => Code::BadRevision,
            Self::BadConfig { .. } => Code::BadConfig,
            Self::MissingObject { .. }
            | Self::MissingContent { .. }
            | Self::NoManifest { .. }
            | Self::CutHistory { .. } => Code::MissingObject,
            Self::NoRecipients { .. } => Code::NoRecipients,
            Self::NoIdentity { .. } | Self::NoneOpens { .. } | Self::Locked { .. } => Code::NoIdentity,
            Self::Crypto { .. } => Code::Crypto,
            Self::PlaintextLeak { .. } | Self::KeyInPublicText { .. } | Self::InternalPack { .. } => {
                Code::PlaintextLeak
            }
            // A place that lies holds a bad pack.
            Self::Transport {
                fault: TransportFault::WrongContent { .. },
                ..
            } => Code::BadPack,
            Self::Transport { .. } => Code::Transport,
            Self::Limit { .. } | Self::TooLong { .. } | Self::Budget { .. } => Code::Limit,
            Self::Agent { fault, .. } => match fault {
                AgentFault::Genome(_) => Code::Corrupt,
                AgentFault::Cycles(fault) => match fault {
                    CyclesFault::NoLock { .. } | CyclesFault::OtherNames => Code::Unsupported,
                    CyclesFault::NotTakenBack { .. } | CyclesFault::Contended | CyclesFault::Link => Code::Io,
                    CyclesFault::NoNumbers { .. } => Code::Limit,
                    _ => Code::Usage,
                },
                AgentFault::Private(fault) => match fault {
                    PrivateFault::TooLarge { .. } => Code::Limit,
                    PrivateFault::Json(_)
                    | PrivateFault::AskedKind { .. }
                    | PrivateFault::UnknownKind
                    | PrivateFault::NoKey
                    | PrivateFault::UnfitKey(_)
                    | PrivateFault::KeyLength
                    | PrivateFault::NotAStore => Code::Usage,
                    _ => Code::Crypto,
                },
            },
            Self::Signing { fault, .. } => match fault {
                SigningFault::TooMany { .. } | SigningFault::TooLarge { .. } => Code::Limit,
                SigningFault::NotADirectory | SigningFault::Predicate { .. } => Code::Usage,
                _ => Code::Signature,
            },
            Self::Corrupt(_) => Code::Corrupt,
            Self::Audit { .. } => Code::Audit,
            Self::NotYours { .. } | Self::HookManager { .. } | Self::Unsupported(_) => Code::Unsupported,
        }
    }
}
