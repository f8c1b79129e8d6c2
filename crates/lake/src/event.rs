//! What enters the lake: product events. Never how they are stored.

use chrono::{DateTime, Datelike, Utc};
use serde_json::{Map, Value};
use twox_hash::XxHash64;

use crate::error::{LakeError, Result};

/// One thing one user did. `(user, time, event_id)` is its identity: sending it again changes nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Unique per user and time; a producer's own id, or a hash of the source row for imports.
    pub event_id: String,
    /// The name of what happened, such as `checkout_completed`.
    pub event: String,
    /// Who did it.
    pub user: String,
    /// The device, when the producer tells devices apart.
    pub device: Option<String>,
    /// The session, when the producer has sessions.
    pub session: Option<String>,
    /// When it happened. Kept to the microsecond.
    pub time: DateTime<Utc>,
    /// Everything else. A number named [`REVENUE`](crate::REVENUE) is also kept as a column of its own.
    pub properties: Map<String, Value>,
}

impl Event {
    /// An event without device, session and properties.
    pub fn new(
        event_id: impl Into<String>,
        event: impl Into<String>,
        user: impl Into<String>,
        time: DateTime<Utc>,
    ) -> Self {
        Self {
            event_id: event_id.into(),
            event: event.into(),
            user: user.into(),
            device: None,
            session: None,
            time,
            properties: Map::new(),
        }
    }

    /// The same event with one more property.
    pub fn with(mut self, property: impl Into<String>, value: impl Into<Value>) -> Self {
        self.properties.insert(property.into(), value.into());
        self
    }

    /// About how many bytes of memory it takes: itself, its texts, its properties.
    pub(crate) fn memory(&self) -> usize {
        let texts = [&self.event_id, &self.event, &self.user].into_iter().chain(&self.device).chain(&self.session);
        size_of::<Self>() + texts.map(String::len).sum::<usize>() + memory_of(&self.properties)
    }

    /// Refuses what would break a table: callers check meaning (names, future times) before.
    pub(crate) fn check(&self, index: usize) -> Result<()> {
        let reason = if self.user.is_empty() {
            "has no user: name who did it, or use the device id"
        } else if self.event.is_empty() {
            "has no event name"
        } else if self.event_id.is_empty() {
            "has no event id: without one a retry would count twice"
        } else if !(0..=9999).contains(&self.time.year()) {
            "has a time outside the years 0 to 9999"
        } else {
            return Ok(());
        };
        Err(LakeError::InvalidEvent { index, event_id: self.event_id.clone(), reason })
    }
}

fn memory_of(properties: &Map<String, Value>) -> usize {
    fn of(value: &Value) -> usize {
        size_of::<Value>()
            + match value {
                Value::Null | Value::Bool(_) | Value::Number(_) => 0,
                Value::String(text) => text.len(),
                Value::Array(values) => values.iter().map(of).sum(),
                Value::Object(properties) => memory_of(properties),
            }
    }
    properties.iter().map(|(name, value)| size_of::<String>() + name.len() + of(value)).sum()
}

/// The sort key of users: xxHash64 (Collet, 2014) with seed 0 of the user's bytes, its bits read as a signed integer
/// because Delta has no unsigned type. Other engines compute the same, for instance ClickHouse
/// `reinterpretAsInt64(xxHash64(user))`.
pub fn user_hash(user: &str) -> i64 {
    XxHash64::oneshot(0, user.as_bytes()).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_grows_counts_as_memory() {
        let plain = Event::new("1", "visit", "ann", DateTime::UNIX_EPOCH);
        let text = "x".repeat(1000);
        let nested = serde_json::json!({ "list": [text, { "deep": text }] });
        let wide = Event { device: Some(text.clone()), session: Some(text.clone()), user: text, ..plain.clone() }
            .with("nested", nested);
        assert!((5_000..6_000).contains(&(wide.memory() - plain.memory())), "{}", wide.memory());
    }

    #[test]
    fn the_hash_is_the_published_one() {
        // Values of the reference implementation; tables written by earlier builds depend on them.
        assert_eq!(user_hash("").cast_unsigned(), 0xEF46_DB37_51D8_E999);
        assert_eq!(user_hash("abc").cast_unsigned(), 0x44BC_2CF5_AD77_0999);
    }
}
