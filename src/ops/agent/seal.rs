//! `git pack agent seal`: encrypts a private file of an agent.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::adapters::agent_store::private::{DirectoryLock, ProvenFile, WholeFile, refused};
use crate::adapters::agent_store::salt::random_salt;
use crate::adapters::files::{self, Over};
use crate::format::agent::SNAPSHOT;
use crate::format::agent::json::ensure_json;
use crate::format::agent::private::{MAX_CONTENT, PrivateHeader, PrivateKind, SUFFIX};
use crate::ops::Context;
use crate::ops::agent::private::{NamedRecipients, ensure_named, identities_at_hand, recipients_for};
use crate::ops::pack::output::outside_of_git;
use crate::refusal::private_file::PrivateFault;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};

/// What to encrypt, and where to.
#[derive(Debug)]
pub struct SealPrivateRequest {
    /// The plaintext. Without `given`, it is read.
    pub file: PathBuf,
    /// The plaintext's content, if it is not in a file.
    pub given: Option<Zeroizing<Vec<u8>>>,
    /// The encrypted file instead of the one beside the plaintext.
    pub output: Option<PathBuf>,
    /// What it holds. Without it, the names tell.
    pub kind: Option<PrivateKind>,
    /// Who can open it.
    pub recipients: NamedRecipients,
    /// Replace an existing encrypted file.
    pub replace: bool,
    /// Do everything but give the encrypted file its name.
    pub dry_run: bool,
}

/// The outcome.
#[derive(Debug)]
pub struct SealPrivateReport {
    /// The absolute path of the encrypted file.
    pub output: PathBuf,
    /// What it holds.
    pub kind: PrivateKind,
    /// Its size in bytes.
    pub bytes: u64,
    /// The number of recipients.
    pub recipients: usize,
    /// Whether the content is still in a file in plaintext.
    pub is_plaintext_left: bool,
}

/// Encrypts a private file. The plaintext stays.
pub fn seal_private(ctx: &Context, request: SealPrivateRequest) -> Result<SealPrivateReport> {
    if request.given.is_none() {
        files::open_regular(&ctx.cwd.join(&request.file))?;
    }
    let output = output_of(ctx, &request)?;
    let kind = kind_of(&request, &output)?;
    let is_plaintext_left = request.given.is_none();
    let content = match request.given {
        Some(content) => content,
        None => WholeFile::read(&ctx.cwd.join(&request.file), MAX_CONTENT)?.bytes,
    };
    let is_too_large = content.len() as u64 > MAX_CONTENT;
    let unfit = |fault| refused(&request.file, fault);
    if is_too_large {
        return Err(unfit(PrivateFault::TooLarge { allowed: MAX_CONTENT }));
    }
    ensure_json(&content).map_err(|fault| unfit(PrivateFault::Json(fault)))?;
    let directory = files::parent(&output);
    let recipients = recipients_for(ctx, &request.recipients, directory, &request.file)?;
    let identities = identities_at_hand(ctx, &[])?.unattended();
    let over = match request.replace {
        true => Over::Anything,
        false => Over::Nothing,
    };
    let lock = DirectoryLock::wait(directory)?;
    ensure_replaceable(&output, request.replace)?;
    let header = PrivateHeader::new(kind, [0; SNAPSHOT], random_salt()?);
    let sealed = ProvenFile::write(&output, &header, &content, &recipients, &identities)?;
    let bytes = sealed.bytes;
    if !request.dry_run {
        sealed.place(over, &lock)?;
    }
    Ok(SealPrivateReport {
        output,
        kind,
        bytes,
        recipients: recipients.names().len(),
        is_plaintext_left,
    })
}

/// Decides where the encrypted file goes: never through a link out of the work tree, and never into git's directory.
fn output_of(ctx: &Context, request: &SealPrivateRequest) -> Result<PathBuf> {
    let wanted = match (&request.output, &request.given) {
        (Some(output), _) => output.clone(),
        (None, None) => {
            let mut name = request.file.clone().into_os_string();
            name.push(SUFFIX);
            PathBuf::from(name)
        }
        (None, Some(_)) => {
            return Err(Refusal::Usage(Misuse::NotAFile {
                path: request.file.clone(),
            }));
        }
    };
    if wanted.file_name().is_none() {
        return Err(Refusal::Usage(Misuse::NotAFile { path: wanted }));
    }
    let (path, _) = outside_of_git(ctx, &wanted)?;
    ensure_replaceable(&path, request.replace)?;
    Ok(path)
}

/// Refuses to replace anything but a private file: a plaintext may be the only copy.
fn ensure_replaceable(output: &Path, replace: bool) -> Result<()> {
    files::ensure_is_no_link(output)?;
    if !files::exists(output) {
        return Ok(());
    }
    let is_private = PrivateHeader::parse(&start_of(output)).is_ok();
    match replace && is_private {
        true => Ok(()),
        false => Err(Refusal::OutputExists {
            path: output.to_owned(),
            replaceable: is_private && !replace,
        }),
    }
}

fn start_of(path: &Path) -> Vec<u8> {
    let mut start = Vec::new();
    if let Ok(opened) = files::open_regular(path) {
        use std::io::Read;
        drop(opened.file.take(128).read_to_end(&mut start));
    }
    start
}

/// Decides what the file holds: by the name of the plaintext or of the output, else by the directory, else as asked.
/// Refuses to be asked for another kind.
fn kind_of(request: &SealPrivateRequest, output: &Path) -> Result<PrivateKind> {
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let by_name = PrivateKind::of_plain_name(&name(&request.file).unwrap_or_default())
        .or_else(|| PrivateKind::of_sealed_name(&name(output).unwrap_or_default()));
    let by_directory = || PrivateKind::of_directory(&name(files::parent(output))?);
    let found = by_name.or_else(by_directory).or(request.kind);
    let kind = found.ok_or_else(|| refused(&request.file, PrivateFault::UnknownKind))?;
    let asked = request.kind.unwrap_or(kind);
    if asked != kind {
        return Err(refused(
            &request.file,
            PrivateFault::AskedKind {
                found: kind.as_str(),
                asked: asked.as_str(),
            },
        ));
    }
    ensure_named(output, kind).map_err(|fault| refused(output, fault))?;
    Ok(kind)
}
