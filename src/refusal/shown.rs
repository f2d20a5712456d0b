//! Makes foreign names safe to show: quotes them as git does.

use std::path::Path;

/// Returns `path` for display: unchanged if it is harmless, otherwise quoted as git does it (`"a\nb\377"`), so that no
/// name can break a line or send control sequences to the terminal.
pub fn shown(path: &[u8]) -> String {
    let text = std::str::from_utf8(path);
    if let Ok(text) = text
        && !text.chars().any(is_unsafe_to_print)
    {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                '"' | '\\' => out.extend(['\\', c]),
                c if is_unsafe_to_print(c) => push_octal(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => out.push(c),
            }
        }
        push_octal(&mut out, chunk.invalid());
    }
    out.push('"');
    out
}

/// Returns `path` for people: like [`shown`], and also quoted if white space at an end would be overlooked.
pub fn visible(path: &[u8]) -> String {
    let shown = shown(path);
    let at_end = |c: char| c.is_whitespace();
    match shown.starts_with(at_end) || shown.ends_with(at_end) {
        true => format!("\"{}\"", shown.replace('\\', r"\\")),
        false => shown,
    }
}

/// Returns a path for display, like [`shown`].
pub fn shown_path(path: &Path) -> String {
    shown(path.as_os_str().as_encoded_bytes())
}

/// Number of characters of a text that a message shows. A hostile path may have millions.
pub const TOLD: usize = 200;

/// Returns the start of a text, for messages.
pub fn brief(text: &str) -> String {
    match text.char_indices().nth(TOLD) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Returns the start of a text for display, like [`shown`].
pub fn told(text: &str) -> String {
    shown(brief(text).as_bytes())
}

/// Undoes [`shown`]. `None` if [`shown`] never returns this text.
pub fn unshown(text: &str) -> Option<String> {
    let path = match text.strip_prefix('"') {
        None => text.as_bytes().to_vec(),
        Some(rest) => unquoted(rest.strip_suffix('"')?.as_bytes())?,
    };
    String::from_utf8(path)
        .ok()
        .filter(|path| shown(path.as_bytes()) == text)
}

fn unquoted(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut path = Vec::with_capacity(rest.len());
    while let [first, behind @ ..] = rest {
        let (byte, behind) = match (first, behind) {
            (b'\\', [b'n', behind @ ..]) => (b'\n', behind),
            (b'\\', [b't', behind @ ..]) => (b'\t', behind),
            (b'\\', [b'r', behind @ ..]) => (b'\r', behind),
            (b'\\', [c @ (b'"' | b'\\'), behind @ ..]) => (*c, behind),
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', behind @ ..]) => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), behind)
            }
            (b'\\', _) => return None,
            (byte, behind) => (*byte, behind),
        };
        path.push(byte);
        rest = behind;
    }
    Some(path)
}

/// Returns a sentence for display: unchanged, unless it could break a line or send control sequences to the terminal.
pub fn harmless(text: &str) -> String {
    match text.chars().any(|c| c != '"' && is_unsafe_to_print(c)) {
        true => shown(text.as_bytes()),
        false => text.to_owned(),
    }
}

fn push_octal(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        out.push_str(&format!("\\{byte:03o}"));
    }
}

/// Returns whether a character must be escaped: the quote that marks a quoted name, and what a terminal does not show.
fn is_unsafe_to_print(c: char) -> bool {
    c == '"' || is_hidden(c)
}

/// Returns whether a terminal does not show a character as such: control characters, and characters that reorder or hide
/// text.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// What stands in place of a private key that somebody gave where a name belongs.
pub const HIDDEN_KEY: &str = "(a private key)";

/// Returns a text without the private keys in it: PEM, OpenSSH and age. A message repeats what somebody gave as the name of
/// a file, and that can be the key itself by mistake.
pub fn without_private_keys(text: &str) -> String {
    const PEM: &str = "PRIVATE KEY-----";
    let mut rest = text.to_owned();
    if let Some(marker) = rest.find(PEM) {
        let begin = rest[..marker].rfind("-----BEGIN").unwrap_or(marker);
        let last = rest.rfind(PEM).unwrap_or(marker);
        let ends = rest[..last].rfind("-----END") > rest[..last].rfind("-----BEGIN");
        // A message can cut a key, and name it twice. Without an end, all that follows can be the key.
        let end = if ends { last + PEM.len() } else { rest.len() };
        rest.replace_range(begin..end, HIDDEN_KEY);
    }
    for prefix in ["AGE-SECRET-KEY-", "AGE-PLUGIN-"] {
        let mut at = 0;
        while let Some(found) = rest[at..].find(prefix) {
            let begin = at + found;
            let key = &rest[begin + prefix.len()..];
            let length = key
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                .unwrap_or(key.len());
            // A message may name the form of a key.
            at = begin + prefix.len() + length;
            if length >= 20 {
                rest.replace_range(begin..at, HIDDEN_KEY);
                at = begin + HIDDEN_KEY.len();
            }
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::{shown, unshown, visible, without_private_keys};

    #[test]
    fn private_keys_are_not_repeated() {
        let pem = "-----BEGIN OPENSSH PRIVATE KEY-----\\nb3Blbn\\n-----END OPENSSH PRIVATE KEY-----\\n";
        let age = format!("AGE-SECRET-KEY-1{}", "Q".repeat(58));
        for (text, expected) in [
            (format!("\"{pem}\": missing"), "\"(a private key)\\n\": missing"),
            (
                format!("{age} and {age}: no"),
                "(a private key) and (a private key): no",
            ),
            ("x -----BEGIN PRIVATE KEY-----MIGH".to_owned(), "x (a private key)"),
            (
                "'-----BEGIN PRIVATE KEY-----MIGH', use '-- -----BEGIN PRIVATE KEY-----MIGH' x".to_owned(),
                "'(a private key)",
            ),
            (format!("{pem} -----BEGIN PRIVATE KEY-----MIGH"), "(a private key)"),
            (format!("x {pem} or {pem}"), "x (a private key)\\n"),
            ("an AGE-SECRET-KEY-1… line".to_owned(), "an AGE-SECRET-KEY-1… line"),
            ("-----BEGIN PUBLIC KEY-----x".to_owned(), "-----BEGIN PUBLIC KEY-----x"),
        ] {
            assert_eq!(without_private_keys(&text), expected);
        }
    }

    #[test]
    fn white_space_at_an_end_can_be_seen() {
        for (path, expected) in [
            ("a ", "\"a \""),
            (" a", "\" a\""),
            ("a\u{a0}", "\"a\u{a0}\""),
            (r"a\ ", r#""a\\ ""#),
            ("a b", "a b"),
            ("a\n ", r#""a\n ""#),
        ] {
            assert_eq!(visible(path.as_bytes()), expected);
        }
    }

    #[test]
    fn what_is_shown_comes_back_and_nothing_else_does() {
        for path in ["a b", "a\nb", "\"", "\\", "a\u{202e}\\\"\t\r\u{1}", ""] {
            assert_eq!(unshown(&shown(path.as_bytes())).as_deref(), Some(path));
        }
        for text in ["\"a\"", "\"a", "\"\\x\\n\"", "\"\\012\"", "\"\\377\"", "a\nb"] {
            assert_eq!(unshown(text), None, "{text}");
        }
    }

    #[test]
    fn names_cannot_break_lines_or_speak_to_the_terminal() {
        assert_eq!(shown("ä b/c".as_bytes()), "ä b/c");
        assert_eq!(shown(b"a\nb"), "\"a\\nb\"");
        assert_eq!(shown(b"a\x1b[31m"), "\"a\\033[31m\"");
        assert_eq!(shown(b"\xff\"\\"), "\"\\377\\\"\\\\\"");
        assert_eq!(shown("a\u{202e}b".as_bytes()), "\"a\\342\\200\\256b\"");
    }
}
