//! Times: RFC 3339 in UTC, whole seconds, `Z`.

use std::fmt;

/// A moment in whole seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// Takes seconds since the epoch; none beyond the years that RFC 3339 can write (0000 to 9999).
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        let stamp = jiff::Timestamp::from_second(seconds).ok()?;
        let year = stamp.to_zoned(jiff::tz::TimeZone::UTC).year();
        (0..=9999).contains(&year).then_some(Self(stamp))
    }

    /// Parses an RFC 3339 date and time with any offset; fractions of a second are cut off.
    pub fn parse(text: &str) -> Option<Self> {
        let stamp: jiff::Timestamp = text.parse().ok()?;
        Self::from_seconds(stamp.as_second() - i64::from(stamp.subsec_nanosecond() < 0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn offsets_and_fractions_become_whole_utc_seconds() {
        for (text, expected) in [
            ("2026-01-15T10:30:00Z", "2026-01-15T10:30:00Z"),
            ("2026-01-15T12:30:00+02:00", "2026-01-15T10:30:00Z"),
            ("2026-01-15T10:30:00.999Z", "2026-01-15T10:30:00Z"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), expected);
        }
        for text in ["2026-01-15", "2026-01-15T10:30:00", "yesterday", "2026-13-01T00:00:00Z"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
        assert_eq!(Timestamp::from_seconds(0).unwrap().to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_seconds(i64::MAX), None);
    }
}
