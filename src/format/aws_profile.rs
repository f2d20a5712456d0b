//! The shared files of AWS tools, `~/.aws/config` and `~/.aws/credentials`: sections with keys and values.

use std::collections::BTreeMap;

/// What one profile has.
pub type Profile = BTreeMap<String, String>;

/// Which of the two files a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedFile {
    /// `config`, where a section is `[profile NAME]`, or `[default]`.
    Config,
    /// `credentials`, where a section is `[NAME]`.
    Credentials,
}

/// Returns the keys and values of one profile. `None` if the text has no such section.
///
/// The error is the number of a line that is neither. It holds nothing of the line, which may be a secret.
pub fn profile(text: &str, file: SharedFile, name: &str) -> Result<Option<Profile>, usize> {
    let mut found: Option<Profile> = None;
    let mut inside = None;
    for (number, line) in (1..).zip(text.lines()) {
        // An indented line belongs to the key above it. No key that is read has such lines.
        if line.trim().is_empty() || line.starts_with(['#', ';', ' ', '\t']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            let header = header.split_once(']').ok_or(number)?.0;
            let is_wanted = section(header, file) == Some(name);
            if is_wanted {
                found.get_or_insert_default();
            }
            inside = Some(is_wanted);
            continue;
        }
        let (key, value) = line.split_once('=').ok_or(number)?;
        match (inside, &mut found) {
            (Some(true), Some(profile)) => {
                let key = key.trim().to_ascii_lowercase();
                let value = match key.as_str() {
                    // In a command, such a mark may stand between quotes.
                    "credential_process" => value.trim(),
                    _ => without_comment(value),
                };
                profile.insert(key, value.to_owned());
            }
            (Some(_), _) => {}
            (None, _) => return Err(number),
        }
    }
    Ok(found)
}

/// Returns the words of a command as a shell would divide it. `None` if a quote does not end, or there are no words.
///
/// No shell sees the command: variables, `~` and operators are text like any other.
pub fn command_words(command: &str) -> Option<Vec<String>> {
    shlex::split(command).filter(|words| !words.is_empty())
}

/// Returns the profile that the header of a section names.
fn section(header: &str, file: SharedFile) -> Option<&str> {
    let header = header.trim();
    let name = match (file, header.split_once(char::is_whitespace)) {
        (SharedFile::Config, Some(("profile", name))) => name.trim(),
        (SharedFile::Config, None) if header == "default" => header,
        (SharedFile::Config, _) => return None,
        (SharedFile::Credentials, _) => header,
    };
    Some(name.trim_matches('"'))
}

/// Returns a value without spaces around it, and without the comment that may follow it.
fn without_comment(value: &str) -> &str {
    let comment = [" #", " ;", "\t#", "\t;"]
        .iter()
        .filter_map(|mark| value.find(mark))
        .min();
    value[..comment.unwrap_or(value.len())].trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_found_in_both_files() {
        let config = "# c\n[default]\nregion = eu-west-1 # here\n\n[profile  ci]\nregion=us-east-2\ns3 =\n  x = y\n\
                      ENDPOINT_URL = http://localhost:1/#x\n[profile \"a b\"]\nregion = r\n[ci]\nregion = other\n";
        let value = |name: &str, key: &str| {
            let profile = profile(config, SharedFile::Config, name).unwrap()?;
            profile.get(key).cloned()
        };
        assert_eq!(value("default", "region").unwrap(), "eu-west-1");
        assert_eq!(value("ci", "region").unwrap(), "us-east-2");
        assert_eq!(value("ci", "endpoint_url").unwrap(), "http://localhost:1/#x");
        assert_eq!(value("ci", "x"), None);
        assert_eq!(value("a b", "region").unwrap(), "r");
        assert_eq!(value("none", "region"), None);
        let credentials = "[ci]\naws_secret_access_key = a=b/c+\n[default]\n";
        let ci = profile(credentials, SharedFile::Credentials, "ci").unwrap().unwrap();
        assert_eq!(ci["aws_secret_access_key"], "a=b/c+");
        assert_eq!(
            profile(credentials, SharedFile::Credentials, "default"),
            Ok(Some(Profile::new()))
        );
    }

    #[test]
    fn a_command_is_divided_but_nothing_in_it_is_expanded() {
        let config = "[default]\ncredential_process = \"/opt/my tools/get\" --role 'a ; b' $HOME `id` && x\n";
        let profile = profile(config, SharedFile::Config, "default").unwrap().unwrap();
        let words = command_words(&profile["credential_process"]).unwrap();
        let expected = ["/opt/my tools/get", "--role", "a ; b", "$HOME", "`id`", "&&", "x"];
        assert_eq!(words, expected);
        assert_eq!(command_words("\"open"), None);
        assert_eq!(command_words(" "), None);
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error() {
        for (text, line) in [("[default]\nsecret\n", 2), ("key = 1\n", 1), ("\n[default\n", 2)] {
            assert_eq!(profile(text, SharedFile::Config, "default"), Err(line), "{text}");
        }
    }
}
