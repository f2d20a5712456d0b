//! Finds private keys in JSON Web Key form (RFC 7517), alone, in a set or within other text.

use memchr::{memchr, memchr_iter, memmem, memrchr};

/// Most bytes of a key before its kind: the numbers of a large RSA key.
pub const BEFORE: usize = 8 * 1024;

/// Most bytes of a key after its kind.
pub const AFTER: usize = 16 * 1024;

/// The member that names the kind of a key, as the markers begin.
const KIND: &[u8] = b"kty";

/// Fewest different letters in a secret value, so that a placeholder is not one.
const LETTERS: usize = 12;

/// Returns whether a private or secret key surrounds the member `kty` at `at`.
///
/// The object around it must have the secret member of its kind, with a long value in base64url. Quotes may be escaped,
/// as in JSON within a string, or be those of other languages.
pub fn is_around(window: &[u8], at: usize) -> bool {
    let before = &window[at.saturating_sub(BEFORE)..at];
    let Some((secret, least)) = secret(value(&window[at + KIND.len()..])) else {
        return false;
    };
    let Some(open) = memrchr(b'{', before) else {
        return false;
    };
    // The first `kty` of an object is enough, and a text full of them costs no more.
    if memmem::find(&before[open..], KIND).is_some() {
        return false;
    }
    let after = &window[at..window.len().min(at + AFTER)];
    let end = at + memchr(b'}', after).unwrap_or(after.len());
    has_secret(&window[at - (before.len() - open)..end], secret, least)
}

/// Returns the secret member of a kind of key, and the fewest letters of its value.
fn secret(kind: &[u8]) -> Option<(&'static [u8], usize)> {
    match kind {
        b"RSA" => Some((b"d", 64)),
        b"EC" | b"OKP" => Some((b"d", 42)),
        b"AKP" => Some((b"priv", 42)),
        b"oct" => Some((b"k", 22)),
        _ => None,
    }
}

fn has_secret(object: &[u8], secret: &[u8], least: usize) -> bool {
    memchr_iter(b':', object).any(|colon| {
        let name = object[..colon].iter().rposition(|b| !is_around_word(*b));
        let Some(named) = name.and_then(|last| object[..=last].strip_suffix(secret)) else {
            return false;
        };
        let whole = named.last().is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_');
        let value = value(&object[colon..]);
        let mut seen = [false; 256];
        value.iter().for_each(|b| seen[usize::from(*b)] = true);
        whole && value.len() >= least && seen.iter().filter(|seen| **seen).count() >= LETTERS
    })
}

/// Returns the letters of base64url after quotes, a colon and white space.
fn value(text: &[u8]) -> &[u8] {
    const SPACE: usize = 64;
    let start = text.iter().take(SPACE).position(|b| !is_around_word(*b) && *b != b':');
    let rest = start.map_or(&text[..0], |start| &text[start..]);
    let letter = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'+' | b'/' | b'=');
    let end = rest.iter().position(|b| !letter(b)).unwrap_or(rest.len());
    &rest[..end]
}

/// Returns whether a byte may stand between a name or a value and the colon: quotes, their escapes and white space.
fn is_around_word(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'\\') || byte.is_ascii_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(text: &str) -> bool {
        let mut found = memmem::find_iter(text.as_bytes(), KIND);
        found.any(|at| is_around(text.as_bytes(), at))
    }

    #[test]
    fn the_secret_member_of_the_kind_decides() {
        let value = "JhvmoGkd1OkNxxLK1EhRCOV650PosKSwFSWpy_3wSDk";
        assert!(has(&format!(r#"{{"kty":"EC","d":"{value}"}}"#)));
        assert!(has(&format!(r#"{{"d" : "{value}", "kty" : "OKP"}}"#)));
        assert!(has(&format!(r#"{{\"kty\":\"EC\",\"d\":\"{value}\"}}"#)));
        assert!(has(&format!("{{kty: 'oct', k: '{value}'}}")));
        assert!(has(&format!(r#"{{"kty":"AKP","priv":"{value}"}}"#)));
        assert!(!has(&format!(r#"{{"kty":"oct","d":"{value}"}}"#)));
        assert!(!has(&format!(r#"{{"kty":"EC","kid":"{value}","x":"{value}"}}"#)));
        assert!(!has(&format!(r#"{{"kty":"EC"}},{{"d":"{value}"}}"#)));
        assert!(!has(&format!(r#"{{"kty":"EC","d":"{}"}}"#, "x".repeat(43))));
        assert!(!has(r#"{"kty":"EC","d":"..."}"#));
        assert!(!has(&format!(r#"{{"kty":"other","d":"{value}"}}"#)));
    }
}
