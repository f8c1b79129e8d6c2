//! Moments on the wire, `google.protobuf.Timestamp`. As ProtoJSON has it they end in `Z`, which many parsers want; what was
//! written with an offset is read all the same.

use chrono::{DateTime, Utc};
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error as _, Serialize, Serializer};

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
        DateTime::<Utc>::try_from(*self).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DateTime::<Utc>::deserialize(deserializer).map(Self::from)
    }
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
}
