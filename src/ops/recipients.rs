//! `git pack recipients`: who can open what is sealed here.

use std::path::PathBuf;

use crate::adapters::cipher::Recipients;
use crate::adapters::files::{Durability, write_whole};
use crate::format::config::{ConfigError, FILE_NAME, add_recipient, remove_recipient};
use crate::format::refusal::{Refusal, Result};
use crate::ops::Context;
use crate::ops::configuration::{self, Loaded};

/// Returns the recipients in the work tree's configuration, in the order written.
pub fn list(ctx: &Context) -> Result<Vec<String>> {
    let (_, loaded) = present(ctx)?;
    of_config(ctx, &loaded)?;
    Ok(loaded.config.recipients.into_iter().map(|r| r.value).collect())
}

/// Adds a recipient; returns whether it was not there before.
pub fn add(ctx: &Context, recipient: &str) -> Result<bool> {
    of_flags(ctx, &[recipient.to_owned()])?;
    edit(ctx, |text| add_recipient(text, recipient))
}

/// Removes a recipient. What was sealed for it before can still be opened by it.
pub fn remove(ctx: &Context, recipient: &str) -> Result<()> {
    match edit(ctx, |text| remove_recipient(text, recipient))? {
        true => Ok(()),
        false => Err(Refusal::Usage {
            problem: format!("{recipient} is not a recipient in {FILE_NAME}"),
            next: Some("git pack recipients list".into()),
        }),
    }
}

/// Parses the recipients that a configuration names.
pub fn of_config(ctx: &Context, loaded: &Loaded) -> Result<Recipients> {
    let named = &loaded.config.recipients;
    for recipient in named {
        Recipients::parse([recipient.value.as_str()], &ctx.ask).map_err(|(_, why)| Refusal::BadConfig {
            origin: loaded.origin.clone(),
            line: Some(recipient.line),
            problem: format!("recipients: {why}"),
        })?;
    }
    parse(ctx, named.iter().map(|r| r.value.as_str()))
}

/// Parses recipients given on the command line.
pub fn of_flags(ctx: &Context, recipients: &[String]) -> Result<Recipients> {
    parse(ctx, recipients.iter().map(String::as_str))
}

fn parse<'a>(ctx: &Context, recipients: impl IntoIterator<Item = &'a str>) -> Result<Recipients> {
    Recipients::parse(recipients, &ctx.ask).map_err(|(text, why)| Refusal::usage(format!("recipient {text:?}: {why}")))
}

fn present(ctx: &Context) -> Result<(PathBuf, Loaded)> {
    let repo = ctx.repository()?;
    let root = repo.work_tree().ok_or(Refusal::NoWorkTree {
        what: "git pack recipients",
    })?;
    let loaded = configuration::on_disk(&root)?;
    if !loaded.is_present() {
        return Err(Refusal::Usage {
            problem: format!("there is no {FILE_NAME} here"),
            next: Some("git pack init".into()),
        });
    }
    Ok((root.join(FILE_NAME), loaded))
}

fn edit(ctx: &Context, change: impl FnOnce(&str) -> Result<Option<String>, ConfigError>) -> Result<bool> {
    let (path, loaded) = present(ctx)?;
    let bytes = loaded.bytes.unwrap_or_default();
    let text = std::str::from_utf8(&bytes).expect("a configuration that was parsed is UTF-8");
    match change(text).map_err(|e| configuration::bad(&loaded.origin, e))? {
        Some(text) => write_whole(&path, text.as_bytes(), 0o666, Durability::Durable).map(|()| true),
        None => Ok(false),
    }
}
