//! Reads keys of version 2.

use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::adapters::agent_store::private::refused;
use crate::format::agent::old::OldKey;
use crate::ops::Context;
use crate::ops::keys::identity::read_secret;
use crate::refusal::Result;
use crate::refusal::private_file::PrivateFault;

/// The largest key file that is read: hexadecimal digits, and the end of their line.
const MAX_FILE: usize = 256;

/// Returns the keys in the files. A file that can be read as raw bytes and as hexadecimal digits gives two.
pub(super) fn read(ctx: &Context, files: &[PathBuf]) -> Result<Vec<OldKey>> {
    let mut keys = Vec::new();
    for file in files {
        let bytes = match read_secret(&ctx.cwd.join(file), MAX_FILE)? {
            None => return Err(refused(file, PrivateFault::NoKey)),
            Some(Err(fault)) => return Err(refused(file, PrivateFault::UnfitKey(fault))),
            Some(Ok(bytes)) => bytes,
        };
        let found = keys_in(&bytes);
        if found.is_empty() {
            return Err(refused(file, PrivateFault::KeyLength));
        }
        keys.extend(found);
    }
    Ok(keys)
}

fn keys_in(bytes: &[u8]) -> Vec<OldKey> {
    let raw = OldKey::of(bytes);
    let hex = hex(bytes.trim_ascii()).and_then(|bytes| OldKey::of(&bytes));
    raw.into_iter().chain(hex).collect()
}

fn hex(digits: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8);
    digits.chunks(2).map(byte).collect::<Option<_>>().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_raw_or_in_hexadecimal_digits() {
        let key = |bytes: &[u8]| OldKey::of(bytes).unwrap();
        assert_eq!(keys_in(&[0xff; 32]), [key(&[0xff; 32])]);
        assert_eq!(keys_in(b"0123456789abcdef-"), [key(b"0123456789abcdef-")]);
        let text = b"01000000000000000200000000000000030000000000000000000000000000Fe\r\n";
        let bytes = [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3];
        assert_eq!(keys_in(text), [key(&bytes)]);
        assert_eq!(keys_in(&[b'0'; 32]), [key(&[b'0'; 32]), key(&[0; 16])]);
        for bad in [&b""[..], b"short", &[b'0'; 33], &[b'0'; 66], &[0xff; 33]] {
            assert_eq!(keys_in(bad), [], "{bad:?}");
        }
    }
}
