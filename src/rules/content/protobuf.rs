//! Reads the fields of a protobuf message, of which only the start may be there.

/// The fields of a message, in their order. Ends at the end of the bytes, or with `Err` where they are not a field.
pub struct Message<'a> {
    rest: &'a [u8],
    cut: bool,
}

/// A field: its number and its value.
pub struct Field<'a> {
    pub number: u64,
    pub value: Value<'a>,
}

/// The value of a field.
pub enum Value<'a> {
    Number(u64),
    /// A number of fixed width.
    Fixed,
    /// A text, some bytes, or a message.
    Bytes(FieldBytes<'a>),
}

/// The bytes of a field, as far as they are there.
#[derive(Clone, Copy)]
pub struct FieldBytes<'a> {
    pub bytes: &'a [u8],
    /// Whether bytes are missing at the end.
    pub cut: bool,
}

/// Bytes that are not a field.
pub struct NotAField;

impl<'a> Message<'a> {
    /// Reads a message from its bytes, or from its first ones if it is `cut`.
    pub fn of(part: FieldBytes<'a>) -> Self {
        Self {
            rest: part.bytes,
            cut: part.cut,
        }
    }

    /// Reads a varint. `None` if the bytes end before it does.
    fn varint(&mut self) -> Option<Result<u64, NotAField>> {
        /// Most bytes of a number of 64 bits.
        const LONGEST: usize = 10;
        let mut number = 0;
        for (index, &byte) in self.rest.iter().take(LONGEST).enumerate() {
            number |= u64::from(byte & 0x7f).checked_shl(7 * index as u32).unwrap_or_default();
            if byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Some(Ok(number));
            }
        }
        (self.rest.len() >= LONGEST).then_some(Err(NotAField))
    }

    fn field(&mut self) -> Option<Result<Field<'a>, NotAField>> {
        let key = match self.varint()? {
            Ok(key) if key >> 3 > 0 => key,
            _ => return Some(Err(NotAField)),
        };
        let value = match key & 7 {
            0 => self.varint()?.map(Value::Number),
            1 | 5 => {
                let width = if key & 7 == 1 { 8 } else { 4 };
                self.rest = self.rest.get(width..)?;
                Ok(Value::Fixed)
            }
            2 => match self.varint()? {
                Ok(length) => Ok(Value::Bytes(self.part(length)?)),
                Err(malformed) => Err(malformed),
            },
            _ => Err(NotAField),
        };
        Some(value.map(|value| Field {
            number: key >> 3,
            value,
        }))
    }

    /// Returns the next `length` bytes. `None` if they are not all there, although the message is.
    fn part(&mut self, length: u64) -> Option<FieldBytes<'a>> {
        let there = usize::try_from(length).ok().filter(|&length| length <= self.rest.len());
        match there {
            Some(length) => {
                let (bytes, rest) = self.rest.split_at(length);
                self.rest = rest;
                Some(FieldBytes { bytes, cut: false })
            }
            None if self.cut => {
                let bytes = std::mem::take(&mut self.rest);
                Some(FieldBytes { bytes, cut: true })
            }
            None => None,
        }
    }
}

impl<'a> Iterator for Message<'a> {
    type Item = Result<Field<'a>, NotAField>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        match field {
            Some(Ok(field)) => Some(Ok(field)),
            // The bytes end within the field, as they may.
            None if self.cut => {
                self.rest = &[];
                None
            }
            _ => {
                self.rest = &[];
                Some(Err(NotAField))
            }
        }
    }
}

impl FieldBytes<'_> {
    /// Returns whether this is text without control characters, other than white space.
    pub fn is_text(self) -> bool {
        let printable = |text: &str| text.chars().all(|c| !c.is_control() || c.is_whitespace());
        match std::str::from_utf8(self.bytes) {
            Ok(text) => printable(text),
            Err(error) => {
                let valid = &self.bytes[..error.valid_up_to()];
                self.cut && error.error_len().is_none() && std::str::from_utf8(valid).is_ok_and(printable)
            }
        }
    }

    /// Returns whether this is a name of letters, digits and underscores.
    pub fn is_identifier(self) -> bool {
        let first = self
            .bytes
            .first()
            .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
        first
            && self
                .bytes
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
    }
}
