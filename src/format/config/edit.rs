//! Edits a `.gitpack.toml` without touching other text.

use toml_edit::{Array, DocumentMut, Item, Table, value};

use crate::format::config::recipients::is_same_recipient;
use crate::format::config::{Allow, Config, ConfigError};

/// Returns `text` with `recipient` added to `[seal] recipients` and otherwise unchanged. `None` if the recipient is
/// listed already.
pub fn add_recipient(text: &str, recipient: &str) -> Result<Option<String>, ConfigError> {
    edit_recipients(text, |list| {
        if position(list, recipient).is_some() {
            return false;
        }
        list.push(recipient);
        true
    })
}

/// Returns `text` with `recipient` removed from `[seal] recipients`. `None` if the recipient is not listed.
pub fn remove_recipient(text: &str, recipient: &str) -> Result<Option<String>, ConfigError> {
    edit_recipients(text, |list| match position(list, recipient) {
        Some(at) => {
            list.remove(at);
            true
        }
        None => false,
    })
}

/// Returns `text` with an `[[allow]]` entry for each of `blobs` that has none yet, and the number of entries added.
///
/// The text that comes with each blob becomes a comment above its entry.
pub fn add_allowed(text: &str, blobs: &[(Allow, String)]) -> Result<(String, usize), ConfigError> {
    let present = Config::parse(text.as_bytes())?.allow;
    let mut edited = text.to_owned();
    let mut added = 0;
    for (allow, about) in blobs {
        if present.iter().any(|other| other.value.blob == allow.blob) {
            continue;
        }
        if !edited.is_empty() && !edited.ends_with('\n') {
            edited.push('\n');
        }
        let reason = toml_edit::Value::from(allow.reason.as_str());
        edited.push_str(&format!(
            "\n# {about}\n[[allow]]\nblob = \"{}\"\nreason = {reason}\n",
            allow.blob.hex(),
        ));
        added += 1;
    }
    // An edit must never leave a file that cannot be parsed.
    Config::parse(edited.as_bytes())?;
    Ok((edited, added))
}

fn position(list: &Array, recipient: &str) -> Option<usize> {
    let same = |item: &toml_edit::Value| item.as_str().is_some_and(|other| is_same_recipient(other, recipient));
    list.iter().position(same)
}

fn edit_recipients(text: &str, edit: impl FnOnce(&mut Array) -> bool) -> Result<Option<String>, ConfigError> {
    Config::parse(text.as_bytes())?;
    let mut document: DocumentMut = text.parse().expect("a text that parsed as TOML once does so again");
    let seal = document.entry("seal").or_insert_with(|| Item::Table(Table::new()));
    let recipients = seal
        .as_table_like_mut()
        .expect("Config::parse accepts seal as a table only")
        .entry("recipients")
        .or_insert_with(|| value(Array::new()));
    let list = recipients
        .as_array_mut()
        .expect("Config::parse accepts recipients as an array only");
    if !edit(list) {
        return Ok(None);
    }
    lay_out(list);
    let edited = document.to_string();
    Ok(Some(match text.contains("\r\n") {
        true => edited.replace("\r\n", "\n").replace('\n', "\r\n"),
        false => edited,
    }))
}

/// Puts each recipient on its own line, and keeps the comments before it.
fn lay_out(list: &mut Array) {
    for item in list.iter_mut() {
        let prefix = item.decor().prefix().and_then(|raw| raw.as_str()).unwrap_or("");
        if !prefix.contains('\n') {
            item.decor_mut().set_prefix("\n  ");
        }
    }
    list.set_trailing_comma(!list.is_empty());
    if list.is_empty() {
        list.set_trailing("");
    } else if !list.trailing().as_str().unwrap_or("").contains('\n') {
        list.set_trailing("\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::object_id::ObjectId;

    #[test]
    fn exceptions_are_added_once_and_read_back() {
        let allow = |byte: u8| Allow {
            blob: ObjectId::from_bytes(&[byte; 20]).unwrap(),
            reason: "a \"quoted\" reason".into(),
        };
        let wanted = [(allow(1), "a.vec in 1234567".to_owned()), (allow(2), "b".to_owned())];
        let (text, added) = add_allowed("version = 1", &wanted).unwrap();
        assert_eq!(added, 2);
        let config = Config::parse(text.as_bytes()).unwrap();
        let read: Vec<_> = config.allow.into_iter().map(|a| a.value).collect();
        assert_eq!(read, [allow(1), allow(2)]);
        assert_eq!(add_allowed(&text, &wanted).unwrap(), (text, 0));
    }

    #[test]
    fn recipients_are_edited_without_touching_anything_else() {
        let text = "# mine\nversion = 1 # v\n\n[seal]\nrecipients = [\n  # Ann\n  \"a\",\n]\n\n# tail\n";
        let added = add_recipient(text, "b").unwrap().unwrap();
        assert_eq!(added, text.replace("\"a\",\n", "\"a\",\n  \"b\",\n"));
        assert_eq!(add_recipient(&added, "b").unwrap(), None);
        assert_eq!(remove_recipient(&added, "b").unwrap().unwrap(), text);
        assert_eq!(remove_recipient(text, "b").unwrap(), None);

        let dos = text.replace('\n', "\r\n");
        assert_eq!(add_recipient(&dos, "b").unwrap().unwrap(), added.replace('\n', "\r\n"));

        let bare = "version = 1\n";
        let added = add_recipient(bare, "a").unwrap().unwrap();
        assert_eq!(added, "version = 1\n\n[seal]\nrecipients = [\n  \"a\",\n]\n");
        assert_eq!(
            remove_recipient(&added, "a").unwrap().unwrap(),
            "version = 1\n\n[seal]\nrecipients = []\n"
        );
    }
}
