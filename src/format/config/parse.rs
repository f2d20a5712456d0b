//! Parses the text of a `.gitpack.toml`.

use std::collections::BTreeMap;

use toml::Spanned;

use crate::format::attachment::MAX_ATTACHMENTS;
use crate::format::config::lines::{Lines, text_of};
use crate::format::config::raw::{RawAllowFile, RawConfig, RawInPart, RawPack, RawPacks};
use crate::format::config::scope::{RawScope, Scope};
use crate::format::config::{Allow, Config, ConfigError, Located, limits, protect};
use crate::format::member_path::MemberPath;
use crate::format::remote_url::PrivatePlace;
use crate::format::tree_meta::Part;

/// The error for an attempt to call a remote private by its name.
const NO_NAMED_REMOTES: &str = "[remote.NAME] is not a valid key, because remote names differ between clones; \
    use private_remotes = [\"URL\"] at the top of the file";

impl Config {
    /// Parses the bytes of a `.gitpack.toml`.
    ///
    /// Unknown keys are errors: a misspelt rule must not look like one that protects something.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        let text = text_of(bytes)?;
        let lines = Lines::of(bytes);
        let raw: RawConfig = toml::from_str(text).map_err(|e| mistake(&e, &lines))?;
        limits::hold(&raw).map_err(|problem| ConfigError { line: None, problem })?;
        if *raw.version.get_ref() != 1 {
            let problem = format!("version: expected 1, found {}", raw.version.get_ref());
            return Err(lines.error(raw.version.span().start, problem));
        }
        let scopes = scopes(raw.scope, &lines)?;
        let emit = raw.pack.emit.as_ref().map(|parts| emit(parts, &lines)).transpose()?;
        let default_scope = default_scope(&raw.pack, &scopes, &lines)?;
        let protect = raw.protect.into_iter().map(|raw| protect::rule(raw, &lines));
        let protect = protect.collect::<Result<_, _>>()?;
        let allow = raw.allow.into_iter().map(|raw| protect::exception(raw, &lines));
        let allow = allow.collect::<Result<_, _>>()?;
        if let Some(remote) = raw.remote {
            return Err(lines.error(remote.span().start, NO_NAMED_REMOTES));
        }
        let private_remotes = raw.private_remotes.iter().map(|place| private_remote(place, &lines));
        let private_remotes = private_remotes.collect::<Result<_, _>>()?;
        let recipients_file = raw.seal.recipients_file;
        let recipients_file = recipients_file.map(|path| file_below("recipients_file", &path, &lines));
        let signers = raw.verify.signers.map(|path| file_below("signers", &path, &lines));
        let revoked = raw.verify.revoked.map(|path| file_below("revoked", &path, &lines));
        let allow_file = raw.allow_file.map(|path| file_below("allow_file", &path, &lines));
        Ok(Self {
            default_scope,
            emit,
            attach: raw.pack.attach.into_iter().map(|glob| lines.locate(glob)).collect(),
            canon_version_file: raw.pack.canon_version_file,
            scopes,
            protect,
            allow,
            allow_file: allow_file.transpose()?,
            recipients: raw.seal.recipients.into_iter().map(|r| lines.locate(r)).collect(),
            recipients_file: recipients_file.transpose()?,
            private_remotes,
            requires_published: raw.pack.require_published,
            blocks_in_part: raw.guard.in_part == RawInPart::Block,
            requires_signed: raw.guard.packs == RawPacks::Signed,
            signatures: signatures(raw.verify.signatures.as_ref(), &lines)?,
            signers: signers.transpose()?,
            revoked: revoked.transpose()?,
        })
    }
}

/// Parses the bytes of the file that `allow_file` names: `[[allow]]` entries and nothing else.
pub fn parse_allow_file(bytes: &[u8]) -> Result<Vec<Located<Allow>>, ConfigError> {
    let text = text_of(bytes)?;
    let lines = Lines::of(bytes);
    let raw: RawAllowFile = toml::from_str(text).map_err(|e| mistake(&e, &lines))?;
    raw.allow
        .into_iter()
        .map(|raw| protect::exception(raw, &lines))
        .collect()
}

fn mistake(error: &toml::de::Error, lines: &Lines) -> ConfigError {
    ConfigError {
        line: error.span().map(|span| lines.at(span.start)),
        problem: error.message().replace('\n', ", "),
    }
}

fn scopes(raw: BTreeMap<String, RawScope>, lines: &Lines) -> Result<BTreeMap<String, Scope>, ConfigError> {
    let read = |(key, scope): (String, RawScope)| {
        let scope = scope.read(&key, lines)?;
        Ok((key, scope))
    };
    raw.into_iter().map(read).collect()
}

fn emit(parts: &Spanned<Vec<Spanned<String>>>, lines: &Lines) -> Result<Vec<Part>, ConfigError> {
    let fail = |offset: usize, why: String| lines.error(offset, format!("emit: {why}"));
    let named = parts.get_ref().iter().map(|part| {
        let named = Part::parse(part.get_ref());
        named.map_err(|why| fail(part.span().start, why))
    });
    Part::set(named.collect::<Result<_, _>>()?).map_err(|why| fail(parts.span().start, why))
}

fn default_scope(
    pack: &RawPack,
    scopes: &BTreeMap<String, Scope>,
    lines: &Lines,
) -> Result<Option<String>, ConfigError> {
    let Some(scope) = &pack.scope else { return Ok(None) };
    let key = scope.get_ref();
    match key == "repo" || scopes.contains_key(key) {
        true => Ok(Some(key.clone())),
        false => {
            let problem = format!("pack.scope: expected a scope of this file, found {key:?}");
            Err(lines.error(scope.span().start, problem))
        }
    }
}

fn signatures(number: Option<&Spanned<i64>>, lines: &Lines) -> Result<usize, ConfigError> {
    let Some(number) = number else { return Ok(0) };
    let (offset, number) = (number.span().start, *number.get_ref());
    match usize::try_from(number).ok().filter(|number| *number <= MAX_ATTACHMENTS) {
        Some(number) => Ok(number),
        None => {
            let problem = format!("signatures: expected a number from 0 to {MAX_ATTACHMENTS}, found {number}");
            Err(lines.error(offset, problem))
        }
    }
}

fn private_remote(place: &Spanned<String>, lines: &Lines) -> Result<Located<PrivatePlace>, ConfigError> {
    let offset = place.span().start;
    let value = PrivatePlace::parse(place.get_ref()).map_err(|problem| lines.error(offset, problem))?;
    Ok(Located {
        value,
        line: lines.at(offset),
    })
}

fn file_below(key: &str, path: &Spanned<String>, lines: &Lines) -> Result<Located<MemberPath>, ConfigError> {
    let offset = path.span().start;
    let value = MemberPath::parse(path.get_ref()).map_err(|why| {
        let problem = format!("{key}: expected a path below the top of the repository: {why}");
        lines.error(offset, problem)
    })?;
    Ok(Located {
        value,
        line: lines.at(offset),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, line, expected) in [
            ("", 1, "missing field `version`"),
            ("version = 2\n", 1, "expected 1, found 2"),
            ("version = 1\n\n[pack]\nscopee = \"x\"\n", 4, "unknown field `scopee`"),
            (
                "version = 1\n[pack]\nscope = \"docs\"\n",
                3,
                "expected a scope of this file",
            ),
            (
                "version = 1\n[[protect]]\nclass = \"v\"\npaths = [\"*\"]\npolicy = \"nevr\"\n",
                5,
                "unknown variant `nevr`, expected one of",
            ),
            (
                "version = 1\n[[protect]]\nclass = \"pack-run\"\npaths = [\"*\"]\n",
                3,
                "a non-empty name other than",
            ),
            (
                "version = 1\n[[protect]]\nclass = \"v\"\npaths = []\n",
                2,
                "at least one glob",
            ),
            (
                "version = 1\n[[protect]]\nclass = \"v\"\nformats = [\"fais\"]\n",
                4,
                "unknown variant `fais`",
            ),
            (
                "version = 1\n[[protect]]\nclass = \"v\"\nformats = [\"private-key\"]\npolicy = \"allowed\"\n",
                4,
                "always protected",
            ),
            (
                "version = 1\n[[allow]]\nblob = \"main\"\nreason = \"x\"\n",
                3,
                "40 or 64 hex digits",
            ),
            (
                "version = 1\n[[allow]]\nblob = \"3b18e512dba79e4c8300dd08aeb37f8e728b8dad\"\nreason = \" \"\n",
                4,
                "why this blob may be public",
            ),
            ("version = 1\n[seal]\nrecipients = \"age1\"\n", 3, "expected a sequence"),
            (
                "version = 1\n[seal]\nrecipients_file = \"../keys\"\n",
                3,
                "a path below the top of the repository",
            ),
            (
                "version = 1\nallow_file = \".git/config\"\n",
                2,
                "allow_file: expected a path below the top of the repository",
            ),
            (
                "version = 1\nallow_file = \"/etc/x\"\n",
                2,
                "allow_file: expected a path",
            ),
            ("version = 1\nx = [\n", 2, "unclosed array"),
            (
                "version = 1\n[remote.origin]\nvisibility = \"private\"\n",
                2,
                "private_remotes = [\"URL\"]",
            ),
            (
                "version = 1\nprivate_remotes = [\n\"../x\"]\n",
                3,
                "expected a URL, but it is relative",
            ),
            (
                "version = 1\nprivate_remotes = [\"https://me:word@h/x\"]\n",
                2,
                "\"https://h/x\"",
            ),
        ] {
            let error = Config::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.line, Some(line), "{text}: {error}");
            assert!(error.problem.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn an_allow_file_holds_exceptions_and_nothing_else() {
        let entry = "[[allow]]\nblob = \"3b18e512dba79e4c8300dd08aeb37f8e728b8dad\"\nreason = \"x\"\n";
        assert_eq!(parse_allow_file(b"").unwrap().len(), 0);
        let read = parse_allow_file(format!("# ours\n{entry}\n{entry}").as_bytes()).unwrap();
        assert_eq!(read.iter().map(|allow| allow.line).collect::<Vec<_>>(), [3, 7]);
        for (text, line, expected) in [
            ("version = 1\n", 1, "unknown field `version`"),
            (
                "[[protect]]\nclass = \"v\"\npaths = [\"*\"]\n",
                1,
                "unknown field `protect`",
            ),
            ("allow_file = \"other.toml\"\n", 1, "unknown field `allow_file`"),
            (
                "\n[[allow]]\nblob = \"main\"\nreason = \"x\"\n",
                3,
                "40 or 64 hex digits",
            ),
            (
                "[[allow]]\nblob = \"3b18e512dba79e4c8300dd08aeb37f8e728b8dad\"\n",
                1,
                "missing field `reason`",
            ),
            ("[[allow]\n", 1, ""),
        ] {
            let error = parse_allow_file(text.as_bytes()).unwrap_err();
            assert_eq!(error.line, Some(line), "{text}: {error}");
            assert!(error.problem.contains(expected), "{text}: {error}");
        }
        assert_eq!(parse_allow_file(b"# \xff").unwrap_err().problem, "expected UTF-8");
    }
}
