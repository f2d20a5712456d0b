//! Usage errors in terms of the command line: which flag is wrong, and which command was probably meant.

use crate::cli::output::refusal::keys;
use crate::cli::output::words::argument;
use crate::refusal::Refusal;
use crate::refusal::keys::PassphraseFault;
use crate::refusal::seal_option::SealOption;
use crate::refusal::usage::Misuse;

/// Refuses arguments that only the command line knows.
pub(crate) fn misused(problem: impl Into<String>) -> Refusal {
    Refusal::Usage(Misuse::Arguments {
        problem: problem.into(),
        next: None,
    })
}

/// Like [`misused`], with the command that was probably meant.
pub(crate) fn misused_for(problem: String, next: &str) -> Refusal {
    Refusal::Usage(Misuse::Arguments {
        problem,
        next: Some(next.to_owned()),
    })
}

/// Returns what is wrong, with the flag to which it belongs and, where that fits in a few words, what to give instead.
pub(super) fn problem(misuse: &Misuse) -> String {
    match misuse {
        Misuse::NotInStore { .. } => {
            format!("{misuse}; pins do not apply to committed files, which a branch or tag keeps")
        }
        Misuse::NoTerminal => "--passphrase: there is no terminal to ask at; use --passphrase-file".into(),
        Misuse::EmptyPassphrase => "--passphrase: the passphrase is empty".into(),
        Misuse::PassphrasesDiffer => "--passphrase: the two passphrases differ".into(),
        Misuse::PassphraseFile {
            file,
            fault: PassphraseFault::Unfit(fault),
        } => format!("--passphrase-file {}: {}", file.display(), keys::secret(fault)),
        Misuse::PassphraseFile { .. } => format!("--passphrase-file {misuse}"),
        Misuse::BadRecipient { text, fault } => format!("recipient {text:?}: {}", keys::recipient(fault)),
        Misuse::UnknownRemote { is_place: false, .. } => format!("--remote: {misuse}"),
        Misuse::BadRange { range } => {
            format!("--range {range}: expected two revisions with two dots in between, A..B")
        }
        Misuse::ArchiveNamed { .. } => format!("--output: {misuse}; name it .tar.zst"),
        Misuse::OnlyNothing { .. } => format!("--only {misuse}; git pack inspect lists the members"),
        Misuse::BadBaseline { .. } => format!("--baseline {misuse}"),
        Misuse::BadAllowFile { .. } => format!("--write-allow {misuse}"),
        Misuse::OtherAllowFile { .. } => {
            format!("--write-allow {misuse}; leave the file out, or move the entries to one file")
        }
        Misuse::NotBare => "--server is for bare repositories, but this one has a work tree".into(),
        Misuse::ManyForOneStream { artifacts } => {
            format!("--stdout takes one artifact, but {artifacts} match: name one")
        }
        Misuse::NoState { .. } => format!("--rev: {misuse}"),
        Misuse::OnlyTexts => {
            "--from-full takes a pack or its member under FULL/, and --from-split a pack; neither takes an identity, because texts are never sealed"
                .into()
        }
        Misuse::BadFilter { .. } | Misuse::FilterTakesNothing { .. } => format!("--include, --exclude: {misuse}"),
        Misuse::UnmergedTwins { plain } if !plain.is_empty() => format!("{misuse}; name the files"),
        Misuse::NotSplit => format!("--max-tokens: {misuse}: add --emit split"),
        Misuse::BadBudget { .. } => format!("--max-tokens: {misuse}"),
        Misuse::OnlyFullToStream => format!("--stdout: {misuse}: use it with --emit full"),
        Misuse::NoSplit { .. } => format!("--from-split: {misuse}"),
        Misuse::UnknownRunOfManifest => format!("--identity: {misuse}: restore from its pack instead"),
        Misuse::NoOutput => "--output is missing: name a directory for the files".into(),
        Misuse::NoDefaultOutput => format!("{misuse}: choose one with --output"),
        Misuse::UnnamedOutput { .. } | Misuse::RekeyedIntoItself { .. } => format!("--output {misuse}"),
        Misuse::OutputTracked { .. } => format!("{misuse}: use a directory outside it, or one that git ignores"),
        Misuse::NotReleasable { .. } => format!(
            "--plaintext {misuse}; --plaintext releases only private keys, fake seals and renamed copies of protected files"
        ),
        Misuse::NotInPack { .. } => format!("--plaintext {misuse}"),
        Misuse::NothingWouldBeSealed { option } => {
            let flag = flag(*option);
            format!("{flag}: no .gitpack.toml applies here, so nothing would be sealed")
        }
        Misuse::OfTreePack { option } => {
            let flag = flag(*option);
            let quoting = match option {
                SealOption::Attach => "; quote a glob, so that the shell does not expand it",
                _ => "",
            };
            format!("{flag} applies to tree packs, but named artifacts make an evidence pack{quoting}")
        }
        Misuse::AttachEmpty { .. }
        | Misuse::AttachBadGlob { .. }
        | Misuse::AttachNothing { .. }
        | Misuse::AttachOutside { .. } => format!("--attach {misuse}"),
        other => other.to_string(),
    }
}

/// Returns the command that does what was probably meant.
pub(super) fn next(misuse: &Misuse) -> Option<String> {
    let next = match misuse {
        Misuse::Arguments { next, .. } => return next.clone(),
        Misuse::NoLedger => "EPISTEMIC_WITNESS=/path/to/witness.jsonl git pack witness query",
        Misuse::NoPlaceForManual => "git pack man --install /path/to/man",
        Misuse::NoPlaceForIdentity => "GIT_PACK_IDENTITY=/path/to/identity.txt git pack init",
        Misuse::UnknownRun { .. } => "git pack audit",
        Misuse::UnknownRecipient { .. } => "git pack recipients list",
        Misuse::NoConfiguration | Misuse::NotBare | Misuse::NothingWouldBeSealed { .. } => "git pack init",
        Misuse::SealedAlready { file } => {
            return Some(format!(
                "git pack reveal {}",
                argument(file.as_os_str().as_encoded_bytes())
            ));
        }
        Misuse::InAnotherRepository { repository, below, .. } => {
            return Some(format!(
                "git -C {} pack protect {}",
                argument(repository.as_os_str().as_encoded_bytes()),
                argument(below.as_os_str().as_encoded_bytes())
            ));
        }
        Misuse::UnknownRemote { .. } => "git remote",
        Misuse::BadRange { .. } => "git pack scan --range HEAD~1..HEAD",
        Misuse::Bare => "git pack init --server",
        Misuse::UnknownArtifact { pack, .. } => {
            return Some(format!(
                "git pack inspect {}",
                argument(pack.as_os_str().as_encoded_bytes())
            ));
        }
        Misuse::NoTexts { .. } => "git pack seal --emit repo,full",
        Misuse::NotSplit => "git pack seal --emit split --max-tokens 100000",
        Misuse::OnlyFullToStream => "git pack seal --emit full --stdout",
        Misuse::NoSplit { .. } => "git pack seal --emit repo,split",
        Misuse::OtherRules { repository, .. } => {
            return Some(format!("cd {}", argument(repository.as_os_str().as_encoded_bytes())));
        }
        _ => return None,
    };
    Some(next.to_owned())
}

/// Returns the flag of an option.
pub(crate) fn flag(option: SealOption) -> &'static str {
    match option {
        SealOption::Scope => "--scope",
        SealOption::Attach => "--attach",
        SealOption::Emit => "--emit",
        SealOption::Include => "--include",
        SealOption::Exclude => "--exclude",
        SealOption::MaxTokens => "--max-tokens",
        SealOption::Recipient => "--recipient",
        SealOption::RecipientsFile => "--recipients-file",
        SealOption::OpaqueNames => "--opaque-names",
        SealOption::Pad => "--pad",
        SealOption::Fresh => "--fresh",
        SealOption::Reuse => "--reuse",
        SealOption::Internal => "--mode internal",
    }
}
