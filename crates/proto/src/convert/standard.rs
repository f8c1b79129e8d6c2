//! The standard fields and the values that several resources share.

use chrono::{DateTime, Datelike as _, Utc};
use uuid::Uuid;
use waymark_domain::{Meta, Resource, Violations};

use crate::{ResourceMessage, Standard, Timestamp};

/// A time as a message.
pub fn timestamp(time: DateTime<Utc>) -> Timestamp {
    time.into()
}

/// A time from a message; `field` is blamed when it is out of range.
pub fn time(violations: &mut Violations, field: &str, timestamp: Option<Timestamp>) -> Option<DateTime<Utc>> {
    // Beyond those years the text of a time could not be read back.
    let time = DateTime::try_from(timestamp?).ok().filter(|time| (1..=9999).contains(&time.year()));
    if time.is_none() {
        violations.add(field, "is not a time between years 1 and 9999");
    }
    time
}

/// A time that must be there while a resource is `stated` if it is `needed` then, and must not be otherwise.
pub(super) fn time_while(
    violations: &mut Violations,
    stated: &str,
    field: &str,
    timestamp: Option<Timestamp>,
    needed: bool,
) -> Option<DateTime<Utc>> {
    match (timestamp.is_some(), needed) {
        (true, true) => return time(violations, field, timestamp),
        (false, false) => {}
        (false, true) => violations.add(field, format!("must be set while {stated}")),
        (true, false) => violations.add(field, format!("must not be set while {stated}")),
    }
    None
}

/// The domain's standard fields of a message that the store has completed: name, uid, etag and times are set.
pub fn meta<T: Resource>(violations: &mut Violations, message: &impl ResourceMessage) -> Option<Meta<T>> {
    let Standard { name, uid, display_name, etag, create_time, update_time, delete_time, labels } = message.standard();
    let name = violations.check("name", name.parse());
    let uid = violations.check("uid", Uuid::parse_str(&uid));
    let version = violations.check("etag", etag.parse());
    let create_time = time(violations, "create_time", create_time);
    let update_time = time(violations, "update_time", update_time);
    let delete_time = time(violations, "delete_time", delete_time);
    Some(Meta {
        name: name?,
        uid: uid?,
        display_name,
        labels,
        version: version?,
        create_time: create_time?,
        update_time: update_time?,
        delete_time,
    })
}

/// Writes the domain's standard fields into a message.
pub fn set_meta<T: Resource>(message: &mut impl ResourceMessage, meta: &Meta<T>) {
    message.set_standard(Standard {
        name: meta.name.to_string(),
        uid: meta.uid.to_string(),
        display_name: meta.display_name.clone(),
        etag: meta.version.to_string(),
        create_time: Some(timestamp(meta.create_time)),
        update_time: Some(timestamp(meta.update_time)),
        delete_time: meta.delete_time.map(timestamp),
        labels: meta.labels.clone(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_taken_can_be_read_back() {
        for (seconds, taken) in
            [(-62_135_596_800, true), (-62_135_596_801, false), (253_402_300_799, true), (253_402_300_800, false)]
        {
            let mut violations = Violations::new();
            let given = Timestamp { seconds, nanos: 0 };
            let time = time(&mut violations, "conduct_time", Some(given));
            assert_eq!((time.is_some(), violations.is_empty()), (taken, taken), "{seconds}");
            if let Some(time) = time {
                let text = serde_json::to_string(&timestamp(time)).unwrap();
                assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), given);
            }
        }
    }
}
