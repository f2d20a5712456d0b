//! Recognises private files of agents. Those of version 3 are sealed, and all others count as plaintext.

use memchr::memmem;

use super::sample::{HEAD, Sample};
use crate::format::agent::private::{VERSION, header_of};
use crate::format::agent::{HEADER, RESERVED};

/// The first line of an age file, and the start of its first stanza.
const AGE: [&[u8]; 2] = [b"age-encryption.org/v1\n", b"-> "];

/// What precedes the last line in the header of an age file.
const MAC: &[u8] = b"\n--- ";

/// Length in bytes of the nonce before the ciphertext of an age file.
const NONCE: usize = 16;

/// Length in bytes of the shortest ciphertext: the first line of the plaintext, which binds it to the header, and a tag.
const CIPHERTEXT: usize = "sha256:".len() + 64 + "\n".len() + 16;

/// Returns whether this is a private file that is not sealed: it has the header of one, and what follows is not the age
/// file of version 3, as far as its start shows that.
pub fn is_private_file(sample: &Sample) -> bool {
    if header_of(sample.head).is_none() {
        return false;
    }
    let may_be_sealed = |part: &[u8]| {
        let stanzas = part.strip_prefix(AGE[0]).filter(|rest| rest.starts_with(AGE[1]));
        // The header of a file for very many recipients goes on behind the sample.
        let is_cut = sample.head.len() == HEAD;
        stanzas.is_some_and(
            |rest| match payload(rest).and_then(|payload| payload.get(NONCE..NONCE + CIPHERTEXT)) {
                Some(start) => !is_text(start),
                None => is_cut,
            },
        )
    };
    !sealed_part(sample.head).is_some_and(may_be_sealed)
}

/// Returns what follows the header of an age file, by the stanzas and what follows them.
fn payload(stanzas: &[u8]) -> Option<&[u8]> {
    let mac = &stanzas[memmem::find(stanzas, MAC)? + MAC.len()..];
    Some(&mac[memchr::memchr(b'\n', mac)? + 1..])
}

/// Returns whether bytes are a part of a text: its first and last character may be cut. As many random bytes as the
/// shortest ciphertext has are that by chance in less than one of 2^64 cases.
fn is_text(bytes: &[u8]) -> bool {
    let is_cut = |byte: &&u8| (0x80..0xc0).contains(*byte);
    let cut = bytes.iter().take(3).take_while(is_cut).count();
    std::str::from_utf8(&bytes[cut..]).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// Returns the age file behind the header of a private file with this start, if it claims to be one: the header is of
/// version 3, all its fixed fields have the only values that they may have, and the first line of an age file follows.
pub fn sealed_part(head: &[u8]) -> Option<&[u8]> {
    let (_, header) = header_of(head)?;
    let is_sealed =
        header.version == VERSION && header.flags == 0 && header.number == 0 && header.reserved == [0; RESERVED];
    let part = &head[HEADER..];
    (is_sealed && part.starts_with(AGE[0])).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::agent::private::{PrivateKind, new_header};

    /// A sealed part: the header of an age file, a nonce, and as many bytes as the shortest ciphertext has.
    fn sealed() -> Vec<u8> {
        let noise = [0xff; NONCE + CIPHERTEXT];
        [&b"age-encryption.org/v1\n-> X25519 a\nb\n--- c\n"[..], &noise].concat()
    }

    fn file(change: &[(usize, u8)], payload: &[u8]) -> Vec<u8> {
        let mut bytes = new_header(PrivateKind::Session, [9; 96], [7; 12]).to_vec();
        for (at, byte) in change {
            bytes[*at] = *byte;
        }
        [&bytes, payload].concat()
    }

    fn is_plain(bytes: &[u8]) -> bool {
        is_private_file(&Sample::of(bytes))
    }

    #[test]
    fn a_sealed_file_passes_and_each_change_of_a_fixed_field_does_not() {
        let part = &sealed()[..];
        let sealed = file(&[], part);
        assert!(!is_plain(&sealed));
        assert_eq!(sealed_part(&sealed), Some(part));
        for at in [4, 5, 8, 9, 10, 11, 120, 127] {
            let changed = file(&[(at, sealed[at] ^ 1)], part);
            assert!(is_plain(&changed), "{at}");
            assert_eq!(sealed_part(&changed), None, "{at}");
        }
        for version in (0..=u8::MAX).filter(|version| *version != VERSION) {
            assert!(is_plain(&file(&[(4, version)], part)), "{version}");
        }
        // The snapshot and the salt have any values.
        assert!(!is_plain(&file(&[(12, 0), (107, 0), (108, 0), (119, 0)], part)));
    }

    #[test]
    fn what_only_begins_like_an_age_file_is_not_sealed() {
        for payload in [
            &b""[..],
            b"{}",
            b"age-encryption.org/v1",
            b"age-encryption.org/v1\r\n-> X25519 a\nb\n--- c\n",
            b"age-encryption.org/v2\n-> X25519 a\nb\n--- c\n",
            b"age-encryption.org/v1\n{\"a\":1}",
            b"age-encryption.org/v1\n-> {\"a\":1}",
            b" age-encryption.org/v1\n-> X25519 a\nb\n--- c\n",
            b"-----BEGIN AGE ENCRYPTED FILE-----\n",
        ] {
            assert!(is_plain(&file(&[], payload)), "{payload:?}");
        }
    }

    #[test]
    fn a_payload_that_is_text_or_too_short_is_not_sealed() {
        let part = sealed();
        assert!(is_plain(&file(&[], &part[..part.len() - 1])));
        let header = part.len() - NONCE - CIPHERTEXT;
        let json = format!("{{\"ü\":\"{}\"}}", "ж".repeat(200));
        for text in [
            &b"x".repeat(CIPHERTEXT)[..],
            json.as_bytes(),
            &json.as_bytes()[..CIPHERTEXT],
        ] {
            assert!(is_plain(&file(&[], &[&part[..header], text].concat())));
            assert!(is_plain(&file(&[], &[&part[..header + NONCE], text].concat())));
        }
    }

    #[test]
    fn an_age_header_may_be_longer_than_the_sample() {
        let many = b"-> X25519 a\nb\n".repeat(HEAD / 10);
        let sealed = file(&[], &[AGE[0], &many, b"--- c\nnoise"].concat());
        assert!(!is_plain(&sealed));
    }

    #[test]
    fn other_magic_another_length_of_the_header_and_a_cut_header_are_nothing() {
        for change in [(0, b'g'), (3, b'O'), (3, b'2'), (3, b'6'), (6, 127), (7, 1)] {
            assert!(!is_plain(&file(&[change], b"{}")), "{change:?}");
        }
        assert!(!is_plain(&file(&[], b"")[..HEADER - 1]));
    }
}
