//! The signatures of a pack: who is trusted, and who signed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::adapters::files;
use crate::adapters::git::ssh_settings::SshSettings;
use crate::adapters::git::{Commit, Repository};
use crate::adapters::ssh_keygen::{SignatureChecks, SshAnswer, SshKeygen};
use crate::format::attachment::{Attachment, AttachmentKind};
use crate::format::canonical_json::{parse_strict, to_document};
use crate::format::config::Located;
use crate::format::digest::Digest;
use crate::format::member_path::MemberPath;
use crate::format::sshsig::{NAMESPACE, SshSignature};
use crate::format::timestamp::Timestamp;
use crate::ops::Context;
use crate::ops::configuration::{self, Loaded};
use crate::ops::pack::source::Source;
use crate::refusal::config::ConfigFault;
use crate::refusal::signing::SigningFault;
use crate::refusal::{Refusal, Result};
use crate::rules::pack::findings::{FindingKind, Findings};
use crate::rules::pack::signatures::{CheckedSignature, SignatureDemand, SignatureOutcome, judge_signatures};
use crate::rules::pack::verdict::Verdict;

/// The largest allowed signers file or revocation list that is read, in bytes.
const MAX_SIGNERS: u64 = 1 << 20;

/// What a verifier demands of signatures, besides what a configuration demands.
#[derive(Clone, Debug, Default)]
pub struct SignerRequest {
    /// Principals, each of whom must have signed.
    pub signed_by: Vec<String>,
    /// How many known signers must have signed.
    pub required: usize,
    /// The allowed signers file instead of the configured one.
    pub allowed_signers: Option<PathBuf>,
    /// The revoked keys instead of the configured ones.
    pub revoked: Option<PathBuf>,
    /// Whether what is configured is not asked, so that the answer is the same on every machine.
    pub only_named: bool,
}

/// The signatures of a pack, and what was demanded.
#[derive(Clone, Debug, Default)]
pub struct SignaturesReport {
    /// The signatures that are there.
    pub checked: Vec<CheckedSignature>,
    /// What was demanded.
    pub demand: SignatureDemand,
    /// Where the known signers come from. `None` if nobody is known.
    pub signers: Option<String>,
    /// Why the signatures could not be checked.
    pub unchecked: Option<String>,
}

/// A file that says whom to trust.
#[derive(Clone, Debug)]
struct TrustFile {
    origin: String,
    bytes: Vec<u8>,
}

/// Who is trusted to sign.
#[derive(Clone, Debug, Default)]
struct SignerTrust {
    program: SshKeygen,
    signers: Option<TrustFile>,
    revoked: Option<TrustFile>,
}

/// Checks the signatures of a pack, and adds what is wrong to the verdict.
///
/// Trusted is whom the request names, or else the configuration of `commit`, or else git's own configuration. What the pack
/// brings along is not asked. With `only_named`, only the request is.
pub fn check_signatures(
    ctx: &Context,
    source: &Source<'_>,
    request: &SignerRequest,
    commit: Option<(&Repository, &Commit)>,
    verdict: &mut Verdict,
) -> Result<SignaturesReport> {
    let loaded = match commit {
        Some((repo, commit)) => Some(configuration::in_commit(repo, commit)?),
        None => None,
    };
    let configured = loaded.as_ref().map_or(0, |loaded| loaded.config.signatures);
    let demand = SignatureDemand {
        by: request.signed_by.clone(),
        count: configured.max(request.required),
    };
    // What the user names must be there, whether it is needed or not.
    let read = |path: &Option<PathBuf>| match path {
        Some(path) => TrustFile::read(&ctx.cwd.join(path), path.display().to_string()).map(Some),
        None => Ok(None),
    };
    let named = SignerTrust {
        signers: read(&request.allowed_signers)?,
        revoked: read(&request.revoked)?,
        ..SignerTrust::default()
    };
    let attached = attached(source, &verdict.pack_id, &mut verdict.findings)?;
    if attached.is_empty() && !demand.is_any() {
        return Ok(SignaturesReport::default());
    }
    let trusted = || -> Result<SignerTrust> {
        let mut trust = named;
        if let (Some((repo, commit)), Some(loaded)) = (commit, &loaded) {
            trust.fall_back_to_commit(repo, commit, loaded)?;
        }
        let settings = SshSettings::of(&ctx.cwd)?;
        match request.only_named {
            true => trust.program = SshKeygen::of(settings.program.as_deref()),
            false => trust.fall_back_to_git(&settings)?,
        }
        trust.ensure_known_for(&demand)?;
        Ok(trust)
    };
    match trusted() {
        Ok(trust) => trust.judge(source, &attached, demand, &mut verdict.findings),
        // Nobody demanded anything, but somebody may want to know.
        Err(refused) if !demand.is_any() => Ok(SignaturesReport {
            checked: attached.iter().map(unchecked).collect(),
            unchecked: Some(refused.to_string()),
            ..SignaturesReport::default()
        }),
        Err(refused) => Err(refused),
    }
}

/// Demands that a pack in a push is signed by a known signer, and adds what is wrong to the findings.
///
/// Trusted is whom the first of these commits names that names anybody, or else git's own configuration. They are what was
/// there before: a push does not say itself whom to trust.
pub fn demand_signatures(
    repo: &Repository,
    commits: &[Commit],
    (source, pack_id): (&Source<'_>, &str),
    findings: &mut Findings,
) -> Result<()> {
    let mut trust = SignerTrust::default();
    let mut count = 1;
    for commit in commits {
        let loaded = configuration::in_commit_or_none(repo, commit)?;
        count = count.max(loaded.config.signatures);
        if trust.signers.is_none() {
            trust.fall_back_to_commit(repo, commit, &loaded)?;
        }
    }
    trust.fall_back_to_git(&SshSettings::of(&repo.common_dir())?)?;
    let demand = SignatureDemand { by: Vec::new(), count };
    trust.ensure_known_for(&demand)?;
    let attached = attached(source, pack_id, findings)?;
    trust.judge(source, &attached, demand, findings).map(drop)
}

/// Returns each of these signatures with the reason for which it is not one over this pack, or cannot be told to be one.
pub fn sound_signatures(
    ctx: &Context,
    source: &Source<'_>,
    signatures: Vec<Attachment>,
) -> Result<Vec<(Attachment, Option<String>)>> {
    if signatures.is_empty() {
        return Ok(Vec::new());
    }
    let settings = SshSettings::of(&ctx.cwd)?;
    let program = SshKeygen::of(settings.program.as_deref());
    let trust = SignerTrust {
        program,
        ..SignerTrust::default()
    };
    let faults: Vec<Option<String>> = match trust.check(source, &signatures, &[]) {
        Ok(checked) => checked
            .into_iter()
            .map(|signature| match signature.outcome {
                SignatureOutcome::Invalid(why) => Some(why),
                _ => None,
            })
            .collect(),
        Err(refused @ Refusal::Signing { .. }) => vec![Some(refused.to_string()); signatures.len()],
        Err(other) => return Err(other),
    };
    Ok(signatures.into_iter().zip(faults).collect())
}

/// Returns the signatures that are attached to a pack. What is attached and cannot be one is a finding.
fn attached(source: &Source<'_>, pack_id: &str, findings: &mut Findings) -> Result<Vec<Attachment>> {
    // A pack without an id has a finding, and nothing can be about it.
    let Some(id) = Digest::parse_ref(pack_id) else {
        return Ok(Vec::new());
    };
    let attached = source.attached(&id)?;
    // Others than attestations, which are judged with these.
    let ending = AttachmentKind::Signature.ending();
    for (name, why) in attached.strange.into_iter().filter(|(name, _)| name.ends_with(ending)) {
        findings.add(name, FindingKind::SignatureInvalid(why));
    }
    let files = attached.files.into_iter();
    Ok(files.filter(|file| file.kind == AttachmentKind::Signature).collect())
}

impl SignerTrust {
    /// Completes what is not known with what a commit says.
    fn fall_back_to_commit(&mut self, repo: &Repository, commit: &Commit, loaded: &Loaded) -> Result<()> {
        let file = |named: &Option<Located<MemberPath>>| -> Result<Option<TrustFile>> {
            let Some(named) = named else { return Ok(None) };
            let path = named.value.as_str();
            let bad = |fault| Refusal::BadConfig {
                origin: loaded.origin.clone(),
                line: Some(named.line),
                fault,
            };
            let bytes = match repo.file_in_tree(&commit.tree, path, MAX_SIGNERS) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Err(bad(ConfigFault::Missing)),
                Err(Refusal::NotRegular { kind, .. }) => return Err(bad(ConfigFault::NotRegular { kind })),
                Err(other) => return Err(other),
            };
            TrustFile::of(format!("{path} in {}", commit.id.short()), bytes).map(Some)
        };
        if self.signers.is_none() {
            self.signers = file(&loaded.config.signers)?;
        }
        if self.revoked.is_none() {
            self.revoked = file(&loaded.config.revoked)?;
        }
        Ok(())
    }

    /// Completes what is not known with git's configuration.
    fn fall_back_to_git(&mut self, settings: &SshSettings) -> Result<()> {
        self.program = SshKeygen::of(settings.program.as_deref());
        let configured = |path: &PathBuf, key: &str| TrustFile::read(path, format!("{key} ({})", path.display()));
        if let (None, Some(path)) = (&self.signers, &settings.allowed_signers) {
            self.signers = Some(configured(path, "gpg.ssh.allowedSignersFile")?);
        }
        if let (None, Some(path)) = (&self.revoked, &settings.revoked) {
            self.revoked = Some(configured(path, "gpg.ssh.revocationFile")?);
        }
        Ok(())
    }

    fn ensure_known_for(&self, demand: &SignatureDemand) -> Result<()> {
        match self.signers.is_none() && demand.is_any() {
            true => Err(Refusal::Signing {
                path: "allowed signers".into(),
                fault: SigningFault::NoSigners,
            }),
            false => Ok(()),
        }
    }

    /// Checks signatures, and adds what is wrong to the findings.
    fn judge(
        &self,
        source: &Source<'_>,
        signatures: &[Attachment],
        demand: SignatureDemand,
        findings: &mut Findings,
    ) -> Result<SignaturesReport> {
        let mut report = SignaturesReport {
            signers: self.signers.as_ref().map(|file| file.origin.clone()),
            ..SignaturesReport::default()
        };
        if !signatures.is_empty() {
            match self.check(source, signatures, &demand.by) {
                Ok(checked) => report.checked = checked,
                // Whoever demands signatures must hear that they could not be checked.
                Err(refused) if matches!(refused, Refusal::Signing { .. }) && !demand.is_any() => {
                    report.unchecked = Some(refused.to_string());
                    report.checked = signatures.iter().map(unchecked).collect();
                }
                Err(other) => return Err(other),
            }
        }
        judge_signatures(&report.checked, &demand, findings);
        report.demand = demand;
        Ok(report)
    }

    fn check(&self, source: &Source<'_>, signatures: &[Attachment], by: &[String]) -> Result<Vec<CheckedSignature>> {
        let content = signed_content(source)?;
        // The schema demands a time. Without one, no time is within a signer's.
        let time = Timestamp::parse(&source.manifest()?.created).unwrap_or(Timestamp::EPOCH);
        let signers = self.signers.as_ref().map_or(&[][..], |file| &file.bytes);
        let revoked = self.revoked.as_ref().map(|file| &file.bytes[..]);
        let checks = SignatureChecks::of(self.program.clone(), content, time, signers, revoked)?;
        let checking = Checking {
            checks,
            by,
            knows_signers: self.signers.is_some(),
        };
        signatures.iter().map(|file| checking.check(file)).collect()
    }
}

/// The check of the signatures of one pack.
struct Checking<'a> {
    checks: SignatureChecks,
    /// The principals who must have signed.
    by: &'a [String],
    knows_signers: bool,
}

impl Checking<'_> {
    fn check(&self, file: &Attachment) -> Result<CheckedSignature> {
        let of = |key, outcome| CheckedSignature {
            name: file.name.clone(),
            key,
            outcome,
        };
        let invalid = |why: String| of(None, SignatureOutcome::Invalid(why));
        let parsed = match SshSignature::parse(&file.bytes) {
            Ok(parsed) => parsed,
            Err(why) => return Ok(invalid(why)),
        };
        if parsed.namespace != NAMESPACE {
            return Ok(invalid(format!(
                "its namespace is {:?}, not {NAMESPACE:?}",
                parsed.namespace
            )));
        }
        if let Some(why) = parsed.weakness() {
            return Ok(invalid(why));
        }
        let said = match self.checks.integrity(&file.bytes)? {
            SshAnswer::Good(said) => said,
            SshAnswer::Bad(_) => return Ok(invalid("it is not a signature over this pack's manifest".into())),
        };
        let key = said
            .rsplit_once(" with ")
            .map_or(said.clone(), |(_, key)| key.to_owned());
        let outcome = match self.knows_signers {
            false => SignatureOutcome::Valid,
            true => self.signer(&key)?,
        };
        Ok(of(Some(key), outcome))
    }

    /// Returns who made the signature that was checked last.
    fn signer(&self, key: &str) -> Result<SignatureOutcome> {
        let checks = &self.checks;
        let (mut principals, mut why) = match checks.principals()? {
            Ok(found) => (found, String::new()),
            Err(why) => (Vec::new(), why),
        };
        // A key can be listed for several principals on several lines, of which the first one is found.
        principals.extend(self.by.iter().cloned());
        principals.sort();
        principals.dedup();
        let mut good = Vec::new();
        for name in principals {
            match checks.by(&name, true)? {
                SshAnswer::Good(_) => good.push(name),
                SshAnswer::Bad(_) if checks.has_revoked() && matches!(checks.by(&name, false)?, SshAnswer::Good(_)) => {
                    return Ok(SignatureOutcome::Revoked(format!("{key} of {name}")));
                }
                SshAnswer::Bad(said) if !said.is_empty() => why = said,
                SshAnswer::Bad(_) => {}
            }
        }
        Ok(match good.is_empty() {
            false => SignatureOutcome::By(good),
            true if ["has expired", "not yet valid", "expired"]
                .iter()
                .any(|word| why.contains(word)) =>
            {
                SignatureOutcome::NotValidThen(format!("{key}: {why}"))
            }
            true => SignatureOutcome::ByUnknown(key.to_owned()),
        })
    }
}

/// Returns the bytes that signatures of a pack are about: its manifest in canonical form.
pub fn signed_content(source: &Source<'_>) -> Result<Arc<[u8]>> {
    let bytes = source.manifest_bytes()?;
    let parsed = parse_strict(&bytes);
    // A manifest that cannot be parsed was refused before.
    Ok(parsed.map_or(bytes, |value| to_document(&value)).into())
}

impl TrustFile {
    fn read(path: &Path, origin: String) -> Result<Self> {
        Self::of(origin, files::read_any(path, MAX_SIGNERS)?)
    }

    fn of(origin: String, bytes: Vec<u8>) -> Result<Self> {
        // A key revocation list is binary, and begins like this.
        let is_list = bytes.starts_with(b"SSHKRL\n\0");
        match bytes.contains(&0) && !is_list {
            true => Err(Refusal::Signing {
                path: origin.into(),
                fault: SigningFault::NotText,
            }),
            false => Ok(Self { origin, bytes }),
        }
    }
}

fn unchecked(file: &Attachment) -> CheckedSignature {
    CheckedSignature {
        name: file.name.clone(),
        key: None,
        outcome: SignatureOutcome::Unchecked,
    }
}
