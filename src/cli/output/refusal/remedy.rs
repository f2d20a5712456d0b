//! What to do about a refusal.

use crate::cli::env;
use crate::cli::output::refusal::keys::missing_identity;
use crate::cli::output::refusal::outside::{signing, transport};
use crate::cli::output::refusal::usage;
use crate::cli::output::words::{argument, pathspec, quoted};
use crate::format::destination::PlaceAddress;
use crate::refusal::agent::{AgentFault, CyclesFault};
use crate::refusal::archive::ArchiveFault;
use crate::refusal::corrupt::Corrupt;
use crate::refusal::keys::{CipherFault, IdentityFault, RecipientsElsewhere, SecretFault};
use crate::refusal::pack::PackFault;
use crate::refusal::private_file::PrivateFault;
use crate::refusal::transport::{DestinationFault, TransportFault};
use crate::refusal::twin::{MergeFault, NotOneFile, TwinConflict};
use crate::refusal::unsupported::{SharedScope, Unsupported};
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{CommitHere, Refusal};

/// The kinds of places for packs.
const PLACES: &str = "oci://<host>/<repository>, s3://<bucket>/<prefix>, gs://…, az://…, file:///<directory>, git:<remote>, https://<host>/<path>";

/// What to do about an age file that git checked out as text.
const RESTORE: &str =
    "add the line *.age -text to .gitattributes, delete the file, and restore it: git checkout -- <file>";

/// What to do about an age file that git took in as text.
const SEAL_AGAIN: &str = "take an older version of the file from git, or seal the plaintext again, with the line *.age -text in .gitattributes";

/// Returns what to do about a pair that a merge is about.
fn merge(plain: &[u8], sealed: &[u8], fault: MergeFault) -> (Option<String>, Option<String>) {
    let (plain, sealed) = (argument(plain), pathspec(sealed));
    let git = env::git_at_top();
    let settle = format!("{git} pack protect --resolved {plain}");
    let keep = |side: &str| {
        format!("to keep it: {git} pack reveal {side} {plain}, then {settle}; to delete it: {git} rm -- {sealed}")
    };
    let hint = match fault {
        MergeFault::Twin => {
            format!(
                "{git} pack reveal --merge {plain} joins both sides in {plain}, --ours or --theirs opens one; then {settle}"
            )
        }
        MergeFault::DeletedByUs => keep("--theirs"),
        MergeFault::DeletedByThem => keep("--ours"),
        MergeFault::Plain => format!(
            "{git} pack reveal --merge {plain} joins it with its twin, or bring it into its final form; then {settle}"
        ),
        MergeFault::PlainOfOneSide => format!(
            "{git} pack reveal --merge {plain} joins it with its twin; then {settle}; to drop the changes in the twin, add --force"
        ),
        MergeFault::NotText => {
            format!("{git} pack reveal --ours {plain}, or --theirs, opens a side as {plain}; then {settle}")
        }
        MergeFault::Markers => format!("edit {plain}, then {settle}; if the markers belong there, add --force"),
        MergeFault::NoSides => return (Some(format!("{git} pack reveal {plain}")), None),
    };
    (None, Some(hint))
}

/// Returns the command that fixes it, or what to do.
pub(super) fn remedy(refusal: &Refusal) -> (Option<String>, Option<String>) {
    let next = |command: &str| (Some(command.to_owned()), None);
    let hint = |text: &str| (None, Some(text.to_owned()));
    match refusal {
        Refusal::TwinDiffers { plain, conflict, .. } => match conflict {
            TwinConflict::SealedChanged => next(&format!("{} pack reveal {}", env::git_at_top(), argument(plain))),
            TwinConflict::PlainChanged => next(&format!("{} pack protect {}", env::git_at_top(), argument(plain))),
            TwinConflict::SealedDiffers
            | TwinConflict::SealedUnknown
            | TwinConflict::PlainDiffers
            | TwinConflict::PlainUnknown => hint(&format!(
                "move one of them away, or, to overwrite it, {}",
                env::invocation_with("--force")
            )),
        },
        Refusal::NotOneFile { path, fault } => (None, Some(files_below(path, *fault))),
        Refusal::Merge { plain, sealed, fault } => merge(plain, sealed, *fault),
        Refusal::ThroughLink { link, .. } => (
            None,
            Some(format!(
                "rm {}    (git pack does not write through links of a repository), or name the path that it points to",
                argument(link.as_os_str().as_encoded_bytes())
            )),
        ),
        Refusal::Armoured { .. } => (Some(env::invocation_with("--reencrypt")), None),
        Refusal::OutputExists { replaceable: true, .. } => (Some(env::invocation_with("--replace")), None),
        Refusal::OutputExists { replaceable: false, .. } => hint("--output <another path>"),
        Refusal::HasOtherSeals { .. } => hint(
            "keep both: --output <another directory>, or seal with the same --attach again; --replace would drop what only the pack \
             there holds",
        ),
        Refusal::NoDestination => hint(
            "name the place, or set it: git config gitpack.remote oci://<host>/<repository>, or PACK_DATA_FABRIC_BASE_URL",
        ),
        Refusal::InternalPack { .. } => hint(
            "send it to a place that private_remotes in .gitpack.toml names, or seal the pack without --mode internal",
        ),
        Refusal::Transport {
            place,
            fault: TransportFault::NotFound { .. },
        } if PlaceAddress::is_address(place) => (
            None,
            Some(format!(
                "git pack list {}    (shows the packs there, by their ids)",
                argument(place.as_bytes())
            )),
        ),
        Refusal::Transport { fault, .. } => (None, transport(fault)),
        Refusal::Agent { fault, .. } => agent(fault),
        Refusal::Signing { fault, .. } => (None, signing(fault)),
        Refusal::BadDestination {
            fault: DestinationFault::TwoPlaces,
            ..
        } => hint("leave out --from, or name only the id of the pack"),
        Refusal::BadDestination {
            text,
            fault: DestinationFault::Ambiguous { .. },
        } => next(&format!("git pack list {}", argument(text.as_bytes()))),
        Refusal::BadDestination {
            text,
            fault: DestinationFault::Scheme,
        } if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) => {
            hint(&format!("git:{text}, if {text} is a remote of git; or {PLACES}"))
        }
        Refusal::BadDestination { .. } => hint(PLACES),
        Refusal::Empty => hint("git pack seal <file or directory>…, or run it in a repository to seal its commit"),
        Refusal::Usage(misuse) => (usage::next(misuse), None),
        Refusal::NotARepository { .. } => hint("run it inside a repository, or create one with git init"),
        Refusal::NotYours { path, .. } => hint(&format!(
            "if you trust its owner: git config --global --add safe.directory {}",
            quoted(path.as_os_str().as_encoded_bytes())
        )),
        Refusal::Planted { path, .. } => next(&format!("rm {}", argument(path.as_os_str().as_encoded_bytes()))),
        Refusal::NoCommit => hint("git commit"),
        Refusal::BadRevision { .. } => hint("git log --oneline --all"),
        Refusal::CutHistory { .. } => (
            Some("git fetch --unshallow".into()),
            Some("git fetch --unshallow, or add --shallow to scan only the history that is here".into()),
        ),
        Refusal::MissingObject { .. } => next("git fetch --refetch --no-filter"),
        Refusal::MissingContent { sealed: 1.., .. } => hint(
            "restore from a pack that has them, or name a place that holds such a pack: --from PLACE. Ciphertexts are in packs and \
             in the clone that sealed them, never in git",
        ),
        Refusal::MissingContent {
            here: CommitHere::Whole,
            ..
        } => next("git fetch --refetch --no-filter"),
        Refusal::MissingContent {
            here: CommitHere::NoClone,
            ..
        } => hint(
            "this pack lists contents that it does not hold: name a place that holds a pack of the commit, --from PLACE, such as \
             --from oci://HOST/REPOSITORY, or run it in a clone of the repository",
        ),
        Refusal::MissingContent { .. } => hint(
            "run it in a clone that has the commit, fetch the commit (git fetch), or name a place that holds a pack of it: \
             --from PLACE",
        ),
        Refusal::Collision {
            as_ciphertext: true, ..
        } => hint("add --identity FILE: it opens sealed files, so that each is restored under its own path"),
        Refusal::Collision { .. } => hint("leave out --identity: sealed files are then restored as .age files"),
        Refusal::NoManifest { .. } => hint(
            "restore from a pack, or in the clone that sealed it: LITE/RUN_REFS.json in the pack has the ref as manifest_ref",
        ),
        Refusal::BadManifest { .. } => {
            hint("use another pack or manifest of the commit, such as a new one: git pack seal --emit lite")
        }
        Refusal::NoRecipients {
            elsewhere: RecipientsElsewhere::Uncommitted,
            ..
        } => next(&env::at_top(
            "git add .gitpack.toml && git commit -m 'Add .gitpack.toml'",
        )),
        Refusal::NoRecipients {
            elsewhere: RecipientsElsewhere::OtherCommit,
            ..
        } => next(&format!(
            "git pack recipients list >../recipients && {}",
            env::invocation_with("-R ../recipients")
        )),
        Refusal::NoRecipients {
            elsewhere: RecipientsElsewhere::Unnamed,
            ..
        } => (
            Some("git pack recipients add \"$(git pack key public)\"".into()),
            Some(
                "git pack recipients add \"$(git pack key public)\"    (your own key; git pack key generate makes one), or \
                 --recipient age1…"
                    .into(),
            ),
        ),
        Refusal::NoRecipients { .. } => (
            Some("git pack init".into()),
            Some(
                "git pack init; or, if another branch has a .gitpack.toml, git checkout <branch> -- .gitpack.toml; or --recipient age1…"
                    .into(),
            ),
        ),
        Refusal::NoIdentity {
            fault: IdentityFault::Missing(by),
            ..
        } => missing_identity(*by),
        Refusal::NoIdentity { .. } => (None, None),
        Refusal::NoneOpens { tried, .. } if tried.is_empty() => hint(
            "name the file of your key: --identity FILE; git pack key list shows where git-pack looks for one. If you have none \
             yet: git pack key generate, and have its recipient added",
        ),
        Refusal::NoneOpens { .. } => hint(
            "use another identity file or SSH key: --identity FILE; or have your recipient added by somebody who can open it: \
             git pack key public prints it",
        ),
        Refusal::PlaintextLeak {
            plain,
            may_be_named,
            entry,
            ..
        } => (None, Some(leak(plain, *may_be_named, entry.as_deref()))),
        Refusal::KeyInPublicText { .. } => hint(
            "leave the key out; if it was a mistake for something else, treat the key as seen: the shell remembers commands",
        ),
        Refusal::ChangedWhileRead { .. } => hint("run it again when nothing writes to the file"),
        Refusal::Limit { scope, .. } => (
            None,
            Some(format!(
                "leave entries out with exclude, or raise the limit, in [scope.{scope}] of .gitpack.toml, and commit it"
            )),
        ),
        Refusal::TooLong { .. } => hint("seal less at once: a smaller scope, or fewer artifacts"),
        Refusal::Budget { bound, allowed } => {
            let more = allowed.map_or("1g".into(), |allowed| allowed.saturating_mul(10).to_string());
            let key = bound.key();
            hint(&format!(
                "if this size is intended, raise the bound where the check runs: git config {key} {more}"
            ))
        }
        Refusal::Corrupt(corrupt) => (None, Some(mending(corrupt))),
        Refusal::Unsupported(unsupported) => (None, Some(way_out(unsupported))),
        Refusal::HookManager { .. } => (
            Some("git pack install --force".into()),
            Some("or install chained hooks anyway: git pack install --force".into()),
        ),
        Refusal::Audit { run, directory, .. } => (
            Some(format!("git pack audit --run {run}")),
            Some(format!(
                "git pack audit --run {run} lists what is wrong; to seal again: rm -r {} && git pack seal",
                argument(directory.as_os_str().as_encoded_bytes())
            )),
        ),
        Refusal::NotSound { path, .. } => (
            Some(format!(
                "git pack verify {}",
                argument(path.as_os_str().as_encoded_bytes())
            )),
            None,
        ),
        Refusal::BadPack {
            path,
            fault: PackFault::IsArchive,
        } => (
            None,
            Some(format!(
                "git pack pull {} -o <directory>, then git pack rekey <directory>",
                argument(path.as_os_str().as_encoded_bytes())
            )),
        ),
        Refusal::BadPack {
            fault: PackFault::Archive { fault },
            ..
        } => hint(archive(fault)),
        Refusal::BadPack {
            fault: PackFault::Missing | PackFault::NotADirectory | PackFault::NoManifest,
            ..
        } => hint(
            "name the directory of a pack, its archive or its address; in a repository, git pack list shows its packs",
        ),
        Refusal::BadPack { .. } => hint("seal it again, or get a new copy of it"),
        Refusal::Duplicate { .. } | Refusal::ReservedPath { .. } => {
            hint("rename one of them, or seal them in two packs")
        }
        Refusal::UnsafePath { .. } => hint("rename it, or leave it out"),
        Refusal::Crypto {
            fault: CipherFault::LineEnds,
            ..
        } => hint(RESTORE),
        Refusal::Crypto {
            fault: CipherFault::LostReturns,
            ..
        } => hint(SEAL_AGAIN),
        Refusal::NoWorkTree {
            action: WorkTreeUse::Init,
        } => next("git pack init --server"),
        Refusal::NoWorkTree { .. }
        | Refusal::Io { .. }
        | Refusal::KeyExists { .. }
        | Refusal::NotRegular { .. }
        | Refusal::BadConfig { .. }
        | Refusal::Locked { .. }
        | Refusal::Crypto { .. } => (None, None),
    }
}

/// Returns how to seal the files for which a name stands.
fn files_below(path: &std::path::Path, fault: NotOneFile) -> String {
    let name = path.as_os_str().as_encoded_bytes();
    match fault {
        NotOneFile::Directory => {
            let directory = argument(name.strip_suffix(b"/").unwrap_or(name));
            format!(
                "git pack protect {directory}/*, or protect all that is below by its name: paths = [\"<directory>/**\"] in .gitpack.toml  \
                 (git pack help rules)"
            )
        }
        NotOneFile::Glob => {
            "give the glob to the shell without quotes, or name the files: git pack protect <file>…".to_owned()
        }
    }
}

/// Returns what to do about a plaintext in a pack that would give something away.
fn leak(plain: &str, may_be_named: bool, entry: Option<&str>) -> String {
    let out = match entry {
        Some(path) => format!("leave it out: --exclude {}", quoted(glob_of(path).as_bytes())),
        None => "leave it out".to_owned(),
    };
    match may_be_named {
        true => format!(
            "{out}, or, if anyone may read it, add --plaintext {}",
            quoted(plain.as_bytes())
        ),
        false => format!("{out}, or protect it with a [[protect]] rule in .gitpack.toml"),
    }
}

/// Returns the glob that matches only this path, and what is below it.
fn glob_of(path: &str) -> String {
    let escaped = path.chars().flat_map(|c| {
        let escape = matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\').then_some('\\');
        escape.into_iter().chain([c])
    });
    ['/'].into_iter().chain(escaped).collect()
}

/// Returns what to do about a file that is not an archive that is read.
fn archive(fault: &ArchiveFault) -> &'static str {
    match fault {
        ArchiveFault::PlainTar => {
            "unpack it with tar -xf, name the directory, and let git pack archive write the file next time"
        }
        ArchiveFault::NotAnArchive => "name the directory of a pack, or a file that git pack archive wrote",
        _ => "get a new copy of it from somebody whom you trust",
    }
}

/// Returns how to repair damage.
fn mending(corrupt: &Corrupt) -> String {
    match corrupt {
        Corrupt::Object { .. } | Corrupt::ObjectFile { .. } => "git fsck".into(),
        Corrupt::Stored { in_the_way: None, .. } => {
            "git pack audit    (lists everything that is missing or damaged)".into()
        }
        Corrupt::Stored {
            in_the_way: Some(file), ..
        } => format!(
            "git pack audit; then delete the damaged file, so that it can be stored again: rm -f {}",
            argument(file.as_os_str().as_encoded_bytes())
        ),
        Corrupt::Sealing { path } => format!(
            "rm {}.*    (the next seal encrypts the artifact again), or seal with --fresh",
            argument(path.with_extension("").as_os_str().as_encoded_bytes())
        ),
        Corrupt::Pins { .. } => "repair it by hand: it is a sorted JSON list of hashes".into(),
        Corrupt::Roots { .. } => "restore the file or, if the run is not needed, delete its directory".into(),
        Corrupt::NoRoots { store, .. } => format!(
            "restore gitpack/runs/ and GC_PINS.json, or run git pack seal; if the content is not needed, delete {}",
            store.display()
        ),
    }
}

/// Returns what to do where something cannot be read or changed.
fn way_out(unsupported: &Unsupported) -> String {
    let command = match unsupported {
        Unsupported::Tokens => "install a whole build: cargo install gitpack",
        Unsupported::Repository { .. }
        | Unsupported::Index { .. }
        | Unsupported::IndexMode { .. }
        | Unsupported::IndexUnchanged { .. } => "git status    (git may show the cause)",
        Unsupported::RefStorage { .. } => "git for-each-ref    (git may show the cause; a reftable needs git 2.45)",
        Unsupported::References { .. } | Unsupported::ObjectDirectories { .. } => "git fsck",
        Unsupported::ReferencesBelow { .. } => "git for-each-ref    (git may show the cause)",
        Unsupported::RunReferences { .. } => "git refs verify",
        Unsupported::RunReferenceUnwritable { .. } => "repeat the command when no other process of git works here",
        Unsupported::RunReferencesUnremovable { .. } => "git pack-refs    (git may show the cause)",
        Unsupported::ShallowList { .. } => "git fetch --unshallow",
        Unsupported::IgnoreConfig { .. } => "git status    (git may show the cause)",
        Unsupported::CommitsWith { .. } => "git rev-list --all    (git may show the cause)",
        Unsupported::GitConfig { .. } => "git config --local --list    (git may show the cause)",
        Unsupported::Merge { .. } => "git merge-file -h    (git may show the cause)",
        Unsupported::EmptyHooksPath { shared: None } => "git config --unset core.hooksPath",
        Unsupported::EmptyHooksPath {
            shared: Some(SharedScope::Global),
        } => "git config --global --unset core.hooksPath",
        Unsupported::EmptyHooksPath {
            shared: Some(SharedScope::System),
        } => "git config --system --unset core.hooksPath",
        Unsupported::HooksDirectory { .. } => "git rev-parse --git-path hooks",
        Unsupported::Canary { .. } => "git --version    (testing hooks needs 2.40 or newer)",
        Unsupported::ManyConfigurations { .. } => {
            "push the main branch first, by itself; or, for each other remote: git remote set-head <remote> --auto"
        }
        Unsupported::SharedHooks { removing: true, .. } => {
            "if no repository needs them any more, remove them for all: git pack uninstall --shared"
        }
        Unsupported::SharedHooks { removing: false, .. } => {
            "guard every repository: git pack install --shared; or only this one, without the shared hooks: git config \
             core.hooksPath \"$(git rev-parse --path-format=absolute --git-common-dir)/hooks\""
        }
        Unsupported::NotKept { .. } => {
            "leave out --strict to drop it, or put the artifacts into an archive and seal that"
        }
        Unsupported::TwoHooks { directory, hook } => {
            return format!(
                "keep the hook that should run and delete the other, such as: rm '{}'",
                directory.join(format!("{hook}.chained")).display()
            );
        }
        Unsupported::BinaryPath { .. } => "install it elsewhere",
    };
    command.to_owned()
}

/// Returns what to do about the agent store.
fn agent(fault: &AgentFault) -> (Option<String>, Option<String>) {
    let text = match fault {
        AgentFault::Genome(_) => "git pack agent verify lists everything that is wrong",
        AgentFault::Cycles(fault) => return (None, cycles(fault).map(str::to_owned)),
        AgentFault::Private(fault) => return (None, private_file(fault)),
    };
    (None, Some(text.to_owned()))
}

/// Returns what to do about cycles that cannot be appended or read.
fn cycles(fault: &CyclesFault) -> Option<&'static str> {
    let hint = match fault {
        CyclesFault::PartialCycle { .. } => "give whole cycles, of 24 bytes each",
        CyclesFault::NoNumbers { .. } => "append to another shard",
        CyclesFault::OtherSnapshot { .. } => "leave out --snapshot, or append to another shard",
        CyclesFault::OtherNames => "make it the only name: cp the file, and mv the copy to its place",
        CyclesFault::NoLock { .. } => "keep the store on a file system with locks (flock)",
        CyclesFault::NotTakenBack { .. } => "git pack agent verify tells what is there now",
        CyclesFault::Contended => "run it again",
        CyclesFault::NoShards | CyclesFault::NothingEarlier => {
            "name the directory that holds agency/g1_information, or a shard or a pack of it"
        }
        CyclesFault::SealedEarlier { .. } => "use an earlier copy of the store, or a pack that has it in plaintext",
        CyclesFault::WhichShard { .. } => "name the shard or the pack that it is compared with",
        CyclesFault::TwoEarlier { .. } => "seal one store at a time",
        CyclesFault::NoSuchShard => "git pack agent info lists the shards",
        CyclesFault::ManyShards { .. } => "--shard XX; git pack agent info lists the shards",
        CyclesFault::OutOfRange { .. } => "git pack agent info shows how many cycles a shard has",
        CyclesFault::Link => "name the file or the store that it points to",
        CyclesFault::SnapshotLength { .. } => return None,
    };
    Some(hint)
}

/// Returns what to do about a private file of an agent.
fn private_file(fault: &PrivateFault) -> Option<String> {
    let text = match fault {
        PrivateFault::OldVersion => "git pack agent migrate",
        PrivateFault::NotAge | PrivateFault::OtherHeader | PrivateFault::Flags(_) | PrivateFault::Reserved => {
            "take it from a backup, or encrypt it again"
        }
        PrivateFault::OtherKind { .. } => "give the file its own name again",
        PrivateFault::UnknownKind => "name its kind: --kind format, curriculum or session",
        PrivateFault::UnfitKey(SecretFault::ReadableByOthers { path, .. }) => {
            return Some(format!("chmod 600 {}", argument(path.as_os_str().as_encoded_bytes())));
        }
        PrivateFault::NotAStore => "name the directory that holds agents/, or one below agents/",
        _ => return None,
    };
    Some(text.to_owned())
}
