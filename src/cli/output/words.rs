//! Small words: counts, sizes, durations, colours, and names as a shell takes them.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use bytesize::ByteSize;
use unicode_normalization::UnicodeNormalization;

use crate::cli::output::Output;
use crate::refusal::shown::is_hidden;

/// Red: what blocks.
pub(crate) const BLOCKS: Style = AnsiColor::Red.on_default().bold();
/// Yellow: what needs a look.
pub(crate) const LOOK: Style = AnsiColor::Yellow.on_default();
/// Green: what was proven.
pub(crate) const PROVEN: Style = AnsiColor::Green.on_default();
/// Bold: what to type.
pub(crate) const TYPE: Style = Style::new().bold();

/// Paints `text`.
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Returns a command to type, after an arrow.
pub(crate) fn arrow(command: &str) -> String {
    format!("→ {}", paint(TYPE, command))
}

/// Tells that nothing was changed, at the end of a run that only prints what would be done.
pub(crate) fn unchanged(output: &mut Output) {
    output.err("  dry run: nothing was changed\n");
}

/// Returns `1 file`, `2 files`.
pub(crate) fn count(n: u64, one: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        _ => format!("{n} {one}s"),
    }
}

/// Returns a size with a binary unit: `3.4 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return count(bytes, "byte");
    }
    let text = ByteSize::b(bytes).display().iec().to_string();
    match text.starts_with("1024.0 ") {
        // Rounded up to a whole one of the next unit.
        true => ByteSize::b(bytes.next_power_of_two()).display().iec().to_string(),
        false => text,
    }
}

/// Returns `9 ms` or `0.31 s`.
pub(crate) fn duration(time: Duration) -> String {
    match time.as_millis() {
        ms @ 0..100 => format!("{ms} ms"),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}

/// Returns a name or URL without the user and password that may stand in a URL.
pub(crate) fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let host = rest.split('/').next().unwrap_or(rest);
    match host.rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => text.to_owned(),
    }
}

/// Quotes `name` as one word to paste into a shell: as it is, in `'…'` or, if the terminal could show or change something
/// else, in `$'…'` with escapes. The result has no line break.
pub(crate) fn quoted(name: &[u8]) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"_-./+@%:,".contains(b) || *b >= 0x80;
    match std::str::from_utf8(name) {
        Ok(text) if text.chars().any(is_hidden) || !is_composed(text) => escaped(name),
        Ok(text) if !text.is_empty() && name.iter().all(plain) && !text.contains(char::is_whitespace) => {
            text.to_owned()
        }
        Ok(text) => format!("'{}'", text.replace('\'', r"'\''")),
        Err(_) => escaped(name),
    }
}

/// Quotes a path as an argument that is not taken for a flag.
pub(crate) fn argument(path: &[u8]) -> String {
    match path.starts_with(b"-") {
        true => quoted(&[b"./", path].concat()),
        false => quoted(path),
    }
}

/// Quotes the pathspec of git that matches this path only.
pub(crate) fn pathspec(path: &[u8]) -> String {
    let magic = path.starts_with(b":") || path.iter().any(|b| b"*?[\\".contains(b));
    match magic {
        true => quoted(&[b":(literal)", path].concat()),
        false => quoted(path),
    }
}

/// Returns a word in `$'…'`. Bytes beyond ASCII are octal, so that a terminal cannot compose them anew.
fn escaped(name: &[u8]) -> String {
    let mut word = String::from("$'");
    for byte in name {
        match byte {
            b'\'' | b'\\' => word.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => word.push(char::from(*byte)),
            b'\n' => word.push_str("\\n"),
            b'\t' => word.push_str("\\t"),
            b'\r' => word.push_str("\\r"),
            _ => word.push_str(&format!("\\{byte:03o}")),
        }
    }
    word.push('\'');
    word
}

/// Returns whether the letters of a text are in composed form (NFC), in which terminals pass text on.
fn is_composed(text: &str) -> bool {
    unicode_normalization::is_nfc(text)
}

/// Returns a text with its letters in composed form, in which look-alikes are equal.
pub(crate) fn composed(text: &str) -> String {
    text.nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_few_digits() {
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(1), "1 byte");
        assert_eq!(size(1024), "1.0 KiB");
        assert_eq!(size(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(size(3_565_158), "3.4 MiB");
        assert_eq!(duration(Duration::from_micros(9_400)), "9 ms");
        assert_eq!(duration(Duration::from_millis(312)), "0.31 s");
    }

    #[test]
    #[cfg(unix)]
    fn a_shell_reads_quoted_names_back() {
        for name in [
            &b"a/b.vec"[..],
            b"a b",
            b"it's",
            b"$x`y`",
            b"line\nbreak",
            b"\xff\x01%",
            b"-n",
            b"*",
            b"line break at the end\n",
            b"a\r\t'\\\"1",
            b"\x011",
            b"space at the end ",
            b"~",
            "caf\u{e9}".as_bytes(),
            "cafe\u{301}.vec".as_bytes(),
            "no\u{a0}break\u{a0}".as_bytes(),
            "zero\u{200b}width".as_bytes(),
            "turned\u{202e}round".as_bytes(),
        ] {
            let script = format!("printf %s {}", quoted(name));
            let output = std::process::Command::new("bash")
                .arg("-c")
                .arg(&script)
                .output()
                .unwrap();
            assert_eq!(output.stdout, name, "{script}");
            assert!(!script.contains('\n'));
        }
    }

    #[test]
    fn names_are_escaped_only_where_a_terminal_could_change_or_hide_something() {
        for (name, expected) in [
            ("caf\u{e9}.vec", "caf\u{e9}.vec"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("a ", "'a '"),
            ("a\u{a0}", "'a\u{a0}'"),
            ("cafe\u{301}.vec", r"$'cafe\314\201.vec'"),
            ("a\nb'c", r"$'a\nb\'c'"),
            ("a\u{202e}b", r"$'a\342\200\256b'"),
        ] {
            assert_eq!(quoted(name.as_bytes()), expected);
        }
        assert_eq!(argument(b"-x y"), "'./-x y'");
        assert_eq!(pathspec(b"a*\n"), r"$':(literal)a*\n'");
        assert_eq!(pathspec(b":/"), "':(literal):/'");
    }
}
