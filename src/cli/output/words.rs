//! Small words: counts, sizes, durations, colours, and names as a shell takes them.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use bytesize::ByteSize;

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

/// Quotes `name` as one word for a POSIX shell. The result has no line break.
pub(crate) fn quoted(name: &[u8]) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"_-./+@%:,".contains(b) || *b >= 0x80;
    let text = std::str::from_utf8(name);
    if let Ok(text) = text
        && !text.chars().any(char::is_control)
    {
        if !name.is_empty() && name.iter().all(plain) {
            return text.to_owned();
        }
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut octal = String::new();
    for byte in name {
        match byte {
            b if plain(b) && *b < 0x80 && *b != b'%' => octal.push(char::from(*b)),
            b => octal.push_str(&format!("\\{b:03o}")),
        }
    }
    format!("\"$(printf '{octal}')\"")
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
        ] {
            let script = format!("printf %s {}", quoted(name));
            let output = std::process::Command::new("sh")
                .arg("-c")
                .arg(&script)
                .output()
                .unwrap();
            assert_eq!(output.stdout, name, "{script}");
            assert!(!script.contains('\n'));
        }
    }
}
