//! Edits a `.gitpack.toml`, and the file that its `allow_file` names, without touching other text.

use toml_edit::{Array, DocumentMut, Item, Table, value};

use crate::format::config::recipients::is_same_recipient;
use crate::format::config::{Allow, Config, ConfigError, parse_allow_file};
use crate::format::member_path::MemberPath;

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

/// The text of a new file for exceptions.
pub const NEW_ALLOW_FILE: &str = "# Blobs that anyone may read although a rule protects them, each with a reason.\n\
    # allow_file in .gitpack.toml names this file.\n";

/// Exceptions under one comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowGroup {
    /// The comment, in one line.
    pub about: String,
    /// The exceptions, in the order in which they are written.
    pub entries: Vec<Allow>,
}

/// Returns the text of a `.gitpack.toml` with these groups at its end, otherwise unchanged.
pub fn add_to_config(text: &str, groups: &[AllowGroup]) -> Result<String, ConfigError> {
    let added = add(text, groups);
    // An edit must never leave a file that cannot be parsed.
    Config::parse(added.as_bytes())?;
    Ok(added)
}

/// Returns the text of an `allow_file` with these groups at its end, otherwise unchanged.
pub fn add_to_allow_file(text: &str, groups: &[AllowGroup]) -> Result<String, ConfigError> {
    let added = add(text, groups);
    parse_allow_file(added.as_bytes())?;
    Ok(added)
}

/// The line in which the template of `.gitpack.toml` explains `allow_file`.
const ALLOW_FILE_EXAMPLE: &str = "# allow_file = \"accepted.toml\"";

/// Returns the text of a `.gitpack.toml` with this `allow_file`, in the place of the template's example if it is still there,
/// otherwise unchanged.
pub fn set_allow_file(text: &str, path: &MemberPath) -> Result<String, ConfigError> {
    Config::parse(text.as_bytes())?;
    let mut document: DocumentMut = text.parse().expect("a text that parsed as TOML once does so again");
    document.insert("allow_file", value(path.as_str()));
    let edited = like(text, &document.to_string());
    let named = Config::parse(edited.as_bytes())?;
    if let Some(in_place) = in_place_of_example(text, path)
        && Config::parse(in_place.as_bytes())
            .is_ok_and(|config| config.allow_file.map(|file| file.value) == named.allow_file.map(|file| file.value))
    {
        return Ok(in_place);
    }
    Ok(edited)
}

/// Returns the text with the key in the place of the example. `None` if there is not exactly one example.
fn in_place_of_example(text: &str, path: &MemberPath) -> Option<String> {
    let is_example = |line: &&str| line.trim_end() == ALLOW_FILE_EXAMPLE;
    if text.lines().filter(is_example).count() != 1 {
        return None;
    }
    let line = format!("allow_file = {}", toml_edit::Value::from(path.as_str()));
    Some(text.replacen(ALLOW_FILE_EXAMPLE, &line, 1))
}

fn add(text: &str, groups: &[AllowGroup]) -> String {
    let mut more = String::new();
    if !text.is_empty() && !text.ends_with('\n') {
        more.push('\n');
    }
    for group in groups {
        more.push_str(&format!("\n# {}\n", group.about));
        for allow in &group.entries {
            let reason = toml_edit::Value::from(allow.reason.as_str());
            more.push_str(&format!(
                "[[allow]]\nblob = \"{}\"\nreason = {reason}\n",
                allow.blob.hex()
            ));
        }
    }
    format!("{text}{}", like(text, &more))
}

/// Returns `edited` with the line ends of `text`.
fn like(text: &str, edited: &str) -> String {
    match text.contains("\r\n") {
        true => edited.replace("\r\n", "\n").replace('\n', "\r\n"),
        false => edited.to_owned(),
    }
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
    Ok(Some(like(text, &edited)))
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

    fn group(about: &str, bytes: &[u8]) -> AllowGroup {
        let entry = |byte: &u8| Allow {
            blob: ObjectId::from_bytes(&[*byte; 20]).unwrap(),
            reason: "a \"quoted\" reason\nof two lines".into(),
        };
        AllowGroup {
            about: about.to_owned(),
            entries: bytes.iter().map(entry).collect(),
        }
    }

    #[test]
    fn groups_are_added_and_read_back() {
        let groups = [group("a.vec: 2 blobs", &[1, 2]), group("b.vec: 1 blob", &[3])];
        let wanted: Vec<Allow> = groups.iter().flat_map(|group| group.entries.clone()).collect();
        let text = add_to_config("version = 1", &groups).unwrap();
        let read = Config::parse(text.as_bytes()).unwrap().allow;
        assert_eq!(read.into_iter().map(|allow| allow.value).collect::<Vec<_>>(), wanted);
        assert_eq!(text.matches('#').count(), 2);
        let text = add_to_allow_file(NEW_ALLOW_FILE, &groups).unwrap();
        let read = parse_allow_file(text.as_bytes()).unwrap();
        assert_eq!(read.into_iter().map(|allow| allow.value).collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn what_stands_there_stays() {
        let text = "# mine\n[[allow]] # why\nblob = '0101010101010101010101010101010101010101'\nreason = 'x'\n# end";
        for text in [text.to_owned(), text.replace('\n', "\r\n")] {
            let added = add_to_allow_file(&text, &[group("b.vec: 1 blob", &[2])]).unwrap();
            assert!(added.starts_with(&text), "{added}");
            assert_eq!(added.contains("\r\n"), text.contains("\r\n"));
            assert_eq!(
                added.matches('\n').count() - added.matches("\r\n").count(),
                match text.contains("\r\n") {
                    true => 0,
                    false => added.matches('\n').count(),
                }
            );
        }
    }

    #[test]
    fn a_text_that_could_not_be_read_back_is_not_written() {
        assert!(add_to_config("version = 1\nallow = []\n", &[group("a", &[1])]).is_err());
        assert!(add_to_allow_file("", &[group("a\nb = 1", &[1])]).is_err());
        assert!(add_to_allow_file("", &[group("a \u{7}", &[1])]).is_err());
    }

    #[test]
    fn the_allow_file_is_named_above_all_tables() {
        let path = MemberPath::parse("known/accepted.toml").unwrap();
        let text = "# mine\nversion = 1 # v\n\n# who\n[seal]\nrecipients = []\n\n[[protect]]\nclass = \"a\"\npaths = [\"b\"]\n";
        for text in [text.to_owned(), text.replace('\n', "\r\n")] {
            let named = set_allow_file(&text, &path).unwrap();
            let config = Config::parse(named.as_bytes()).unwrap();
            assert_eq!(config.allow_file.unwrap().value, path);
            let line = match text.contains("\r\n") {
                true => "allow_file = \"known/accepted.toml\"\r\n",
                false => "allow_file = \"known/accepted.toml\"\n",
            };
            assert_eq!(named.replace(line, ""), text);
        }
    }

    #[test]
    fn the_example_of_the_template_becomes_the_key() {
        let path = MemberPath::parse("known/a.toml").unwrap();
        let text = "version = 1\n\n# why\n#\n# allow_file = \"accepted.toml\"\n\n[seal]\nrecipients = []\n";
        let named = set_allow_file(text, &path).unwrap();
        assert_eq!(
            named,
            text.replace("# allow_file = \"accepted.toml\"", "allow_file = \"known/a.toml\"")
        );
        // Below a table, the key would be one of the table.
        let text = "version = 1\n[seal]\nrecipients = []\n# allow_file = \"accepted.toml\"\n";
        let named = set_allow_file(text, &path).unwrap();
        assert!(
            named.starts_with("version = 1\nallow_file = \"known/a.toml\"\n[seal]"),
            "{named}"
        );
    }
}
