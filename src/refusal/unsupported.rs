//! What cannot be read or changed in a repository, and what git itself does not do.

use std::fmt;
use std::path::PathBuf;

/// What cannot be read or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// Texts with their numbers of tokens, in a build without a tokenizer.
    Tokens,
    /// A repository that cannot be opened.
    Repository {
        /// What git said.
        said: String,
    },
    /// References that are not kept in files, so that only git reads and writes them.
    RefStorage {
        /// How they are kept.
        storage: String,
        /// What git said, or why it could not be run.
        said: String,
    },
    /// References that cannot be read.
    References {
        /// What git said.
        said: String,
    },
    /// References below a prefix that cannot be read.
    ReferencesBelow {
        /// The prefix.
        prefix: String,
        /// What git said.
        said: String,
    },
    /// References of runs that cannot be read.
    RunReferences {
        /// What git said.
        said: String,
    },
    /// A reference of a run that cannot be written.
    RunReferenceUnwritable {
        /// The prefix of such references.
        prefix: &'static str,
        /// What git said.
        said: String,
    },
    /// References of runs that cannot be removed.
    RunReferencesUnremovable {
        /// The prefix of such references.
        prefix: &'static str,
        /// What git said.
        said: String,
    },
    /// Object directories that cannot be read.
    ObjectDirectories {
        /// What git said.
        said: String,
    },
    /// A list of shallow commits that cannot be read.
    ShallowList {
        /// What git said.
        said: String,
    },
    /// An index that cannot be read.
    Index {
        /// What git said.
        said: String,
    },
    /// An entry of the index with a mode that is not known.
    IndexMode {
        /// Its path, fit to be shown.
        path: String,
        /// The mode.
        mode: String,
    },
    /// An index that git does not change.
    IndexUnchanged {
        /// What git said.
        said: String,
    },
    /// A configuration of ignored files that git does not read.
    IgnoreConfig {
        /// What git said.
        said: String,
    },
    /// Commits with a file that git does not list.
    CommitsWith {
        /// The path of the file.
        path: String,
        /// What git said.
        said: String,
    },
    /// A configuration that git does not change.
    GitConfig {
        /// What git said.
        said: String,
    },
    /// Texts that git does not merge.
    Merge {
        /// What git said.
        said: String,
    },
    /// An empty `core.hooksPath`, with which git runs no hooks.
    EmptyHooksPath {
        /// The configuration for many repositories that sets it, if one does.
        shared: Option<SharedScope>,
    },
    /// A directory of hooks that git does not name.
    HooksDirectory {
        /// What git said.
        said: String,
    },
    /// A canary that git does not make.
    Canary {
        /// What git said.
        said: String,
    },
    /// A first push to which many versions of the configuration apply.
    ManyConfigurations {
        /// How many.
        versions: usize,
    },
    /// A hook and a chained one, both of others.
    TwoHooks {
        /// The hooks directory.
        directory: PathBuf,
        /// The name of the hook.
        hook: &'static str,
    },
    /// A hooks directory that all repositories of a user or of the machine share.
    SharedHooks {
        /// The hooks directory.
        directory: PathBuf,
        /// The configuration that names it.
        scope: SharedScope,
        /// Whether hooks would be removed from it. Otherwise, they would be written.
        removing: bool,
    },
    /// Something of the artifacts that a pack has no field for.
    NotKept {
        /// What a pack does not keep.
        what: Unkept,
        /// The paths that have it, made safe to show.
        paths: Vec<String>,
    },
    /// A path of git-pack itself that is not UTF-8.
    BinaryPath {
        /// The path.
        path: PathBuf,
    },
}

/// Something that files have on disk, and a pack does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unkept {
    /// The executable bit of a file.
    ExecutableBit,
    /// A directory with nothing in it.
    EmptyDirectory,
}

impl fmt::Display for Unkept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExecutableBit => "the executable bit of a file",
            Self::EmptyDirectory => "an empty directory",
        })
    }
}

/// Returns the first of these paths, and the number of the others.
pub fn some_of(paths: &[String]) -> String {
    let first = paths.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match paths.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// The most paths that a message names.
const NAMED: usize = 3;

/// A configuration of git that applies to many repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedScope {
    /// The user's.
    Global,
    /// The machine's.
    System,
}

impl fmt::Display for SharedScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Global => "your global git configuration",
            Self::System => "the git configuration of this machine",
        })
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tokens => {
                f.write_str("this build of git-pack cannot count tokens, which texts under FULL/ and SPLIT/ have")
            }
            Self::Repository { said } => write!(f, "the repository cannot be opened: {said}"),
            Self::RefStorage { storage, said } => write!(
                f,
                "this repository stores its refs as {storage}, which git-pack reads and writes only through git; {said}"
            ),
            Self::References { said } | Self::RunReferences { said } => {
                write!(f, "the refs of this repository cannot be read: {said}")
            }
            Self::ReferencesBelow { prefix, said } => write!(f, "the refs below {prefix} cannot be read: {said}"),
            Self::RunReferenceUnwritable { prefix, said } | Self::RunReferencesUnremovable { prefix, said } => {
                write!(f, "{prefix} cannot be written: {said}")
            }
            Self::ObjectDirectories { said } => write!(f, "the object directories cannot be read: {said}"),
            Self::ShallowList { said } => f.write_str(said),
            Self::Index { said } => write!(f, "the index cannot be read: {said}"),
            Self::IndexMode { path, mode } => write!(f, "the index has {path} with the unknown mode {mode}"),
            Self::IndexUnchanged { said } => write!(f, "git cannot update the index: {said}"),
            Self::IgnoreConfig { said } => write!(f, "git cannot tell which files it ignores: {said}"),
            Self::CommitsWith { path, said } => write!(f, "git cannot list the commits with {path}: {said}"),
            Self::GitConfig { said } => write!(f, "git config: {said}"),
            Self::Merge { said } => write!(f, "git merge-file: {said}"),
            Self::EmptyHooksPath { .. } => f.write_str("core.hooksPath is empty, so git runs no hooks"),
            Self::HooksDirectory { said } => write!(f, "git cannot tell where its hooks are: {said}"),
            Self::Canary { said } => write!(f, "git could not create a canary: {said}"),
            Self::ManyConfigurations { versions } => write!(
                f,
                "{versions} different versions of .gitpack.toml apply to one branch of this first push: those of the \
                 branches that it brings, and of the main branches"
            ),
            Self::TwoHooks { directory, hook } => write!(
                f,
                "{} has both {hook} and {hook}.chained, and git-pack installed neither",
                directory.display()
            ),
            Self::SharedHooks {
                directory,
                scope,
                removing,
            } => {
                let done = if *removing { "removed" } else { "installed" };
                write!(
                    f,
                    "{scope} sets core.hooksPath to {}, so hooks {done} there would be {done} for every repository",
                    directory.display()
                )
            }
            Self::NotKept { what, paths } => write!(f, "a pack has no field for {what}: {}", some_of(paths)),
            Self::BinaryPath { path } => {
                write!(f, "the path of git-pack is not UTF-8: {}", path.display())
            }
        }
    }
}
