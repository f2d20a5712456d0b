//! Text encodings other than UTF-8: which one a file seems to have, and the way to UTF-8 and back.
//!
//! A conversion counts only if it gives the same bytes on its way back.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{GB18030, GBK, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Size in bytes of the largest file that is converted.
pub const MAX_BYTES: u64 = 16 << 20;

/// A text encoding, by the names of the WHATWG Encoding Standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding(&'static encoding_rs::Encoding);

/// The encodings that are not used: UTF-8 needs no conversion, and the others have no way back.
const UNUSED: [&str; 4] = ["UTF-8", "ISO-2022-JP", "replacement", "x-user-defined"];

impl Encoding {
    /// Returns the name of the encoding.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Returns the encoding with exactly this name.
    pub fn parse(name: &str) -> Option<Self> {
        let found = encoding_rs::Encoding::for_label(name.as_bytes())?;
        (found.name() == name && !UNUSED.contains(&name)).then_some(Self(found))
    }

    /// Converts bytes to UTF-8. `None` if they are not in this encoding. A byte order mark stays a character.
    pub fn decode(self, bytes: &[u8]) -> Option<String> {
        let text = self.0.decode_without_bom_handling_and_without_replacement(bytes)?;
        Some(text.into_owned())
    }

    /// Converts a text from UTF-8. `None` if the encoding lacks one of its characters.
    pub fn encode(self, text: &str) -> Option<Vec<u8>> {
        if self.0 == UTF_16LE {
            return Some(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        }
        if self.0 == UTF_16BE {
            return Some(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
        }
        let (bytes, _, incomplete) = self.0.encode(text);
        (!incomplete).then(|| bytes.into_owned())
    }
}

/// Converts a file that is not UTF-8 to UTF-8, if it seems to be a text. Returns its encoding with the conversion.
///
/// The guess is careful, so that binary files are not taken for texts. A wrong guess shows wrong characters, but always
/// converts back to the same bytes.
pub fn detect(bytes: &[u8]) -> Option<(Encoding, String)> {
    if bytes.is_empty() || bytes.len() as u64 > MAX_BYTES {
        return None;
    }
    let candidates = match utf_16(bytes) {
        Some(order) => vec![order],
        None if bytes.iter().any(|byte| is_control(char::from(*byte)) && *byte < 0x80) => return None,
        None => guesses(bytes),
    };
    candidates.into_iter().map(Encoding).find_map(|encoding| {
        let encoding = Encoding::parse(encoding.name())?;
        let text = encoding.decode(bytes).filter(|text| is_plausible(text))?;
        if encoding.0.is_single_byte() && !is_plausible_in_single_bytes(encoding, &text) {
            return None;
        }
        (encoding.encode(&text)? == bytes).then_some((encoding, text))
    })
}

fn guesses(bytes: &[u8]) -> Vec<&'static encoding_rs::Encoding> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    match detector.guess(None, Utf8Detection::Deny) {
        // The way back to GBK lacks characters that the larger encoding has.
        guess if guess == GBK => vec![GBK, GB18030],
        guess => vec![guess],
    }
}

/// Returns the kind of UTF-16 by the byte order mark. Without one, nine of ten characters must be ASCII.
fn utf_16(bytes: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    match bytes {
        [0xff, 0xfe, _, ..] => return Some(UTF_16LE),
        [0xfe, 0xff, _, ..] => return Some(UTF_16BE),
        _ => {}
    }
    let units = bytes.chunks_exact(2);
    let number = units.len();
    let is_ascii = |high: u8, low: u8| high == 0 && low.is_ascii() && !is_control(char::from(low));
    let mostly = |ascii: usize| number >= 2 && ascii * 10 >= number * 9;
    if mostly(units.clone().filter(|unit| is_ascii(unit[1], unit[0])).count()) {
        return Some(UTF_16LE);
    }
    mostly(units.filter(|unit| is_ascii(unit[0], unit[1])).count()).then_some(UTF_16BE)
}

/// Returns whether a character is a control character that texts do not have.
fn is_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}')
}

/// Returns whether a conversion looks like a text: it has no characters that stand for none, and nine of ten are letters,
/// digits, spaces or the usual punctuation.
fn is_plausible(text: &str) -> bool {
    let (mut all, mut usual) = (0u64, 0u64);
    for c in text.chars() {
        let code = u32::from(c);
        let stands_for_none =
            matches!(code, 0xe000..=0xf8ff | 0xfff0..=0xfffd | 0xfdd0..=0xfdef | 0xf0000..) || code & 0xfffe == 0xfffe;
        if is_control(c) || stands_for_none {
            return false;
        }
        let is_usual = c.is_alphanumeric()
            || c.is_ascii()
            || c.is_whitespace()
            || matches!(code, 0x3000..=0x303f | 0xff00..=0xffef | 0xfeff);
        all += 1;
        usual += u64::from(is_usual);
    }
    usual * 10 >= all * 9
}

/// Returns whether a conversion from single bytes looks like a text. Any bytes fit such an encoding, so there must be
/// enough ASCII: letters, or at least the blanks of a longer text in another script.
fn is_plausible_in_single_bytes(encoding: Encoding, text: &str) -> bool {
    let (mut all, mut ascii) = (0, 0);
    for c in text.chars() {
        all += 1;
        ascii += usize::from(c.is_ascii());
    }
    // Whatever fits nothing else is guessed to be Western.
    let is_western = encoding.0 == WINDOWS_1252;
    ascii * 3 >= all || (!is_western && all >= 16 && ascii * 16 >= all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(bytes: &[u8]) -> Option<(&'static str, String)> {
        detect(bytes).map(|(encoding, text)| (encoding.name(), text))
    }

    #[test]
    fn texts_are_recognised_and_convert_back() {
        let japanese = "設定ファイルを読み込みます。\r\nこのファイルは日本語で書かれています。\r\n";
        let chinese = "配置文件说明：请先阅读本文档，然后再修改下面的设置。\n";
        let korean = "이 파일은 한국어로 작성되었습니다. 설정을 읽어 주세요.\n";
        let russian = "Этот файл содержит настройки программы и описание параметров.\n";
        let german = "Die Größe der Datei überschreitet das Maß.\n";
        for (name, text) in [
            ("Shift_JIS", japanese),
            ("EUC-JP", japanese),
            ("GBK", chinese),
            ("EUC-KR", korean),
            ("windows-1251", russian),
            ("KOI8-R", russian),
            ("windows-1252", german),
            ("windows-1252", "café\n"),
            ("windows-1252", "ÄËÑÏÖ\n\nÁbçdèfg"),
        ] {
            let bytes = Encoding::parse(name).unwrap().encode(text).unwrap();
            let (guess, converted) = found(&bytes).unwrap_or_else(|| panic!("{name} is not recognised"));
            // Some encodings share all the characters of a text.
            let alike = [name, "KOI8-U"].contains(&guess);
            assert!(alike && converted == text, "{name}: {guess} {converted}");
        }
    }

    #[test]
    fn utf_16_is_recognised_in_both_orders() {
        for name in ["UTF-16LE", "UTF-16BE"] {
            let encoding = Encoding::parse(name).unwrap();
            for text in ["plain words\r\n", "\u{feff}größer 日本 😀\n"] {
                let bytes = encoding.encode(text).unwrap();
                assert_eq!(found(&bytes), Some((name, text.to_owned())));
                assert_eq!(found(&bytes[..bytes.len() - 1]), None);
            }
        }
        // A half of a surrogate pair stands for no character.
        assert_eq!(found(b"\xff\xfea\0\x00\xd8b\0"), None);
    }

    #[test]
    fn a_character_outside_of_gbk_needs_the_larger_encoding() {
        let text = "配置文件说明：请先阅读本文档，然后再修改下面的设置。ŋ\n";
        let larger = Encoding::parse("gb18030").unwrap();
        let bytes = larger.encode(text).unwrap();
        assert!(Encoding::parse("GBK").unwrap().encode(text).is_none());
        assert_eq!(found(&bytes), Some(("gb18030", text.to_owned())));
    }

    #[test]
    fn binary_content_is_not_taken_for_text() {
        let noise = |from: u64, n: usize| -> Vec<u8> {
            let mut state = from;
            let mut next = || {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (state >> 33) as u8
            };
            std::iter::repeat_with(&mut next).take(n).collect()
        };
        let taken = (0..20_000).filter(|n| detect(&noise(*n, 32)).is_some()).count();
        assert!(taken < 40, "{taken} of 20000 keys of 32 bytes");
        assert_eq!((0..2_000).filter(|n| detect(&noise(*n, 256)).is_some()).count(), 0);
        for bytes in [
            &b"\0\x01\xff"[..],
            b"\x89PNG\r\n\x1a\n",
            b"\xff\xd8\xff\xe0",
            b"caf\xe9\x1b[31m",
            &[0xff; 200],
            b"\xff\xfe\0\0",
            b"\xff\xfe",
            b"a\0b\0\x01\0\x02\0",
        ] {
            assert_eq!(found(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn only_exact_names_of_reversible_encodings_are_read() {
        for name in [
            "utf-8",
            "UTF-8",
            "latin1",
            "shift_jis",
            "ISO-2022-JP",
            "replacement",
            "x-user-defined",
            "none",
            "",
        ] {
            assert_eq!(Encoding::parse(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_is_detected_converts_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some((encoding, text)) = detect(&bytes) {
                prop_assert_eq!(encoding.encode(&text), Some(bytes));
            }
        }

        #[test]
        fn parts_convert_back_to_the_whole(text in "[a-zäß日本語ー😀\r\n]{0,40}", at in 0usize..40) {
            for name in ["UTF-16LE", "UTF-16BE", "gb18030", "Shift_JIS", "EUC-JP", "windows-1252", "Big5", "EUC-KR"] {
                let encoding = Encoding::parse(name).unwrap();
                let Some(whole) = encoding.encode(&text) else { continue };
                let cut = text.char_indices().map(|(at, _)| at).nth(at).unwrap_or(text.len());
                let parts = [&text[..cut], &text[cut..]].map(|part| encoding.encode(part).unwrap());
                prop_assert_eq!(parts.concat(), whole);
            }
        }
    }
}
