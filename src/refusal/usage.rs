//! Misuse: flags, arguments and places that make no sense here.

use std::path::PathBuf;

use crate::refusal::keys::{PassphraseFault, RecipientFault};
use crate::refusal::seal_option::SealOption;

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
    /// A dash in the place of an output, which elsewhere stands for standard output.
    OutputIsStream,
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
