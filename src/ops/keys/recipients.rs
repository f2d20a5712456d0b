//! `git pack recipients`: the recipients that can open what is sealed here.

use std::path::PathBuf;

use crate::adapters::cipher::{Recipients, is_secret};
use crate::adapters::files::{Durability, read_any, write_whole};
use crate::format::config::{
    ConfigError, FILE_NAME, Located, add_recipient, is_same_recipient, parse_recipients_file, remove_recipient,
};
use crate::ops::configuration::{self, Loaded};
use crate::ops::keys::identity;
use crate::ops::{Context, Silence};
use crate::refusal::config::ConfigFault;
use crate::refusal::usage::Misuse;
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{Refusal, Result};

/// Returns the recipients in the work tree's configuration, in the order written.
pub fn list(ctx: &Context) -> Result<Vec<String>> {
    let (_, loaded) = present(ctx)?;
    of_config(ctx, &loaded)?;
    let named = named(&loaded)?;
    Ok(named.into_iter().map(|(_, recipient)| recipient.value).collect())
}

/// Adds a recipient; returns whether it is new. With `dry_run`, changes nothing.
pub fn add(ctx: &Context, recipient: &str, dry_run: bool) -> Result<bool> {
    of_flags(ctx, &[recipient.to_owned()], &[])?;
    edit(ctx, dry_run, |text| add_recipient(text, recipient))
}

/// Removes a recipient; returns whether it is that of the identity in force here. The recipient can still open everything
/// that was sealed to it before. With `dry_run`, changes nothing.
pub fn remove(ctx: &Context, recipient: &str, dry_run: bool) -> Result<bool> {
    match edit(ctx, dry_run, |text| remove_recipient(text, recipient))? {
        true => Ok(own(ctx).is_some_and(|own| is_same_recipient(&own, recipient))),
        false if is_secret(recipient) => Err(Refusal::Usage(Misuse::SecretAsRecipient)),
        false => Err(Refusal::Usage(Misuse::UnknownRecipient {
            recipient: recipient.to_owned(),
        })),
    }
}

/// Returns the recipient of the identity in force here. Asks nobody.
fn own(ctx: &Context) -> Option<String> {
    let quiet = Context {
        ask: Silence::asker(),
        ..ctx.clone()
    };
    let (path, _) = identity::in_force(&quiet).ok()?;
    identity::recipient(&quiet, &path).ok().flatten()
}

/// Returns whether nobody but the identity in force here can open what is sealed for the recipients. Asks nobody.
pub fn is_only_own(ctx: &Context, recipients: &Recipients) -> bool {
    match recipients.names() {
        [one] => own(ctx).is_some_and(|own| is_same_recipient(&own, one)),
        _ => false,
    }
}

/// Parses the recipients that a configuration names.
pub fn of_config(ctx: &Context, loaded: &Loaded) -> Result<Recipients> {
    judged(ctx, named(loaded)?)
}

/// Returns the recipients that a configuration and its recipients file name, each with its origin.
pub fn named(loaded: &Loaded) -> Result<Vec<(String, Located<String>)>> {
    let own = loaded.config.recipients.iter();
    let mut all: Vec<_> = own.map(|named| (loaded.origin.clone(), named.clone())).collect();
    match (&loaded.listed, &loaded.config.recipients_file) {
        (Some(listed), _) => {
            let bytes = listed.bytes.as_ref().map_err(|fault| Refusal::BadConfig {
                origin: listed.origin.clone(),
                line: None,
                fault: fault.clone(),
            })?;
            all.extend(in_file(&listed.origin, bytes)?);
        }
        (None, Some(file)) => {
            return Err(Refusal::BadConfig {
                origin: loaded.origin.clone(),
                line: Some(file.line),
                fault: ConfigFault::RecipientsFileUnread,
            });
        }
        (None, None) => {}
    }
    Ok(all)
}

fn in_file(origin: &str, bytes: &[u8]) -> Result<Vec<(String, Located<String>)>> {
    let named = parse_recipients_file(bytes).map_err(|e| configuration::bad(origin, e))?;
    Ok(named.into_iter().map(|named| (origin.to_owned(), named)).collect())
}

/// Parses recipients one by one, so that an error names its line, and then all together.
fn judged(ctx: &Context, named: Vec<(String, Located<String>)>) -> Result<Recipients> {
    for (origin, recipient) in &named {
        Recipients::parse([recipient.value.as_str()], &ctx.ask).map_err(|(_, fault)| Refusal::BadConfig {
            origin: origin.clone(),
            line: Some(recipient.line),
            fault: ConfigFault::Recipient(fault),
        })?;
    }
    parse(ctx, named.iter().map(|(_, recipient)| recipient.value.as_str()))
}

/// Parses the recipients that flags name or, without such flags, those of a configuration.
pub fn of_flags_or_config(
    ctx: &Context,
    recipients: &[String],
    files: &[PathBuf],
    loaded: &Loaded,
) -> Result<Recipients> {
    match recipients.is_empty() && files.is_empty() {
        true => of_config(ctx, loaded),
        false => of_flags(ctx, recipients, files),
    }
}

/// Parses the recipients on the command line, and those in the files that it names.
pub fn of_flags(ctx: &Context, recipients: &[String], files: &[PathBuf]) -> Result<Recipients> {
    parse(ctx, recipients.iter().map(String::as_str))?;
    let mut named = Vec::new();
    for file in files {
        let bytes = read_any(&ctx.cwd.join(file), configuration::MAX_BYTES)?;
        named.extend(in_file(&file.display().to_string(), &bytes)?);
    }
    judged(ctx, named.clone())?;
    let listed = named.iter().map(|(_, recipient)| recipient.value.as_str());
    parse(ctx, recipients.iter().map(String::as_str).chain(listed))
}

fn parse<'a>(ctx: &Context, recipients: impl IntoIterator<Item = &'a str>) -> Result<Recipients> {
    Recipients::parse(recipients, &ctx.ask)
        .map_err(|(text, fault)| Refusal::Usage(Misuse::BadRecipient { text, fault }))
}

fn present(ctx: &Context) -> Result<(PathBuf, Loaded)> {
    let repo = ctx.repository()?;
    let root = repo.work_tree().ok_or(Refusal::NoWorkTree {
        action: WorkTreeUse::Recipients,
    })?;
    let loaded = configuration::on_disk(&root)?;
    if !loaded.is_present() {
        return Err(Refusal::Usage(Misuse::NoConfiguration));
    }
    Ok((root.join(FILE_NAME), loaded))
}

fn edit(
    ctx: &Context,
    dry_run: bool,
    change: impl FnOnce(&str) -> Result<Option<String>, ConfigError>,
) -> Result<bool> {
    // Refuses before the lock is made.
    present(ctx)?;
    // Two calls at once must not write over each other's lines: a key that was removed would come back.
    let _held = ctx.repository()?.private().lock_edits(dry_run)?;
    let (path, loaded) = present(ctx)?;
    let bytes = loaded.bytes.unwrap_or_default();
    let text = std::str::from_utf8(&bytes).expect("a configuration that was parsed is UTF-8");
    match change(text).map_err(|e| configuration::bad(&loaded.origin, e))? {
        Some(_) if dry_run => Ok(true),
        Some(text) => write_whole(&path, text.as_bytes(), 0o666, Durability::Durable).map(|()| true),
        None => Ok(false),
    }
}
