//! Moments on the wire, `google.protobuf.Timestamp`. As ProtoJSON has it they end in `Z`, which many parsers want; what was
//! written with an offset is read all the same.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::de::{self, Deserialize, Deserializer, IntoDeserializer as _, Visitor};
use serde::ser::{self, Serialize, Serializer};

/// A moment: seconds since 1970 in UTC, and nanoseconds on from there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds after that, also of moments before 1970; below a second.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// A moment that no calendar has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a moment that no calendar has")]
pub struct NoMoment;

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        // Nanoseconds of a second are below 2^31.
        Self { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos() as i32 }
    }
}

impl TryFrom<Timestamp> for DateTime<Utc> {
    type Error = NoMoment;
    fn try_from(time: Timestamp) -> Result<Self, NoMoment> {
        let nanos = u32::try_from(time.nanos).map_err(|_| NoMoment)?;
        Self::from_timestamp(time.seconds, nanos).ok_or(NoMoment)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        DateTime::<Utc>::try_from(*self).map_err(<S::Error as ser::Error>::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Moment).map(Self::from)
    }
}

struct Moment;

impl Visitor<'_> for Moment {
    type Value = DateTime<Utc>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a moment such as 2026-03-02T09:00:00Z")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<DateTime<Utc>, E> {
        printed(text).map_or_else(|| DateTime::deserialize(text.into_deserializer()), Ok)
    }
}

/// A moment as it is printed here, which all are that the databases keep: chrono, which takes whatever else it may be written
/// as, takes ten times as long.
fn printed(text: &str) -> Option<DateTime<Utc>> {
    let (whole, fraction) = text.as_bytes().strip_suffix(b"Z")?.split_at_checked(19)?;
    let number = |digits: &[u8]| {
        let one = |number: u32, digit: &u8| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0'));
        digits.iter().try_fold(0, one)
    };
    let part = |from: usize, to: usize| number(&whole[from..to]);
    if [4, 7, 10, 13, 16].map(|at| whole[at]) != *b"--T::" {
        return None;
    }
    let nanos = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => number(digits)? * 10_u32.pow(9 - digits.len() as u32),
        _ => return None,
    };
    let date = NaiveDate::from_ymd_opt(part(0, 4)? as i32, part(5, 7)?, part(8, 10)?)?;
    Some(date.and_hms_nano_opt(part(11, 13)?, part(14, 16)?, part(17, 19)?, nanos)?.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_ends_in_z_with_no_more_digits_than_needed() {
        for (seconds, nanos, text) in [
            (1_772_442_000, 0, "2026-03-02T09:00:00Z"),
            (1_772_442_000, 250_000_000, "2026-03-02T09:00:00.250Z"),
            (1_772_442_000, 1_000, "2026-03-02T09:00:00.000001Z"),
            (-1, 999_999_999, "1969-12-31T23:59:59.999999999Z"),
            (-62_135_596_800, 0, "0001-01-01T00:00:00Z"),
            (253_402_300_799, 0, "9999-12-31T23:59:59Z"),
        ] {
            let time = Timestamp { seconds, nanos };
            assert_eq!(serde_json::to_string(&time).unwrap(), format!("{text:?}"));
            let with_offset = text.replace('Z', "+00:00");
            for written in [text, &with_offset] {
                assert_eq!(serde_json::from_value::<Timestamp>(written.into()).unwrap(), time, "{written}");
            }
        }
        assert!(serde_json::to_string(&Timestamp { seconds: 0, nanos: -1 }).is_err());
    }

    #[test]
    fn what_is_no_moment_is_refused_and_what_chrono_takes_is_taken() {
        for text in [
            "2026-02-29T09:00:00Z",
            "2026-03-02T24:00:00Z",
            "2026-03-02T09:60:00Z",
            "2026-03-02T09:00:00.Z",
            "2026-03-02T09:00:00",
            "2026-03-02T09:00:00.1xZ",
            "2026-03-02",
            "é26-03-02T09:00:00Z",
            "Z",
            "",
        ] {
            assert!(serde_json::from_value::<Timestamp>(text.into()).is_err(), "{text}");
        }
        assert!(serde_json::from_str::<Timestamp>("5").is_err());
        for text in [
            "2026-03-02T09:00:00Z",
            "2026-03-02T09:00:00.5Z",
            "2024-02-29T23:59:59.000000001Z",
            "0001-01-01T00:00:00Z",
            "2026-03-02T09:00:00.1234567891Z",
            "2026-03-02T23:59:60Z",
            "2026-03-02 09:00:00z",
            "2026-03-02T09:00:0Z",
            "+026-03-02T09:00:00Z",
            "2026-03-02T09:00:00+02:00",
        ] {
            let time: DateTime<Utc> = text.parse().unwrap();
            assert_eq!(serde_json::from_value::<Timestamp>(text.into()).unwrap(), time.into(), "{text}");
        }
    }
}
