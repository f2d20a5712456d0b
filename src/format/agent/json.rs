//! Whether bytes are JSON. Nothing is built of it, so numbers, depth and duplicate keys have no bounds.

use serde::de::IgnoredAny;

use crate::refusal::private_file::JsonFault;

/// Refuses bytes that are not one JSON value in UTF-8.
pub fn ensure_json(bytes: &[u8]) -> Result<(), JsonFault> {
    if bytes.starts_with("\u{feff}".as_bytes()) {
        return Err(JsonFault::ByteOrderMark);
    }
    // The parser looks at strings only when it builds them.
    std::str::from_utf8(bytes).map_err(|_| JsonFault::NotUtf8)?;
    serde_json::from_slice::<IgnoredAny>(bytes)
        .map(drop)
        .map_err(|e| JsonFault::Syntax { said: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_json_is_json() {
        let deep = [vec![b'['; 1 << 20], vec![b']'; 1 << 20]].concat();
        let long = "9".repeat(1 << 20);
        for good in [
            &b"{}"[..],
            b" null\n",
            b"1e999999",
            br#"{"a":1,"a":2,"\u0000\ud800":"\/"}"#,
            "\"\u{feff}ä\u{10ffff}\"".as_bytes(),
            &deep,
            long.as_bytes(),
        ] {
            assert_eq!(ensure_json(good), Ok(()), "{:?}", &good[..good.len().min(20)]);
        }
    }

    #[test]
    fn what_is_near_to_json_is_refused() {
        assert_eq!(ensure_json(b"\xef\xbb\xbf{}"), Err(JsonFault::ByteOrderMark));
        assert_eq!(ensure_json(b"\"\xff\""), Err(JsonFault::NotUtf8));
        assert_eq!(ensure_json(b"\"\xed\xa0\x80\""), Err(JsonFault::NotUtf8));
        for bad in [
            &b""[..],
            b" ",
            b"{}\0",
            b"\"\0\"",
            b"{} {}",
            b"{",
            b"[1,]",
            b"{'a':1}",
            b"01",
            b"NaN",
            b"\"\n\"",
            b"\"\\x\"",
        ] {
            let fault = ensure_json(bad);
            assert!(matches!(fault, Err(JsonFault::Syntax { .. })), "{bad:?}: {fault:?}");
        }
    }
}
