//! Decides whether content is text and which fence it needs, from a stream of bytes.

/// Examines a stream of bytes.
#[derive(Clone, Debug, Default)]
pub struct TextWatch {
    not_text: bool,
    /// The bytes of a character that is not complete yet.
    begun: Vec<u8>,
    run: usize,
    longest: usize,
    last: Option<u8>,
}

/// The properties of a text that decide how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextShape {
    /// Length of the longest run of backticks.
    pub backticks: usize,
    /// Whether the text ends in a newline or is empty.
    pub is_closed: bool,
}

impl TextShape {
    /// Returns the number of backticks of its fence: more than the longest run in it, and at least three.
    pub fn fence(&self) -> usize {
        self.backticks.saturating_add(1).max(3)
    }
}

impl TextWatch {
    /// Examines the next bytes.
    pub fn see(&mut self, bytes: &[u8]) {
        self.last = bytes.last().copied().or(self.last);
        if self.not_text {
            return;
        }
        for byte in bytes {
            match byte {
                0 => self.not_text = true,
                b'`' => {
                    self.run += 1;
                    self.longest = self.longest.max(self.run);
                }
                _ => self.run = 0,
            }
        }
        let rest = self.finish_begun(bytes);
        if let Err(e) = std::str::from_utf8(rest) {
            match e.error_len() {
                None => self.begun = rest[e.valid_up_to()..].to_vec(),
                Some(_) => self.not_text = true,
            }
        }
    }

    /// Completes a character that began in earlier bytes. Returns the bytes after it.
    fn finish_begun<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut taken = 0;
        while !self.begun.is_empty() && taken < bytes.len() {
            self.begun.push(bytes[taken]);
            taken += 1;
            match std::str::from_utf8(&self.begun) {
                Ok(_) => self.begun.clear(),
                Err(e) if e.error_len().is_some() => {
                    self.not_text = true;
                    self.begun.clear();
                }
                Err(_) => {}
            }
        }
        &bytes[taken..]
    }

    /// Returns the shape of the bytes examined. `None` if they are not text.
    ///
    /// Text is UTF-8 without a NUL byte. Other control characters are allowed, because the format restores them
    /// unchanged.
    pub fn shape(&self) -> Option<TextShape> {
        let is_text = !self.not_text && self.begun.is_empty();
        is_text.then_some(TextShape {
            backticks: self.longest,
            is_closed: matches!(self.last, None | Some(b'\n')),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn watched<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<TextShape> {
        let mut watch = TextWatch::default();
        pieces.for_each(|piece| watch.see(piece));
        watch.shape()
    }

    #[test]
    fn text_is_utf_8_without_nul() {
        let shape = |bytes: &[u8]| watched([bytes].into_iter());
        for bytes in [&b"a\0b"[..], b"\xff", b"\xe2\x82", b"\xed\xa0\x80", b"\xc0\x80"] {
            assert_eq!(shape(bytes), None, "{bytes:?}");
        }
        for (bytes, backticks, is_closed, fence) in [
            (&b""[..], 0, true, 3),
            (b"x", 0, false, 3),
            (b"\r\n", 0, true, 3),
            (b"\r", 0, false, 3),
            (b"\xef\xbb\xbf`` ```` `\n", 4, true, 5),
            (b"\x1b[31m\x7f\n\n", 0, true, 3),
        ] {
            let found = shape(bytes).unwrap();
            assert_eq!(
                (found.backticks, found.is_closed, found.fence()),
                (backticks, is_closed, fence)
            );
        }
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            bytes in prop_oneof![
                "[`aé€😀\n\u{0}]{0,40}".prop_map(String::into_bytes),
                prop::collection::vec(any::<u8>(), 0..12),
            ],
            size in 1usize..5,
        ) {
            let whole = watched([bytes.as_slice()].into_iter());
            prop_assert_eq!(whole, watched(bytes.chunks(size)));
            let is_text = std::str::from_utf8(&bytes).is_ok() && !bytes.contains(&0);
            prop_assert_eq!(whole.is_some(), is_text);
        }
    }
}
