//! `[[protect]]` and `[[allow]]`: rules that protect files, and exceptions that release single blobs.

use toml::Spanned;

use crate::format::config::lines::Lines;
use crate::format::config::raw::{RawAllow, RawProtect};
use crate::format::config::{Allow, ConfigError, Located, RUN_OUTPUT_CLASS};
use crate::format::object_id::ObjectId;
use crate::format::protected::{Format, Origin, Policy, Rule};

/// Reads a rule.
pub(super) fn rule(raw: Spanned<RawProtect>, lines: &Lines) -> Result<Located<Rule>, ConfigError> {
    let offset = raw.span().start;
    let rule = raw.into_inner();
    let class = rule.class.get_ref();
    if class.is_empty() || class == RUN_OUTPUT_CLASS {
        let problem = format!("class: expected a non-empty name other than \"{RUN_OUTPUT_CLASS}\", found {class:?}");
        return Err(lines.error(rule.class.span().start, problem));
    }
    if rule.paths.is_empty() && rule.formats.is_empty() {
        let problem = "expected at least one glob in paths, or one format in formats";
        return Err(lines.error(offset, problem));
    }
    if let Some(key) = rule.formats.iter().find(|f| *f.get_ref() == Format::PrivateKey) {
        let problem = "formats: private keys are always protected; to release one, use [[allow]]";
        return Err(lines.error(key.span().start, problem));
    }
    Ok(Located {
        line: lines.at(offset),
        value: Rule {
            class: rule.class.into_inner(),
            paths: rule.paths,
            formats: rule.formats.into_iter().map(Spanned::into_inner).collect(),
            policy: rule.policy.unwrap_or(Policy::Never),
            allow_in: rule.allow_in,
            origin: Origin::Config,
        },
    })
}

/// Reads an exception.
pub(super) fn exception(raw: RawAllow, lines: &Lines) -> Result<Located<Allow>, ConfigError> {
    let (text, offset) = (raw.blob.get_ref(), raw.blob.span().start);
    let Some(blob) = ObjectId::parse(&text.to_ascii_lowercase()) else {
        let problem = format!("blob: expected the 40 or 64 hex digits of a blob's id, found {text:?}");
        return Err(lines.error(offset, problem));
    };
    if raw.reason.get_ref().trim().is_empty() {
        let problem = "reason: expected a reason why this blob may be public";
        return Err(lines.error(raw.reason.span().start, problem));
    }
    Ok(Located {
        line: lines.at(offset),
        value: Allow {
            blob,
            reason: raw.reason.into_inner(),
        },
    })
}
