//! Names for people: paths, remotes, keys and digests, shortened.

use std::path::Path;

use crate::cli::env;
use crate::cli::output::words::without_password;
use crate::format::attachment::AttachmentName;
use crate::format::digest::Digest;
use crate::refusal::shown::{shown, without_private_keys};

/// Shortens a content ref to its first digits.
pub(crate) fn short(text: &str) -> String {
    match Digest::parse_ref(text) {
        Some(_) => format!("{}…", &text[.."sha256:".len() + 12]),
        None => shown(text.as_bytes()),
    }
}

/// Shortens the name of a file that is attached to a pack: it begins with the whole id of the pack.
pub(crate) fn attached_name(name: &str) -> String {
    match AttachmentName::parse(name) {
        Some(_) => format!("{}…{}", &name[..12], &name[64..]),
        None => shown(name.as_bytes()),
    }
}

/// Shortens a recipient to its two ends.
pub(crate) fn short_key(recipient: &str) -> String {
    let mut words = recipient.split_ascii_whitespace();
    if let (Some(kind), Some(key)) = (words.next(), words.next()) {
        let end = words
            .next()
            .unwrap_or_else(|| key.get(key.len().saturating_sub(4)..).unwrap_or(key));
        return shown(format!("{kind} …{end}").as_bytes());
    }
    match recipient.is_ascii() && recipient.len() > 20 {
        true => format!("{}…{}", &recipient[..7], &recipient[recipient.len() - 4..]),
        false => shown(recipient.as_bytes()),
    }
}

/// Returns the name of a remote, or its URL without a password.
pub(crate) fn remote_name(remote: &str) -> String {
    if remote.is_empty() {
        return "the remote".into();
    }
    shown(without_password(remote).as_bytes())
}

/// Returns `path` relative to `from` if it lies below it, else the whole path.
pub(crate) fn path_from(from: &Path, path: &Path) -> String {
    let path = match path.strip_prefix(from) {
        Ok(below) if !below.as_os_str().is_empty() => below,
        _ => path,
    };
    shown(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()))
}

/// Returns `path` with `~` for the home directory, and without a private key that somebody mistook for a path.
pub(crate) fn tilde(path: &Path) -> String {
    let path = match env::home().and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(below) => format!("~/{}", below.display()),
        None => path.display().to_string(),
    };
    without_private_keys(&path)
}
