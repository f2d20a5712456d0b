//! `git pack attest`: puts an attestation beside a pack.

use std::path::PathBuf;

use clap::Parser;

use super::Run;
use super::flags::PassphraseFlag;
use super::operator::{Operator, Prints};
use super::values::{self, BadValue};
use crate::cli::account::{Account, name};
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::beside_from;
use crate::cli::output::refusal::usage::misused;
use crate::cli::output::words::{count, unchanged};
use crate::format::slsa::{PROVENANCE, VERIFICATION_SUMMARY};
use crate::format::statement::MAX_PREDICATE_TYPE;
use crate::format::timestamp::Timestamp;
use crate::ops::Context;
use crate::ops::pack::attest::{AttestRequest, GivenPredicate, attest};
use crate::refusal::Refusal;

/// Number of digits of a key id that are shown.
const DIGITS: usize = 16;

/// State under a key that a pack verified, or how it was made
///
/// Verifies the pack first, and puts an in-toto statement in a DSSE envelope beside the pack. The same pack, key and flags
/// always make the same bytes.
#[derive(Parser)]
#[command(name = "attest")]
pub(super) struct Attest {
    /// The pack's directory
    pack: PathBuf,
    /// Sign with this private key: Ed25519 or ECDSA P-256 in PEM, or an Ed25519 key of OpenSSH
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// What is stated: vsa (the pack verified), slsa-provenance, or the URI of another predicate type [default: vsa, with --predicate slsa-provenance]
    #[arg(long = "type", value_name = "TYPE", value_parser = Kind::parse)]
    kind: Option<Kind>,
    /// State what this JSON file says, such as the builder's facts for slsa-provenance
    #[arg(long, value_name = "FILE")]
    predicate: Option<PathBuf>,
    /// Name each member with its hash too, so that a member can be checked without the others
    #[arg(long, hide_short_help = true)]
    members: bool,
    /// The time of the verification, for vsa [default: SOURCE_DATE_EPOCH, else none]
    #[arg(long, value_name = "RFC3339", value_parser = created, conflicts_with = "predicate", hide_short_help = true)]
    created: Option<Timestamp>,
    /// Verify the pack and make the attestation, but keep nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    passphrase: PassphraseFlag,
}

/// A type of predicate.
#[derive(Clone, PartialEq, Eq)]
enum Kind {
    /// The verification summary, which is made here.
    Summary,
    /// One that a file gives, by its URI.
    Given(String),
}

impl Kind {
    /// Parses the type of `--type`.
    fn parse(text: &str) -> Result<Self, BadValue> {
        match text {
            "vsa" | VERIFICATION_SUMMARY => Ok(Self::Summary),
            "slsa-provenance" => Ok(Self::Given(PROVENANCE.to_owned())),
            uri if is_uri(uri) => Ok(Self::Given(uri.to_owned())),
            _ => Err(BadValue::expected(
                "vsa, slsa-provenance or a URI, such as https://example.org/review/v1",
            )),
        }
    }
}

/// Returns whether a text looks like an absolute URI: a scheme, a colon, and printable ASCII.
fn is_uri(text: &str) -> bool {
    let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    text.len() <= MAX_PREDICATE_TYPE
        && text.split_once(':').is_some_and(|(scheme, rest)| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.chars().all(is_of_scheme)
                && !rest.is_empty()
                && rest.chars().all(|c| c.is_ascii_graphic())
        })
}

/// Parses the time of `--created`.
fn created(text: &str) -> Result<Timestamp, BadValue> {
    values::time(text).map_err(|why| why.example("git pack attest PACK --key FILE --created 2026-01-15T10:30:00Z"))
}

/// Returns the predicate that the flags give, if it is not the one that is made here.
fn given(kind: Option<Kind>, file: Option<PathBuf>) -> Result<Option<GivenPredicate>, Refusal> {
    match (kind, file) {
        (None | Some(Kind::Summary), None) => Ok(None),
        (Some(Kind::Given(_)), None) => Err(misused("this --type needs --predicate FILE, which says what is stated")),
        (Some(Kind::Summary), Some(_)) => Err(misused(
            "--type vsa takes no --predicate: git pack says that the pack verified",
        )),
        (None, Some(file)) => Ok(Some(GivenPredicate {
            uri: PROVENANCE.to_owned(),
            file,
        })),
        (Some(Kind::Given(uri)), Some(file)) => Ok(Some(GivenPredicate { uri, file })),
    }
}

impl Run for Attest {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Artifact,
            yes: "ATTESTED",
            no: None,
        })
    }

    fn account(&self) -> Option<Account> {
        Some(
            Account::of("attest")
                .input(&self.pack)
                .asked("predicate", self.predicate.as_deref().map(name)),
        )
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, account: Option<&mut Account>) -> Result<Exit> {
        let ctx = &self.passphrase.answering(ctx)?;
        let request = AttestRequest {
            pack: self.pack,
            key: self.key,
            predicate: given(self.kind, self.predicate)?,
            members: self.members,
            created: self.created,
            dry_run: self.dry_run,
        };
        let report = attest(ctx, &request)?;
        if request.dry_run {
            output.line(&format!("would attest {}", report.pack_id));
        } else {
            output.line(&format!("ATTESTED {}", report.pack_id));
            output.line(&beside_from(&ctx.cwd, &request.pack, &report.output));
        }
        let again = if report.is_new { "" } else { " · it was there already" };
        output.err(&format!(
            "  {} · {} · {} key {}…{again}\n",
            report.predicate_type,
            count(report.subjects as u64, "subject"),
            report.algorithm,
            &report.key_id[..DIGITS],
        ));
        if request.dry_run {
            unchanged(output);
        }
        if let Some(account) = account {
            account.ends("ATTESTED");
            account.is_about(Some(report.pack_id));
            account.found("predicate_type", report.predicate_type);
            account.found("key_id", report.key_id);
            account.found("output_file", name(&report.output));
            account.read(&report.manifest_hash, report.manifest_bytes);
        }
        Ok(Exit::Yes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_a_word_or_a_uri() {
        for text in ["urn:x", "https://a.example/b?c#d", "a+b-c.1:x"] {
            assert!(is_uri(text), "{text}");
        }
        let long = format!("urn:{}", "x".repeat(MAX_PREDICATE_TYPE));
        for text in [
            "",
            "x",
            "provenance",
            ":x",
            "x:",
            "1:x",
            "a b:c",
            "a:b c",
            "a:b\u{1b}[31m",
            "é:x",
            &long,
        ] {
            assert!(!is_uri(text), "{text}");
        }
        let kind = |text| Kind::parse(text).ok();
        assert!(kind("vsa") == Some(Kind::Summary) && kind(VERIFICATION_SUMMARY) == Some(Kind::Summary));
        assert!(kind("slsa-provenance") == Some(Kind::Given(PROVENANCE.into())));
    }

    #[test]
    fn a_file_says_what_is_stated_unless_it_is_the_summary() {
        let file = || Some(PathBuf::from("f"));
        let uri = |kind, file| given(kind, file).ok().map(|given| given.map(|given| given.uri));
        let other = || Some(Kind::Given("urn:x".into()));
        assert_eq!(uri(None, None), Some(None));
        assert_eq!(uri(Some(Kind::Summary), None), Some(None));
        assert_eq!(uri(None, file()), Some(Some(PROVENANCE.into())));
        assert_eq!(uri(other(), file()), Some(Some("urn:x".into())));
        assert_eq!(uri(other(), None), None);
        assert_eq!(uri(Some(Kind::Summary), file()), None);
    }
}
