//! Times (RFC 3339 in UTC, whole seconds, `Z`) and lengths of time.

use std::fmt;

/// A moment in whole seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(jiff::Timestamp::UNIX_EPOCH);

    /// Converts seconds since the epoch. `None` outside of the years that RFC 3339 can write (0000 to 9999).
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        let stamp = jiff::Timestamp::from_second(seconds).ok()?;
        let year = stamp.to_zoned(jiff::tz::TimeZone::UTC).year();
        (0..=9999).contains(&year).then_some(Self(stamp))
    }

    /// Parses an RFC 3339 date and time with any offset. Fractions of a second are cut off.
    pub fn parse(text: &str) -> Option<Self> {
        let stamp: jiff::Timestamp = text.parse().ok()?;
        Self::from_seconds(stamp.as_second() - i64::from(stamp.subsec_nanosecond() < 0))
    }

    /// Parses an ISO 8601 date and time in UTC, with `Z` or `+00:00`. Fractions of a second are cut off.
    pub fn parse_utc(text: &str) -> Option<Self> {
        let stamp = Self::parse(text)?;
        let spelled = stamp.to_string();
        let rest = text.strip_prefix(spelled.strip_suffix('Z')?)?;
        let zone = match rest.strip_prefix('.') {
            Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
            None => rest,
        };
        matches!(zone, "Z" | "+00:00").then_some(stamp)
    }

    /// Returns the seconds since the epoch.
    pub fn seconds(self) -> i64 {
        self.0.as_second()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.0)
    }
}

/// A length of time in whole seconds, not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(i64);

impl Period {
    /// Parses `14d`, `12h`, `1h 30m` and the like, or `0`.
    ///
    /// A day has 24 hours, and a part of a second is rounded up. Months and years are refused, because their lengths
    /// differ.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "0" {
            return Some(Self(0));
        }
        let span = jiff::fmt::friendly::SpanParser::new().parse_span(text).ok()?;
        let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
        let seconds = length.as_secs().checked_add(i64::from(length.subsec_nanos() > 0))?;
        (!length.is_negative()).then_some(Self(seconds))
    }

    /// Returns the number of seconds.
    pub fn seconds(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = jiff::Span::new().try_seconds(self.0).and_then(|span| {
            let to_days = jiff::SpanRound::new().largest(jiff::Unit::Day);
            span.round(to_days.days_are_24_hours())
        });
        match rounded {
            Ok(span) => write!(f, "{span:#}"),
            Err(_) => write!(f, "{}s", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Period, Timestamp};

    #[test]
    fn utc_has_few_spellings() {
        for text in [
            "2026-01-15T10:30:00Z",
            "2026-01-15T10:30:00.5Z",
            "2026-01-15T10:30:00.123456789+00:00",
            "2026-01-15T10:30:00+00:00",
        ] {
            let whole = Timestamp::parse("2026-01-15T10:30:00Z");
            assert_eq!(Timestamp::parse_utc(text), whole, "{text}");
        }
        for text in [
            "2026-01-15",
            "2026-01-15T10:30Z",
            "2026-01-15 10:30:00Z",
            "2026-01-15t10:30:00z",
            "2026-01-15T12:30:00+02:00",
            "2026-01-15T10:30:00-00:00",
            "2026-01-15T10:30:00.Z",
            "2026-01-15T10:30:00+00:00[UTC]",
            "2026-02-30T10:30:00Z",
        ] {
            assert_eq!(Timestamp::parse_utc(text), None, "{text}");
        }
    }

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

    #[test]
    fn lengths_of_time_are_read_and_written_with_units() {
        for (text, seconds, written) in [
            ("14d", 14 * 86400, "14d"),
            ("2w", 14 * 86400, "14d"),
            ("12h", 43200, "12h"),
            ("90m", 5400, "1h 30m"),
            ("1h 30m", 5400, "1h 30m"),
            ("2 days, 1 hour", 176_400, "2d 1h"),
            ("0", 0, "0s"),
            ("0d", 0, "0s"),
            ("1.5h", 5400, "1h 30m"),
            ("1ms", 1, "1s"),
        ] {
            let period = Period::parse(text).unwrap();
            assert_eq!(
                (period.seconds(), period.to_string().as_str()),
                (seconds, written),
                "{text}"
            );
        }
        for text in [
            "",
            "14",
            "d",
            "1y",
            "1mo",
            "-1d",
            "1d ago",
            "14 dogs",
            "P14D",
            "never",
            "00",
            "99999999999999999999d",
            "9999999999d",
        ] {
            assert_eq!(Period::parse(text), None, "{text}");
        }
    }
}
