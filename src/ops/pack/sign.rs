//! `git pack sign`: verifies a pack, and attaches a signature to it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::adapters::git::ssh_settings::{self, SshSettings};
use crate::adapters::ssh_keygen::{SignatureChecks, SigningKey, SshAnswer, SshKeygen};
use crate::adapters::{attached_dir, files};
use crate::format::attachment::AttachmentKind;
use crate::format::digest::Digest;
use crate::format::sshsig::SshSignature;
use crate::format::timestamp::Timestamp;
use crate::ops::Context;
use crate::ops::pack::given::GivenPack;
use crate::ops::pack::output::outside_of_git;
use crate::ops::pack::sealed_pack::ensure_sound;
use crate::ops::pack::signatures::signed_content;
use crate::ops::pack::source::Source;
use crate::ops::pack::verify::verify_source;
use crate::refusal::keys::SecretFault;
use crate::refusal::signing::SigningFault;
use crate::refusal::{Refusal, Result};
use crate::rules::identity_file::why_unfit;

/// The start of a private key in a file.
const PRIVATE: &[u8] = b"-----BEGIN ";

/// What to sign, and with which key.
#[derive(Clone, Debug, Default)]
pub struct SignRequest {
    /// The pack: a directory.
    pub pack: PathBuf,
    /// The file of the key instead of the configured one.
    pub key: Option<PathBuf>,
    /// A public key, or its file. An agent holds the private key.
    pub agent: Option<String>,
    /// Whether to check everything and not sign.
    pub dry_run: bool,
}

/// The outcome.
#[derive(Clone, Debug)]
pub struct SignReport {
    /// The pack's id.
    pub pack_id: Digest,
    /// SHA-256 of its manifest.
    pub manifest_hash: Digest,
    /// Size of its manifest in bytes.
    pub manifest_bytes: u64,
    /// The file of the signature or, without one, the directory for it.
    pub signature: PathBuf,
    /// The key that signed, as `ssh-keygen` names it, or the one that would sign.
    pub key: String,
    /// Whether the signature is new. One by the same key may have been there.
    pub is_new: bool,
}

/// Verifies a pack, and signs its manifest. A pack that does not verify is not signed.
pub fn sign(ctx: &Context, request: &SignRequest) -> Result<SignReport> {
    let settings = SshSettings::of(&ctx.cwd)?;
    let key = key(ctx, request, &settings)?;
    let given = GivenPack::of(ctx, &request.pack)?;
    let source = given.source();
    let Some(root) = source.directory() else {
        return Err(Refusal::Signing {
            path: request.pack.clone(),
            fault: SigningFault::NotADirectory,
        });
    };
    outside_of_git(ctx, &attached_dir::beside(root))?;
    let verdict = verify_source(&source)?;
    ensure_sound(&verdict, &request.pack)?;
    let changed = || Refusal::ChangedWhileRead {
        path: request.pack.clone(),
    };
    let pack_id = Digest::parse_ref(&verdict.pack_id).ok_or_else(changed)?;
    let is_unchanged = || Ok::<_, Refusal>(Digest::of(&source.manifest_bytes()?) == verdict.manifest_hash);
    let content = signed_content(&source)?;
    if !is_unchanged()? {
        return Err(changed());
    }
    if request.dry_run {
        return Ok(SignReport {
            pack_id,
            manifest_hash: verdict.manifest_hash,
            manifest_bytes: verdict.manifest_bytes,
            signature: attached_dir::beside(root),
            key: match key {
                SigningKey::File(path) => path.display().to_string(),
                SigningKey::InAgent(public) => public.trim_end().to_owned(),
            },
            is_new: true,
        });
    }
    let program = SshKeygen::of(settings.program.as_deref());
    let signature = program.sign(&key, content.clone())?;
    let unfit = |why: String| Refusal::Signing {
        path: request.pack.clone(),
        fault: SigningFault::Unfit { why },
    };
    let parsed = SshSignature::parse(&signature).map_err(unfit)?;
    if let Some(why) = parsed.weakness() {
        return Err(unfit(why));
    }
    let checks = SignatureChecks::of(program, content, Timestamp::EPOCH, b"", None)?;
    let key = match checks.integrity(&signature)? {
        SshAnswer::Good(said) => said
            .rsplit_once(" with ")
            .map_or(said.clone(), |(_, key)| key.to_owned()),
        SshAnswer::Bad(why) => return Err(unfit(why)),
    };
    if !is_unchanged()? {
        return Err(changed());
    }
    let (signature, is_new) = match standing(&source, root, &pack_id, &parsed, &checks)? {
        Some(standing) => (standing, false),
        None => attached_dir::add(root, &pack_id, AttachmentKind::Signature, &signature)?,
    };
    Ok(SignReport {
        pack_id,
        manifest_hash: verdict.manifest_hash,
        manifest_bytes: verdict.manifest_bytes,
        signature,
        key,
        is_new,
    })
}

/// Returns the signature that the same key made of the pack before. Some kinds of keys make another one each time.
fn standing(
    source: &Source<'_>,
    root: &Path,
    pack_id: &Digest,
    new: &SshSignature,
    checks: &SignatureChecks,
) -> Result<Option<PathBuf>> {
    for file in source.attached(pack_id)?.files {
        let is_same = |parsed: SshSignature| parsed.public_key == new.public_key && parsed.namespace == new.namespace;
        if file.kind == AttachmentKind::Signature
            && SshSignature::parse(&file.bytes).is_ok_and(is_same)
            && matches!(checks.integrity(&file.bytes)?, SshAnswer::Good(_))
        {
            return Ok(Some(attached_dir::beside(root).join(file.name)));
        }
    }
    Ok(None)
}

/// Returns the key to sign with: the named one, or else `gitpack.signingKey`, or else the key with which git signs.
fn key(ctx: &Context, request: &SignRequest, settings: &SshSettings) -> Result<SigningKey> {
    if let Some(path) = &request.key {
        return in_file(&ctx.cwd.join(path), path);
    }
    if let Some(text) = &request.agent {
        if let Some(literal) = literal(OsStr::new(text)) {
            return Ok(SigningKey::InAgent(literal));
        }
        let path = Path::new(text);
        let missing = |_| refused(path, SigningFault::MissingKey);
        let public = files::read_any(&ctx.cwd.join(path), MAX_KEY).map_err(missing)?;
        let public = String::from_utf8(public).map_err(|_| refused(path, SigningFault::NotText))?;
        return Ok(SigningKey::InAgent(public));
    }
    let configured = settings.pack_key.clone().or_else(|| settings.git_key.clone());
    let configured = match (configured, &settings.key_command) {
        (None, Some(command)) => ssh_settings::default_key(command)?.map(Into::into),
        (configured, _) => configured,
    };
    let configured = configured.ok_or_else(|| refused(&request.pack, SigningFault::NoKey))?;
    match literal(&configured) {
        Some(literal) => Ok(SigningKey::InAgent(literal)),
        None => in_file(&ctx.cwd.join(&configured), Path::new(&configured)),
    }
}

/// The largest file of a public key that is read, in bytes.
const MAX_KEY: u64 = 64 << 10;

/// Returns a public key that is written out, as git has them in its configuration.
fn literal(text: &OsStr) -> Option<String> {
    let text = text.to_str()?;
    match text.strip_prefix("key::") {
        Some(key) => Some(key.to_owned()),
        None => text.starts_with("ssh-").then(|| text.to_owned()),
    }
}

/// Returns the key in a file. Refuses a private key that others can read.
fn in_file(path: &Path, name: &Path) -> Result<SigningKey> {
    let Some(file) = files::open_secret(path)? else {
        return Err(refused(name, SigningFault::MissingKey));
    };
    let fault = why_unfit(file.is_directory(), file.bits(), name);
    if let Some(fault @ SecretFault::Directory) = fault {
        return Err(refused(name, SigningFault::Secret(fault)));
    }
    let is_private = file
        .read(MAX_KEY as usize)?
        .is_some_and(|bytes| bytes.starts_with(PRIVATE));
    match fault {
        Some(fault) if is_private => Err(refused(name, SigningFault::Secret(fault))),
        _ => Ok(SigningKey::File(path.to_owned())),
    }
}

fn refused(path: &Path, fault: SigningFault) -> Refusal {
    Refusal::Signing {
        path: path.to_owned(),
        fault,
    }
}
