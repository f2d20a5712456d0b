//! Misuse: flags, arguments and places that make no sense here.

use std::fmt;
use std::path::PathBuf;

use crate::refusal::keys::{PassphraseFault, RecipientFault};
use crate::refusal::seal_option::SealOption;
use crate::refusal::shown::{shown, shown_path};

/// What was asked for and makes no sense here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// Arguments that the command line itself refuses. Only `cli` makes this one, in its own words.
    Arguments {
        /// What is wrong with them.
        problem: String,
        /// The command that does what was probably meant.
        next: Option<String>,
    },
    /// No home directory, so no place for a witness ledger.
    NoLedger,
    /// No home directory, so no place for manual pages.
    NoPlaceForManual,
    /// A file in the place of a manual page, which git-pack did not write.
    OtherManual {
        /// The file.
        path: PathBuf,
    },
    /// No home directory, so no place for an identity.
    NoPlaceForIdentity,
    /// A scope that a configuration does not have.
    UnknownScope {
        /// Its key.
        scope: String,
        /// The configuration.
        origin: String,
        /// The scopes that it has.
        known: Vec<String>,
        /// The scope among them that was probably meant.
        similar: Option<String>,
    },
    /// A run that is not in this clone.
    UnknownRun {
        /// Its name.
        run: String,
    },
    /// Text that is not the ref of a content.
    BadContentRef {
        /// The text.
        found: String,
    },
    /// A content that is not in the content store.
    NotInStore {
        /// Its ref.
        content: String,
    },
    /// No terminal at which a new passphrase could be typed.
    NoTerminal,
    /// A new passphrase that is empty.
    EmptyPassphrase,
    /// A new passphrase that was typed in two ways.
    PassphrasesDiffer,
    /// A file without a passphrase in it that can be used.
    PassphraseFile {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        fault: PassphraseFault,
    },
    /// A secret key where a recipient is needed.
    SecretAsRecipient,
    /// A recipient that the configuration does not name.
    UnknownRecipient {
        /// The recipient.
        recipient: String,
    },
    /// Several unmerged twins or none, where one is needed.
    UnmergedTwins {
        /// The plaintexts of the unmerged twins.
        plain: Vec<String>,
    },
    /// Text that is not a recipient.
    BadRecipient {
        /// The text, without what may be secret.
        text: String,
        /// What is wrong with it.
        fault: RecipientFault,
    },
    /// A work tree without a configuration.
    NoConfiguration,
    /// A file that is not the report of an earlier scan.
    BadBaseline {
        /// The file.
        file: PathBuf,
        /// What its parser said.
        problem: String,
    },
    /// A path that no file with exceptions can have.
    BadAllowFile {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file for exceptions other than the one that the configuration names.
    OtherAllowFile {
        /// The file that was asked for.
        wanted: String,
        /// The file that the configuration names.
        named: String,
    },
    /// Standard input of a hook that is not what git gives it.
    BadHookInput {
        /// The hook.
        hook: String,
        /// What its parser said.
        problem: String,
    },
    /// A path without a file name, where a file is needed.
    NotAFile {
        /// The path as given.
        path: PathBuf,
    },
    /// A file outside the work tree.
    OutsideWorkTree {
        /// The path as given.
        path: PathBuf,
    },
    /// A sealed twin where a plaintext is needed.
    SealedAlready {
        /// The path as given.
        file: PathBuf,
    },
    /// A file of git's own, which is not sealed.
    GitsOwn {
        /// Its path.
        path: String,
    },
    /// A file that git or git-pack reads, so that it must stay in plaintext.
    ReadInPlaintext {
        /// Its path.
        path: String,
    },
    /// A file of another repository below this one.
    InAnotherRepository {
        /// Its path.
        path: String,
        /// The work tree of the other repository.
        repository: PathBuf,
        /// Its path there.
        below: PathBuf,
    },
    /// A file among the outputs of runs, which are not tracked.
    RunOutput {
        /// Its path.
        path: String,
    },
    /// A remote that the repository does not have.
    UnknownRemote {
        /// Its name.
        remote: String,
        /// The remote that was probably meant.
        similar: Option<String>,
        /// Whether it was named as a place for packs.
        is_place: bool,
    },
    /// A range that does not have two ends.
    BadRange {
        /// The range as given.
        range: String,
    },
    /// Hooks of a server for a repository with a work tree.
    NotBare,
    /// Hooks of a work tree for a bare repository.
    Bare,
    /// Several artifacts for one stream.
    ManyForOneStream {
        /// How many.
        artifacts: usize,
    },
    /// An artifact that is not sealed in a pack.
    UnknownArtifact {
        /// The pack.
        pack: PathBuf,
        /// The artifact.
        path: String,
    },
    /// A pack in which nothing is sealed.
    NothingSealed {
        /// The pack.
        pack: PathBuf,
    },
    /// A pack that does not carry the state of a commit.
    NoState {
        /// The pack.
        pack: PathBuf,
        /// The document that it would carry.
        document: &'static str,
    },
    /// A pack that is not of a commit.
    NotOfCommit {
        /// The pack.
        pack: PathBuf,
    },
    /// A pack without a member that holds all texts.
    NoTexts {
        /// The pack.
        pack: PathBuf,
    },
    /// The ref of a manifest, or identities, where the texts of a pack are needed.
    OnlyTexts,
    /// A manifest whose run is not known, so that its ciphertexts cannot be opened.
    UnknownRunOfManifest,
    /// No output, where one is needed.
    NoOutput,
    /// No output, where a bare repository has no default.
    NoDefaultOutput,
    /// An output without a name of its own.
    UnnamedOutput {
        /// The output as given.
        output: PathBuf,
    },
    /// An output in the pack that is opened or restored.
    OutputInPack {
        /// The output.
        output: PathBuf,
    },
    /// An output in the pack that is rekeyed.
    RekeyedIntoItself {
        /// The output as given.
        output: PathBuf,
    },
    /// An output in git's own directory.
    OutputInGit {
        /// The output.
        output: PathBuf,
    },
    /// An output that git could track.
    OutputTracked {
        /// The output.
        output: PathBuf,
    },
    /// A commit whose date cannot be written.
    DateOutOfRange {
        /// The date, in seconds since 1970.
        seconds: i64,
    },
    /// A protected file that may not be released.
    NotReleasable {
        /// Its path.
        path: String,
        /// What protects it.
        cause: String,
        /// Its class.
        class: String,
    },
    /// A file to be released that would not be in the pack.
    NotInPack {
        /// The path as given.
        path: PathBuf,
    },
    /// An option that says how to seal, where nothing would be sealed.
    NothingWouldBeSealed {
        /// The option.
        option: SealOption,
    },
    /// An option of a tree pack, where artifacts are named.
    OfTreePack {
        /// The option.
        option: SealOption,
    },
    /// An artifact of a repository with rules of its own.
    OtherRules {
        /// The artifact as given.
        artifact: PathBuf,
        /// The work tree of that repository.
        repository: PathBuf,
    },
    /// An artifact without a file name.
    NoMemberName {
        /// The artifact as given.
        artifact: PathBuf,
    },
    /// An empty directory that was to be attached.
    AttachEmpty {
        /// The directory as given.
        path: PathBuf,
    },
    /// A glob that narrows a scope and cannot be used.
    BadFilter {
        /// What is wrong with it.
        problem: String,
    },
    /// Globs that leave nothing of a scope.
    FilterTakesNothing {
        /// The scope.
        scope: String,
    },
    /// A budget of tokens for a pack whose texts are not split.
    NotSplit,
    /// A budget of tokens that is too small or too large.
    BadBudget {
        /// The budget.
        found: u64,
        /// The least that is possible.
        least: u64,
        /// The most that is possible.
        most: u64,
    },
    /// Parts other than the one text, where only that can be written.
    OnlyFullToStream,
    /// A pack whose texts are not split, where the parts are needed.
    NoSplit {
        /// The pack.
        pack: PathBuf,
    },
    /// A glob of members to fetch that is not valid.
    OnlyBadGlob {
        /// What is wrong with it.
        problem: String,
    },
    /// A glob of members to fetch that matches no member.
    OnlyNothing {
        /// The glob.
        glob: String,
    },
    /// An archive whose name promises another format.
    ArchiveNamed {
        /// The output as given.
        output: PathBuf,
    },
    /// A glob that cannot be read.
    AttachBadGlob {
        /// The path with the glob as given.
        path: PathBuf,
        /// What its parser said.
        problem: String,
    },
    /// A glob that matches nothing.
    AttachNothing {
        /// The path with the glob as given.
        path: PathBuf,
        /// The directory where nothing matches.
        directory: PathBuf,
    },
    /// A file outside the work tree that was to be attached.
    AttachOutside {
        /// The path as given.
        path: PathBuf,
        /// The work tree.
        work_tree: PathBuf,
    },
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments { problem, .. } => f.write_str(problem),
            Self::NoLedger => {
                f.write_str("HOME is not an absolute path, so git-pack has no place for the witness ledger")
            }
            Self::NoPlaceForManual => f.write_str(
                "neither HOME nor XDG_DATA_HOME is an absolute path, so git-pack has no place for the manual pages",
            ),
            Self::OtherManual { path } => write!(f, "{} exists, and git-pack did not write it", shown_path(path)),
            Self::NoPlaceForIdentity => f.write_str(
                "neither HOME nor XDG_CONFIG_HOME is an absolute path, so git-pack has no place for an identity",
            ),
            Self::UnknownScope {
                scope,
                origin,
                known,
                similar,
            } => {
                write!(f, "there is no scope {scope:?} in {origin}; ")?;
                if let Some(similar) = similar {
                    write!(f, "did you mean {similar}? ")?;
                }
                write!(f, "its scopes are {}", known.join(", "))
            }
            Self::UnknownRun { run } => write!(f, "there is no run {run} here"),
            Self::BadFilter { problem } | Self::OnlyBadGlob { problem } => f.write_str(problem),
            Self::FilterTakesNothing { scope } => {
                write!(f, "no file of the scope {scope} is included and not excluded")
            }
            Self::NotSplit => f.write_str("the pack does not split its texts, so they have no budget of tokens"),
            Self::BadBudget { found, least, most } => {
                write!(f, "expected a number of tokens from {least} to {most}, found {found}")
            }
            Self::OnlyFullToStream => f.write_str("only the one text of all files can be written to a stream"),
            Self::NoSplit { pack } => {
                write!(f, "{} has no texts under SPLIT/", pack.display())
            }
            Self::BadContentRef { found } => {
                write!(f, "expected sha256: and 64 lowercase hex digits, found {found:?}")
            }
            Self::ArchiveNamed { output } => write!(
                f,
                "an archive is a tar file compressed with zstd, but {} is named like another format",
                output.display()
            ),
            Self::OnlyNothing { glob } => write!(f, "{glob:?} matches no member of the pack"),
            Self::NotInStore { content } => write!(f, "{content} is not in the content store"),
            Self::NoTerminal => f.write_str("there is no terminal to ask for a passphrase"),
            Self::EmptyPassphrase => f.write_str("the new passphrase is empty"),
            Self::PassphrasesDiffer => f.write_str("the two passphrases differ"),
            Self::PassphraseFile { file, fault } => write!(f, "{}: {fault}", file.display()),
            Self::SecretAsRecipient => f.write_str("this is a secret key, not a recipient"),
            Self::UnmergedTwins { plain } if plain.is_empty() => f.write_str("no sealed twin is unmerged"),
            Self::UnmergedTwins { plain } => write!(f, "several sealed twins are unmerged: {}", plain.join(", ")),
            Self::UnknownRecipient { recipient } => write!(f, "{recipient} is not a recipient in .gitpack.toml"),
            Self::BadRecipient { text, fault } => write!(f, "recipient {text:?}: {fault}"),
            Self::NoConfiguration => f.write_str("there is no .gitpack.toml here"),
            Self::BadBaseline { file, problem } => write!(
                f,
                "{}: expected the JSON of an earlier scan (pack.scan.v0): {problem}",
                shown_path(file)
            ),
            Self::BadAllowFile { path, problem } => write!(f, "{}: {problem}", shown_path(path)),
            Self::OtherAllowFile { wanted, named } => {
                let (wanted, named) = (shown(wanted.as_bytes()), shown(named.as_bytes()));
                write!(f, "{wanted}: allow_file in .gitpack.toml names {named}")
            }
            Self::BadHookInput { hook, problem } => write!(f, "{hook}: {problem}"),
            Self::NotAFile { path } => write!(f, "{}: expected a file", path.display()),
            Self::OutsideWorkTree { path } => write!(f, "{} is outside this work tree", path.display()),
            Self::SealedAlready { file } => write!(f, "{} is already a sealed twin", file.display()),
            Self::GitsOwn { path } => write!(f, "{path} belongs to git itself"),
            Self::ReadInPlaintext { path } => {
                write!(f, "git or git-pack reads {path}, so it must stay in plaintext")
            }
            Self::InAnotherRepository { path, repository, .. } => {
                write!(f, "{path} is in another repository, {}", repository.display())
            }
            Self::RunOutput { path } => write!(
                f,
                "{path} is a run output; run outputs are never tracked, not even sealed"
            ),
            Self::UnknownRemote { remote, similar, .. } => {
                write!(f, "there is no remote {}", shown(remote.as_bytes()))?;
                match similar {
                    Some(similar) => write!(f, "; did you mean {}?", shown(similar.as_bytes())),
                    None => Ok(()),
                }
            }
            Self::BadRange { range } => write!(f, "expected a range such as A..B, found {range}"),
            Self::NotBare => f.write_str("server hooks need a bare repository, but this one has a work tree"),
            Self::Bare => f.write_str("these hooks guard a work tree, but this repository is bare"),
            Self::ManyForOneStream { artifacts } => {
                write!(f, "one stream takes one artifact, but {artifacts} are selected")
            }
            Self::UnknownArtifact { pack, path } => write!(f, "{} has no sealed artifact {path}", pack.display()),
            Self::NothingSealed { pack } => write!(f, "{} has no sealed artifacts", pack.display()),
            Self::NoState { pack, document } => write!(
                f,
                "{} has no readable {document} to compare with a commit",
                pack.display()
            ),
            Self::NotOfCommit { pack } => write!(
                f,
                "{} is not a pack of a commit, so it has no tree to restore",
                pack.display()
            ),
            Self::NoTexts { pack } => write!(f, "{} has no member under FULL/ to restore from", pack.display()),
            Self::OnlyTexts => f.write_str("texts are restored from a pack or one of its files; they are never sealed"),
            Self::UnknownRunOfManifest => f.write_str(
                "this clone does not have the run that made this manifest, so git-pack cannot open its ciphertexts",
            ),
            Self::NoOutput => f.write_str("no output directory is given"),
            Self::NoDefaultOutput => f.write_str("a bare repository has no default output"),
            Self::UnnamedOutput { output } => {
                write!(f, "{}: expected the name of a directory", output.display())
            }
            Self::OutputInPack { output } | Self::RekeyedIntoItself { output } => {
                write!(f, "{} is inside the pack itself", output.display())
            }
            Self::OutputInGit { output } => write!(f, "{} is inside git's own directory", output.display()),
            Self::OutputTracked { output } => write!(
                f,
                "{} is in a work tree, where git could track the opened files",
                output.display()
            ),
            Self::DateOutOfRange { seconds } => {
                write!(f, "the commit's date ({seconds} s) cannot be written as RFC 3339")
            }
            Self::NotReleasable { path, cause, class } => {
                write!(f, "{path}: rule {cause} of class {class} protects it")
            }
            Self::NotInPack { path } => write!(f, "{}: the pack would not have this file", path.display()),
            Self::NothingWouldBeSealed { option } => {
                write!(f, "{option}: no .gitpack.toml applies here, so nothing would be sealed")
            }
            Self::OfTreePack { option } => write!(
                f,
                "{option} is only for tree packs, but naming artifacts makes an evidence pack"
            ),
            Self::OtherRules { artifact, repository } => write!(
                f,
                "{} belongs to the repository {}, whose own .gitpack.toml decides what is sealed",
                artifact.display(),
                repository.display()
            ),
            Self::NoMemberName { artifact } => {
                write!(f, "{} has no file name to be sealed under", artifact.display())
            }
            Self::AttachEmpty { path } => write!(f, "{} contains no files", path.display()),
            Self::AttachBadGlob { path, problem } => write!(f, "{}: {problem}", path.display()),
            Self::AttachNothing { path, directory } => {
                write!(f, "{} matches nothing in {}", path.display(), directory.display())
            }
            Self::AttachOutside { path, work_tree } => {
                write!(f, "{} is outside the work tree {}", path.display(), work_tree.display())
            }
        }
    }
}
