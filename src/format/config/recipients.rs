//! Recipients files, and the comparison of recipients.

use crate::format::config::lines::text_of;
use crate::format::config::{ConfigError, Located};

/// Parses a recipients file, and returns each recipient with its line.
///
/// The format is that of `age -R`: one recipient on each line, with blank lines and `#` comments allowed.
pub fn parse_recipients_file(bytes: &[u8]) -> Result<Vec<Located<String>>, ConfigError> {
    let text = text_of(bytes)?;
    let lines = text.lines().map(str::trim).enumerate();
    let named: Vec<_> = lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(at, line)| Located {
            value: line.to_owned(),
            line: at + 1,
        })
        .collect();
    match named.is_empty() {
        true => Err(ConfigError {
            line: None,
            problem: "it names no recipient".into(),
        }),
        false => Ok(named),
    }
}

/// Returns whether two texts name the same recipient. Ignores the comment after an SSH public key.
pub fn is_same_recipient(a: &str, b: &str) -> bool {
    a.split_ascii_whitespace()
        .take(2)
        .eq(b.split_ascii_whitespace().take(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::config::{add_recipient, remove_recipient};

    #[test]
    fn a_recipients_file_is_lines_and_an_ssh_key_is_itself_whatever_its_comment() {
        let named = parse_recipients_file(b"# us\n\n  age1x  \r\nssh-rsa AAAA me\n").unwrap();
        let named: Vec<_> = named.iter().map(|r| (r.value.as_str(), r.line)).collect();
        assert_eq!(named, [("age1x", 3), ("ssh-rsa AAAA me", 4)]);
        assert!(parse_recipients_file(b"# nobody\n").is_err());
        let text = add_recipient("version = 1\n", "ssh-rsa AAAA me").unwrap().unwrap();
        assert!(text.contains("\"ssh-rsa AAAA me\""));
        assert_eq!(add_recipient(&text, "ssh-rsa AAAA you").unwrap(), None);
        assert!(add_recipient(&text, "ssh-rsa AAAB me").unwrap().is_some());
        assert!(remove_recipient(&text, "ssh-rsa AAAA").unwrap().is_some());
    }
}
