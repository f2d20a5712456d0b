//! Misuse, in words that name no flag.

use std::fmt;

use crate::refusal::shown::{shown, shown_path};
use crate::refusal::usage::Misuse;

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
            Self::OutputIsStream => f.write_str("this output does not go to standard output; - is the name ./- here"),
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
