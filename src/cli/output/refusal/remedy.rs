//! What to do about a refusal.

use crate::cli::env;
use crate::cli::output::refusal::usage;
use crate::cli::output::words::quoted;
use crate::refusal::Refusal;
use crate::refusal::corrupt::Corrupt;
use crate::refusal::twin::TwinConflict;
use crate::refusal::unsupported::Unsupported;

/// Returns the command that would fix it, or else what to do.
pub(super) fn remedy(refusal: &Refusal) -> (Option<String>, Option<String>) {
    use std::os::unix::ffi::OsStrExt;
    let next = |command: &str| (Some(command.to_owned()), None);
    let hint = |text: &str| (None, Some(text.to_owned()));
    match refusal {
        Refusal::TwinDiffers { plain, conflict, .. } => match conflict {
            TwinConflict::SealedChanged => next(&format!("git pack reveal {plain}")),
            TwinConflict::PlainChanged => next(&format!("git pack protect {plain}")),
            TwinConflict::SealedDiffers
            | TwinConflict::SealedUnknown
            | TwinConflict::PlainDiffers
            | TwinConflict::PlainUnknown => hint(&format!(
                "set one of them aside, or, if it may go, {}",
                env::invocation_with("--force")
            )),
        },
        Refusal::ThroughLink { link, .. } => (
            None,
            Some(format!(
                "rm {}    (a repository must not say where else files are written), or name the place that it leads to",
                quoted(link.as_os_str().as_bytes())
            )),
        ),
        Refusal::Armoured { .. } => (Some(env::invocation_with("--reencrypt")), None),
        Refusal::OutputExists { replaceable: true, .. } => (Some(env::invocation_with("--replace")), None),
        Refusal::OutputExists { replaceable: false, .. } => hint("--output <another path>"),
        Refusal::Empty => hint("git pack seal <file or directory>…, or run it in a repository to seal its commit"),
        Refusal::Usage(misuse) => (usage::next(misuse), None),
        Refusal::NotARepository { .. } => hint("run it inside a repository, or make one with git init"),
        Refusal::NotYours { path, .. } => hint(&format!(
            "if you trust whoever can write there: git config --global --add safe.directory {}",
            quoted(path.as_os_str().as_encoded_bytes())
        )),
        Refusal::Planted { path, .. } => next(&format!("rm {}", quoted(path.as_os_str().as_encoded_bytes()))),
        Refusal::NoCommit => hint("git commit"),
        Refusal::BadRevision { .. } => hint("git log --oneline --all"),
        Refusal::CutHistory { .. } => (
            Some("git fetch --unshallow".into()),
            Some("git fetch --unshallow, or, where what is here will do, --shallow".into()),
        ),
        Refusal::MissingObject { .. } => next("git fetch --refetch --no-filter"),
        Refusal::MissingContent { sealed: 1.., .. } => {
            hint("a pack that has them: ciphertexts are in packs, and in the clone that sealed them, never in git")
        }
        Refusal::MissingContent { has_commit: true, .. } => next("git fetch --refetch --no-filter"),
        Refusal::MissingContent { .. } => hint("in a clone that has the commit, or fetch it: git fetch"),
        Refusal::Collision {
            as_ciphertext: true, ..
        } => hint("--identity FILE opens what is sealed, so that it comes to its own path"),
        Refusal::Collision { .. } => hint("without --identity, what is sealed is restored as ciphertext beside it"),
        Refusal::NoManifest { .. } => {
            hint("restore from a pack, or in the clone that sealed one: LITE/RUN_REFS.json names it as manifest_ref")
        }
        Refusal::BadManifest { .. } => hint("another pack or manifest of the commit: git pack seal --emit lite"),
        Refusal::NoRecipients { uncommitted: true, .. } => {
            next("git add .gitpack.toml && git commit -m 'Add .gitpack.toml'")
        }
        Refusal::NoRecipients { .. } => (
            Some("git pack init".into()),
            Some("git pack init, or git pack recipients add age1…, or --recipient age1…".into()),
        ),
        Refusal::NoneOpens { .. } => hint("--identity names another identity file, or an SSH key"),
        Refusal::PlaintextLeak {
            plain,
            may_be_named: true,
            ..
        } => (
            None,
            Some(format!(
                "leave it out, or, if everybody may have it, add --plaintext {}",
                quoted(plain.as_bytes())
            )),
        ),
        Refusal::PlaintextLeak { .. } => hint("leave it out, or protect it with a [[protect]] rule in .gitpack.toml"),
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
                "if it is meant to be so large, where it is judged: git config {key} {more}"
            ))
        }
        Refusal::Corrupt(corrupt) => (None, Some(mending(corrupt))),
        Refusal::Unsupported(unsupported) => (None, Some(way_out(unsupported))),
        Refusal::HookManager { .. } => (
            Some("git pack install --force".into()),
            Some("or chain them all the same: git pack install --force".into()),
        ),
        Refusal::Audit { run, directory, .. } => (
            Some(format!("git pack audit --run {run}")),
            Some(format!(
                "git pack audit --run {run}; then, to have the run recorded anew: rm -r {}",
                quoted(directory.as_os_str().as_bytes())
            )),
        ),
        Refusal::NotSound { path, .. } => (
            Some(format!("git pack verify {}", quoted(path.as_os_str().as_bytes()))),
            None,
        ),
        Refusal::BadPack { .. } => hint("seal it again, or fetch it again from where it came"),
        Refusal::Duplicate { .. } | Refusal::ReservedPath { .. } => {
            hint("rename one of them, or seal them in two packs")
        }
        Refusal::UnsafePath { .. } => hint("rename it, or leave it out"),
        Refusal::NoWorkTree { .. }
        | Refusal::Io { .. }
        | Refusal::KeyExists { .. }
        | Refusal::NotRegular { .. }
        | Refusal::BadConfig { .. }
        | Refusal::NoIdentity { .. }
        | Refusal::Locked { .. }
        | Refusal::Crypto { .. } => (None, None),
    }
}

/// Returns how damage is mended.
fn mending(corrupt: &Corrupt) -> String {
    match corrupt {
        Corrupt::Object { .. } | Corrupt::ObjectFile { .. } => "git fsck".into(),
        Corrupt::Stored { in_the_way: None, .. } => {
            "git pack audit    (lists everything that is missing or damaged)".into()
        }
        Corrupt::Stored {
            in_the_way: Some(file), ..
        } => format!("git pack audit; then, to have it stored anew: rm -f {}", file.display()),
        Corrupt::Sealing { path } => format!(
            "rm {}.*    (the artifact is then encrypted anew), or seal with --fresh",
            path.with_extension("").display()
        ),
        Corrupt::Pins { .. } => "mend it by hand: a JSON list of hashes, sorted".into(),
        Corrupt::Roots { .. } => "put it back as it was or, if the run is not needed, remove its directory".into(),
        Corrupt::NoRoots { store, .. } => format!(
            "put gitpack/runs/ and GC_PINS.json back where they were, or git pack seal; if nothing of it is needed, remove {}",
            store.display()
        ),
    }
}

/// Returns what to do where something cannot be read or changed.
fn way_out(unsupported: &Unsupported) -> String {
    let command = match unsupported {
        Unsupported::Repository { .. }
        | Unsupported::Index { .. }
        | Unsupported::IndexMode { .. }
        | Unsupported::IndexUnchanged { .. } => "git status    (git itself may say more)",
        Unsupported::RefStorage { .. } => "git refs migrate --ref-format=files",
        Unsupported::References { .. } | Unsupported::ObjectDirectories { .. } => "git fsck",
        Unsupported::ReferencesBelow { .. } => "git for-each-ref    (git itself may say more)",
        Unsupported::RunReferences { .. } => "git refs verify",
        Unsupported::RunReferenceUnwritable { .. } => {
            "git pack gc    (clears the lock of such a ref that a killed seal left)"
        }
        Unsupported::RunReferencesUnremovable { .. } => "git pack-refs    (git itself may say more)",
        Unsupported::ShallowList { .. } => "git fetch --unshallow",
        Unsupported::IgnoreConfig { .. } => "git status    (git itself may say more)",
        Unsupported::CommitsWith { .. } => "git rev-list --all    (git itself may say more)",
        Unsupported::GitConfig { .. } => "git config --local --list    (git itself may say more)",
        Unsupported::HooksDirectory { .. } => "git rev-parse --git-path hooks",
        Unsupported::Canary { .. } => "git --version    (hooks can be tried out since 2.40)",
        Unsupported::TreeReference { .. } => "point it at a commit that has this tree",
        Unsupported::BlobReference { blob, .. } => {
            return format!("if everybody may have it, add [[allow]] blob = \"{blob}\" to .gitpack.toml");
        }
        Unsupported::ManyConfigurations { .. } => "push the main branch first, by itself",
        Unsupported::TwoHooks { directory, hook } => {
            return format!(
                "decide which one of them is to run, and take the other away: rm '{}'",
                directory.join(format!("{hook}.chained")).display()
            );
        }
        Unsupported::BinaryPath { .. } => "install it elsewhere",
    };
    command.to_owned()
}
