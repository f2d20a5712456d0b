//! Rekeys a single age file.

use std::io::{self, Read, Seek};
use std::path::Path;

use crate::adapters::files::{OpenedFile, Over};
use crate::adapters::{cipher, files};
use crate::format::sealed::is_chunked;
use crate::ops::Context;
use crate::ops::guard::twins;
use crate::ops::pack::rekey::remains::Remains;
use crate::ops::pack::rekey::turn::TurnJob;
use crate::ops::pack::rekey::{Change, ConfigOf, RekeyReport, RekeyRequest, is_same};
use crate::refusal::keys::CipherFault;
use crate::refusal::{Refusal, Result};

/// Rekeys an age file.
pub fn rekey(ctx: &Context, request: &RekeyRequest) -> Result<RekeyReport> {
    let source = ctx.cwd.join(&request.what);
    let output = ctx.cwd.join(&request.output);
    check_output(&output, request)?;
    files::ensure_stays_in_tree(&output)?;
    let change = Change::of(ctx, request, ConfigOf::WorkTree)?;
    let opened = files::open_regular(&source)?;
    if !request.reencrypt {
        ensure_turns(&opened, &request.what)?;
    }
    change.ensure_somebody(std::iter::once(request.what.display().to_string()))?;
    let replaced = is_same(&source, &output);
    let over = match request.replace && files::exists(&output) {
        true => Over::Anything,
        false => Over::Nothing,
    };
    let job = TurnJob {
        source: &opened,
        path: &source,
        name: &request.what.display().to_string(),
        target: &output,
    };
    let turned = match request.dry_run {
        true => change.turn(&job, io::sink())?,
        false => files::write_whole_over(&output, 0o666, over, |file| change.turn(&job, file))?,
    };
    let standing = (!replaced).then_some(source.as_path());
    let mut remains = Remains::of(ctx, change.repo.as_ref(), &[turned.old], standing, &output);
    // The file is rekeyed even if the note fails. Without the note, the pair only looks as if the twin had changed.
    let carry_over = || twins::carry_over(ctx, &output, &turned.old.hash, &turned.hash);
    let is_twin = !request.dry_run
        && carry_over().unwrap_or_else(|why| {
            let what = "the twin could not be recorded as up to date";
            remains.unseen.push((what.into(), why));
            true
        });
    Ok(RekeyReport {
        pack_id: None,
        input_hash: turned.old.hash,
        input_bytes: turned.old.bytes,
        artifacts: 1,
        recipients: change.recipients.names().len(),
        reencrypted: change.reencrypt,
        still_opens: change.still_opens(),
        config_differs: false,
        output,
        is_twin,
        remains,
    })
}

/// Refuses to overwrite anything but an age file: a plaintext there may be the only copy.
fn check_output(output: &Path, request: &RekeyRequest) -> Result<()> {
    if !files::exists(output) {
        return Ok(());
    }
    let replace = request.replace;
    let standing = files::open_regular(output).ok();
    // Such a file was one, and git may still have it as it was.
    if replace
        && let Some(standing) = &standing
        && matches!(cipher::header(&standing.file), Err(CipherFault::LineEnds))
    {
        return Err(Refusal::Crypto {
            deed: "opening",
            subject: request.output.display().to_string(),
            fault: CipherFault::LineEnds,
        });
    }
    let replaceable = standing.is_some_and(|standing| is_age(&standing));
    match replace && replaceable {
        true => Ok(()),
        false => Err(Refusal::OutputExists {
            path: output.to_owned(),
            replaceable: replaceable && !replace,
        }),
    }
}

/// Refuses a file whose header cannot be changed alone, or whose payload is cut short.
fn ensure_turns(opened: &OpenedFile, name: &Path) -> Result<()> {
    let broken = |fault| Refusal::Crypto {
        deed: "opening",
        subject: name.display().to_string(),
        fault,
    };
    let judged = match cipher::header(&opened.file) {
        Ok(header) if is_chunked(opened.size.saturating_sub(header.bytes)) => Ok(()),
        Ok(_) => Err(broken(CipherFault::Said("its payload has an impossible length".into()))),
        Err(_) if is_age(opened) => Err(Refusal::Armoured { path: name.to_owned() }),
        Err(reason) => Err(broken(reason)),
    };
    (&opened.file).rewind().map_err(Refusal::io("reading", name))?;
    judged
}

/// Returns whether a file begins like an age file, armoured or not.
fn is_age(opened: &OpenedFile) -> bool {
    let mut head = Vec::new();
    // Armour makes a header a third longer.
    let most = 2 * cipher::MAX_HEADER as u64;
    let read = (&opened.file)
        .rewind()
        .and_then(|()| (&opened.file).take(most).read_to_end(&mut head));
    read.is_ok() && cipher::has_header(&head)
}
