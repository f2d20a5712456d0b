//! Refusals: the closed set of reasons for which something could not be judged or done.
//!
//! A reason is typed facts, a code and a sentence that says what, where and why. The command line adds the flag or command
//! that helps; see `cli/output/refusal.rs`.

use std::io;
use std::path::{Path, PathBuf};

use agent::AgentFault;
use bound::Bound;
use config::ConfigFault;
use corrupt::Corrupt;
use hook_manager::HookManager;
use keys::{CipherFault, IdentityFault, LockFault, RecipientsElsewhere};
use leak::{Giveaway, PublicText};
use manifest::ManifestFault;
use pack::PackFault;
use path::PathFault;
use revision::RevisionFault;
use signing::SigningFault;
use transport::{DestinationFault, TransportFault};
use twin::{MergeFault, NotOneFile, TwinConflict};
use unsupported::Unsupported;
use usage::Misuse;
use work_tree::WorkTreeUse;

pub mod agent;
pub mod archive;
pub mod bound;
pub mod code;
pub mod config;
pub mod corrupt;
mod display;
pub mod hook_manager;
pub mod keys;
pub mod leak;
pub mod manifest;
pub mod pack;
pub mod path;
pub mod private_file;
pub mod revision;
pub mod seal;
pub mod seal_option;
pub mod shown;
pub mod signing;
pub mod transport;
pub mod twin;
pub mod unsupported;
pub mod usage;
mod usage_text;
pub mod work_tree;

/// The result of an operation that may be refused.
pub type Result<T, E = Refusal> = std::result::Result<T, E>;

/// What is here of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitHere {
    /// A clone that has it.
    Whole,
    /// A clone that lacks it, or a part of its tree.
    Missing,
    /// Nothing: there is no clone here.
    NoClone,
}

/// A reason for a refusal. Nothing was changed.
#[derive(Debug)]
pub enum Refusal {
    /// An operating-system error: the deed (`reading`), the path, the cause.
    Io {
        /// The action that failed, as a participle.
        deed: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A link, directory, socket, device or FIFO where a regular file is needed.
    NotRegular {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        kind: &'static str,
    },
    /// A link on the path to a file that would be written.
    ThroughLink {
        /// The file that would be written.
        path: PathBuf,
        /// The link.
        link: PathBuf,
        /// The target that the link states.
        target: PathBuf,
    },
    /// A file that changed between its first and last byte.
    ChangedWhileRead {
        /// The file.
        path: PathBuf,
    },
    /// The pack at the output holds seals that the new one lacks.
    HasOtherSeals {
        /// The output.
        path: PathBuf,
        /// The path of such a member.
        first: String,
        /// Number of further ones.
        more: usize,
    },
    /// The output exists already.
    OutputExists {
        /// The output.
        path: PathBuf,
        /// Whether the user may have it replaced.
        replaceable: bool,
    },
    /// The file of a new key exists already.
    KeyExists {
        /// The file.
        path: PathBuf,
    },
    /// A path that cannot be a member of a pack, or cannot be protected.
    UnsafePath {
        /// The path, made safe to show.
        path: String,
        /// What is wrong with it.
        fault: PathFault,
    },
    /// Two sources for one member path.
    Duplicate {
        /// The member path.
        path: String,
        /// Both sources.
        sources: [String; 2],
    },
    /// Two entries that would be restored to the same path, or one below the other.
    Collision {
        /// The place.
        path: String,
        /// Both entries.
        sources: [String; 2],
        /// Whether the collision would not occur if ciphertexts were opened.
        as_ciphertext: bool,
    },
    /// An artifact under a name that the pack itself uses.
    ReservedPath {
        /// The member path.
        path: String,
        /// The artifact.
        source: String,
    },
    /// There is nothing to seal.
    Empty,
    /// Not a pack, or one that cannot be used.
    BadPack {
        /// The pack.
        path: PathBuf,
        /// What is wrong with it.
        fault: PackFault,
    },
    /// A manifest of contents that is not a valid manifest of a tree, or does not match its ref.
    BadManifest {
        /// Its ref, or its pack.
        name: String,
        /// What is wrong with it.
        fault: ManifestFault,
    },
    /// A pack that was judged and is not sound.
    NotSound {
        /// Whether one of its findings is a leak.
        has_leak: bool,
        /// The pack.
        path: PathBuf,
        /// The code and the place of the first finding.
        first: String,
        /// Number of further findings.
        more: usize,
    },
    /// An invalid flag, argument or combination.
    Usage(Misuse),
    /// There is no repository at or above this directory.
    NotARepository {
        /// The directory.
        path: PathBuf,
    },
    /// A repository of another user, which git's `safe.directory` does not name.
    NotYours {
        /// Its work tree or, if it is bare, its git directory.
        path: PathBuf,
        /// Id of the user who owns it, where the system tells.
        owner: Option<u32>,
    },
    /// A link or other special file where git-pack keeps its own files.
    Planted {
        /// The place.
        path: PathBuf,
        /// The kind of file there.
        kind: &'static str,
    },
    /// A bare repository where a work tree is needed.
    NoWorkTree {
        /// The action that needs it.
        action: WorkTreeUse,
    },
    /// The branch has no commit yet.
    NoCommit,
    /// The revision does not name a commit.
    BadRevision {
        /// The revision as given.
        rev: String,
        /// What it names instead, or why it was not found.
        fault: RevisionFault,
    },
    /// A configuration file or value is wrong.
    BadConfig {
        /// The file, with its revision unless it is the one on disk.
        origin: String,
        /// The line, counted from 1, if it is known.
        line: Option<usize>,
        /// The problem: what was expected and what was found.
        fault: ConfigFault,
    },
    /// Objects that this clone does not have.
    MissingObject {
        /// How many.
        count: u64,
        /// One of them.
        example: String,
    },
    /// Contents of entries that are neither in the pack nor in this clone.
    MissingContent {
        /// How many.
        count: u64,
        /// Number of them that are ciphertexts.
        sealed: u64,
        /// The path of one of them.
        example: String,
        /// The hash of that one.
        content: String,
        /// What is here of the commit that they belong to.
        here: CommitHere,
    },
    /// A manifest of contents that is not in this clone's content store.
    NoManifest {
        /// Its ref.
        manifest: String,
    },
    /// A range that continues below the history that this clone has.
    CutHistory {
        /// The commit whose parents this clone lacks.
        commit: String,
    },
    /// Protected artifacts without a recipient to seal them to.
    NoRecipients {
        /// The artifacts.
        artifacts: Vec<String>,
        /// Where recipients are named that do not count.
        elsewhere: RecipientsElsewhere,
    },
    /// The identity file cannot be used.
    NoIdentity {
        /// The file.
        path: PathBuf,
        /// Why it cannot serve.
        fault: IdentityFault,
    },
    /// No identity opens a ciphertext.
    NoneOpens {
        /// The ciphertext.
        subject: String,
        /// The types of its stanzas, without grease.
        stanzas: Vec<String>,
        /// The identities that were tried, with the kinds of their keys.
        tried: Vec<String>,
    },
    /// An identity may open something, but could not be used: its passphrase is missing or wrong, or its plugin failed.
    Locked {
        /// The ciphertext.
        subject: String,
        /// The identity file that was not unlocked, where it is known.
        file: Option<String>,
        /// Why it was not unlocked.
        fault: LockFault,
    },
    /// An age file that is armoured, so that its header cannot be replaced alone.
    Armoured {
        /// The file.
        path: PathBuf,
    },
    /// Another failure of the cipher.
    Crypto {
        /// The action that failed, as a participle.
        deed: &'static str,
        /// What it was done to.
        subject: String,
        /// Why it failed.
        fault: CipherFault,
    },
    /// A plaintext member with the content or the name of something protected.
    PlaintextLeak {
        /// The plaintext member.
        plain: String,
        /// What it would reveal.
        giveaway: Giveaway,
        /// Whether the user may release it by its name.
        may_be_named: bool,
        /// Its path in the tree, if it is an entry of a commit that a glob can leave out.
        entry: Option<String>,
    },
    /// A private key in a text that anyone can read.
    KeyInPublicText {
        /// The text.
        text: PublicText,
    },
    /// A scope whose pack would exceed its limits.
    Limit {
        /// Key of the scope.
        scope: String,
        /// The exceeded limit.
        exceeded: Exceeded,
        /// The largest entries with their sizes in bytes, if the limit is about sizes.
        largest: Vec<(String, u64)>,
    },
    /// A document that would be longer than any reader accepts.
    TooLong {
        /// The document.
        what: String,
        /// Most bytes that it may have.
        allowed: u64,
        /// Bytes that it would have.
        found: u64,
    },
    /// Judging the input would cost more than a bound allows.
    Budget {
        /// The exceeded bound.
        bound: Bound,
        /// The limit, if it is known.
        allowed: Option<u64>,
    },
    /// Stored content that does not match its hash, or cannot be decoded.
    Corrupt(Corrupt),
    /// A file that would be overwritten holds other content than its sealed twin.
    TwinDiffers {
        /// The file.
        path: PathBuf,
        /// The path of the plaintext, below the top of the work tree.
        plain: Vec<u8>,
        /// What is known about the file.
        conflict: TwinConflict,
    },
    /// A name that does not stand for one file that can be sealed beside itself.
    NotOneFile {
        /// The name as given.
        path: PathBuf,
        /// Why not.
        fault: NotOneFile,
    },
    /// A file and its sealed twin that a merge is about.
    Merge {
        /// The path of the plaintext, below the top of the work tree.
        plain: Vec<u8>,
        /// The path of the twin.
        sealed: Vec<u8>,
        /// What is in the way.
        fault: MergeFault,
    },
    /// The hooks belong to a hook manager, which would overwrite others.
    HookManager {
        /// The manager.
        manager: HookManager,
        /// The hooks directory.
        directory: PathBuf,
    },
    /// A run whose audit found a content that is not rooted, missing or corrupt.
    Audit {
        /// The run.
        run: String,
        /// The code and the subject of the first finding.
        first: String,
        /// Number of further findings.
        more: usize,
        /// The directory of its roots.
        directory: PathBuf,
    },
    /// A pack could not be sent to a place, or fetched from it.
    Transport {
        /// The place, without secrets.
        place: String,
        /// Why not.
        fault: TransportFault,
    },
    /// A pack cannot be signed or attested, or its signatures and attestations cannot be checked.
    Signing {
        /// The file that is at fault, or the pack.
        path: PathBuf,
        /// Why not.
        fault: SigningFault,
    },
    /// Something in the agent store is not valid, or cannot be done there.
    Agent {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        fault: AgentFault,
    },
    /// No place for packs is named or configured.
    NoDestination,
    /// Text that does not name a place for packs.
    BadDestination {
        /// The text, without secrets.
        text: String,
        /// What is wrong with it.
        fault: DestinationFault,
    },
    /// A pack that is not for the public, and a place that is not known to be private.
    InternalPack {
        /// The pack.
        path: PathBuf,
        /// The place, without secrets.
        place: String,
    },
    /// Something in the repository that git-pack cannot read or change.
    Unsupported(Unsupported),
}

/// A limit that was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// The limit's key in the configuration.
    pub limit: &'static str,
    /// The allowed amount.
    pub allowed: u64,
    /// The amount found.
    pub found: u64,
}

/// Returns what the operating system said, in lower case and without its error number.
pub fn io_reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if chars.clone().next().is_some_and(char::is_lowercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

impl Refusal {
    /// Returns a closure for `map_err` that adds the deed and the path to an I/O error.
    pub fn io(deed: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { deed, path, source }
    }
}
