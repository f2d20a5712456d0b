//! Refusals: the closed set of reasons for which something could not be judged or done, and their codes.
//!
//! How a reason reads to a person is the command line's business; see `cli/output/refusal.rs`.

use std::io;
use std::path::{Path, PathBuf};

use bound::Bound;

pub mod bound;
pub mod shown;

/// The result of anything that may be refused.
pub type Result<T, E = Refusal> = std::result::Result<T, E>;

/// A reason for a refusal. Nothing was changed.
#[derive(Debug)]
pub enum Refusal {
    /// An operating-system error: the deed (`reading`), the path, the cause.
    Io {
        /// What was being done, as a participle.
        deed: &'static str,
        /// To which file or directory.
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
    /// A link on the way to what would be written.
    ThroughLink {
        /// What would be written.
        path: PathBuf,
        /// The link.
        link: PathBuf,
        /// What it leads to, as it says.
        target: PathBuf,
    },
    /// A file that changed between its first and last byte.
    ChangedWhileRead {
        /// The file.
        path: PathBuf,
    },
    /// The output is in the way.
    OutputExists {
        /// The output.
        path: PathBuf,
        /// Whether `--replace` may swap it.
        replaceable: bool,
    },
    /// A path that cannot be a member of a pack.
    UnsafePath {
        /// The path, fit to be shown.
        path: String,
        /// Why not.
        reason: String,
    },
    /// Two sources for one member path.
    Duplicate {
        /// The member path.
        path: String,
        /// Both sources.
        sources: [String; 2],
    },
    /// Two entries that would be restored to one place, or one below the other.
    Collision {
        /// The place.
        path: String,
        /// Both entries.
        sources: [String; 2],
        /// Whether it would not happen if ciphertexts were opened.
        as_ciphertext: bool,
    },
    /// An artifact under a name that the pack itself uses.
    ReservedPath {
        /// The member path.
        path: String,
        /// The artifact.
        source: String,
    },
    /// Nothing to seal.
    Empty,
    /// Not a pack, or not one that can be judged.
    BadPack {
        /// The pack.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A manifest of contents that is none of a tree, or not what it says.
    BadManifest {
        /// Its ref, or its pack.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A pack that was judged, and is not sound.
    NotSound {
        /// The pack.
        path: PathBuf,
        /// The first finding: its code and its place.
        first: String,
        /// How many more there are.
        more: usize,
    },
    /// A flag or argument that makes no sense here.
    Usage {
        /// What is wrong.
        problem: String,
        /// The command that does what was probably meant.
        next: Option<String>,
    },
    /// No repository at or above this directory.
    NotARepository {
        /// The directory.
        path: PathBuf,
    },
    /// A repository of another user, which git's `safe.directory` does not name.
    NotYours {
        /// Its work tree or, if it is bare, its git directory.
        path: PathBuf,
        /// Whose it is: a user's number.
        owner: u32,
    },
    /// A link, or another special file, where git-pack keeps files of its own.
    Planted {
        /// The place.
        path: PathBuf,
        /// What stands there.
        kind: &'static str,
    },
    /// A bare repository where a work tree is needed.
    NoWorkTree {
        /// What needs it.
        what: &'static str,
    },
    /// The branch has no commit yet.
    NoCommit,
    /// The revision does not name a commit.
    BadRevision {
        /// The revision as given.
        rev: String,
        /// What it is instead, or why it was not found.
        reason: String,
    },
    /// A configuration file or value is wrong.
    BadConfig {
        /// The file, with the revision it comes from if it is not the one on disk.
        origin: String,
        /// The line, where it is known.
        line: Option<usize>,
        /// What was expected.
        problem: String,
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
        /// How many of them are ciphertexts.
        sealed: u64,
        /// The path of one.
        example: String,
        /// Its hash.
        content: String,
        /// Whether the commit that they are of is in this clone.
        has_commit: bool,
    },
    /// A manifest of contents that is not in this clone's content store.
    NoManifest {
        /// Its ref.
        manifest: String,
    },
    /// A range that goes on below the history that this clone has.
    CutHistory {
        /// The commit whose parents are not here.
        commit: String,
    },
    /// Protected artifacts, and nobody to seal them to.
    NoRecipients {
        /// The artifacts.
        artifacts: Vec<String>,
        /// Whether the work tree has a configuration that names some, which is not committed.
        uncommitted: bool,
    },
    /// The identity file cannot serve.
    NoIdentity {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// None of the identities opens something.
    NoneOpens {
        /// What.
        subject: String,
        /// The types of its stanzas.
        stanzas: Vec<String>,
        /// The identities that were tried, with the kinds of their keys.
        tried: Vec<String>,
    },
    /// An identity may open something, but could not be used: its passphrase is missing or wrong, or its plugin failed.
    Locked {
        /// What.
        subject: String,
        /// Why not.
        reason: String,
    },
    /// An armoured age file whose header alone was to be changed.
    Armoured {
        /// The file.
        path: PathBuf,
    },
    /// Any other failure of the cipher.
    Crypto {
        /// What was being done, as a participle.
        deed: &'static str,
        /// To what.
        subject: String,
        /// Why it failed.
        reason: String,
    },
    /// A plain member with the content, or under the name, of something protected.
    PlaintextLeak {
        /// The plain member.
        plain: String,
        /// What it gives away.
        protected: String,
        /// Whether `--plaintext` may name it.
        may_be_named: bool,
    },
    /// A scope with more in it than its limits allow.
    Limit {
        /// The scope's key.
        scope: String,
        /// Which limit, and by how much.
        exceeded: Exceeded,
        /// The largest entries, with their bytes, where it is about bytes.
        largest: Vec<(String, u64)>,
    },
    /// A document that would be longer than anything reads it.
    TooLong {
        /// The document.
        what: String,
        /// The most bytes that it may have.
        allowed: u64,
        /// Those it would have.
        found: u64,
    },
    /// What is to be judged costs more than one look may cost.
    Budget {
        /// What it has too much of.
        bound: Bound,
        /// How much is allowed, where that is known.
        allowed: Option<u64>,
    },
    /// Stored content that does not hash to its name, or cannot be decoded.
    Corrupt {
        /// What is corrupt.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// A file that would be written over holds something else than its twin.
    TwinDiffers {
        /// The file.
        path: PathBuf,
        /// What is known of it.
        why: &'static str,
        /// The command that does no harm.
        instead: Option<String>,
    },
    /// The hooks belong to a hook manager, which would write them anew.
    HookManager {
        /// Its name.
        manager: &'static str,
        /// The hooks directory.
        directory: PathBuf,
        /// What to do with the lines.
        deed: &'static str,
        /// The lines that make it run ours.
        lines: Vec<&'static str>,
    },
    /// A run whose audit found that something is not rooted, not there, or not what it should be.
    Audit {
        /// The run.
        run: String,
        /// The first finding: its code and what it is about.
        first: String,
        /// How many more there are.
        more: usize,
        /// Where its roots are.
        directory: PathBuf,
    },
    /// Something in the repository that cannot be read or changed by us.
    Unsupported {
        /// What.
        what: String,
        /// What to do about it.
        remedy: String,
    },
}

/// A limit that was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Its key in the configuration.
    pub limit: &'static str,
    /// What it allows.
    pub allowed: u64,
    /// What was found.
    pub found: u64,
}

/// The code of a refusal, as machines see it.
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
    /// `E_PLAINTEXT_LEAK`
    PlaintextLeak,
    /// `E_LIMIT`
    Limit,
    /// `E_CORRUPT`
    Corrupt,
    /// `E_AUDIT`
    Audit,
    /// `E_UNSUPPORTED`
    Unsupported,
}

impl Code {
    /// Every code there is.
    pub const ALL: [Self; 17] = [
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
        Self::PlaintextLeak,
        Self::Limit,
        Self::Corrupt,
        Self::Audit,
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
            Self::PlaintextLeak => "E_PLAINTEXT_LEAK",
            Self::Limit => "E_LIMIT",
            Self::Corrupt => "E_CORRUPT",
            Self::Audit => "E_AUDIT",
            Self::Unsupported => "E_UNSUPPORTED",
        }
    }
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

    /// Refuses with `E_USAGE` and no better command to offer.
    pub fn usage(problem: impl Into<String>) -> Self {
        Self::Usage {
            problem: problem.into(),
            next: None,
        }
    }
}
