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
    shown(path.as_os_str().as_encoded_bytes())
}

/// Returns the path of an output as the user named it, or else as [`path_from`] does.
pub(crate) fn output_from(from: &Path, named: Option<&Path>, path: &Path) -> String {
    match named {
        // Without a slash at the end.
        Some(named) => path_from(from, &from.join(named.components().as_path())),
        None => path_from(from, path),
    }
}

/// Returns the path of a file in the directory beside a pack, as the user named the pack.
pub(crate) fn beside_from(from: &Path, pack: &Path, file: &Path) -> String {
    let named = || {
        let beside = file.parent()?.file_name()?;
        let own = pack.file_name()?.as_encoded_bytes();
        let is_its_own = beside.as_encoded_bytes().starts_with(own);
        is_its_own.then(|| pack.with_file_name(beside).join(file.file_name().unwrap_or_default()))
    };
    output_from(from, named().as_deref(), file)
}

/// Returns `text` with the paths below `from` relative to it.
pub(crate) fn relative_to(from: &Path, text: &str) -> String {
    let Some(from) = from.to_str().filter(|from| from.len() > 1) else {
        return text.to_owned();
    };
    let prefix = format!("{from}/");
    let mut relative = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(&prefix) {
        let (before, found) = rest.split_at(at);
        relative.push_str(before);
        // Within another path, it is no prefix.
        let begins = relative
            .chars()
            .next_back()
            .is_none_or(|c| c.is_whitespace() || "'\"(=".contains(c));
        rest = &found[prefix.len()..];
        if !begins || rest.is_empty() || rest.starts_with(char::is_whitespace) {
            relative.push_str(&prefix);
        }
    }
    relative.push_str(rest);
    relative
}

/// Returns `path` with `~` for the home directory, and without a private key that somebody mistook for a path.
pub(crate) fn tilde(path: &Path) -> String {
    let path = match env::home().and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(below) => format!("~/{}", below.display()),
        None => path.display().to_string(),
    };
    without_private_keys(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_below_a_directory_are_relative_to_it() {
        let relative = |text: &str| relative_to(Path::new("/a/b"), text);
        for (text, expected) in [
            ("/a/b/c exists already", "c exists already"),
            ("reading /a/b/c/d: no", "reading c/d: no"),
            ("/a/b/../c", "../c"),
            ("rm '/a/b/c d'", "rm 'c d'"),
            ("-o=/a/b/c and /a/b/d", "-o=c and d"),
            ("/a/b", "/a/b"),
            ("/a/b/ is empty", "/a/b/ is empty"),
            ("/x/a/b/c", "/x/a/b/c"),
            ("file:///a/b/c", "file:///a/b/c"),
            ("/a/bc", "/a/bc"),
        ] {
            assert_eq!(relative(text), expected);
        }
        assert_eq!(relative_to(Path::new("/"), "/a"), "/a");
    }
}
