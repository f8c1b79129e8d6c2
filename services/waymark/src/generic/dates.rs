//! Dates in filters: the services want times with their offset from UTC, people write them without.

use chrono::SecondsFormat;
use chrono_tz::Tz;
use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};
use waymark_request::Filter;

use crate::zone;

/// Gives the times in the filter of a request their offset.
pub fn complete(request: &mut DynamicMessage, zone: Tz) {
    let Some(field) = request.descriptor().get_field_by_name("filter") else { return };
    if let Some(filter) = request.get_field(&field).as_str().map(|filter| completed(filter, zone)) {
        request.set_field(&field, Value::String(filter));
    }
}

/// A filter whose times have their offset. What is no filter stays as it is: the service says what is wrong with it.
pub fn completed(filter: &str, zone: Tz) -> String {
    let Ok(mut parsed) = Filter::parse(filter) else { return filter.to_owned() };
    let mut text = filter.to_owned();
    let mut times: Vec<_> = parsed.comparisons_mut();
    times.retain(|comparison| is_time(&comparison.field));
    // From the end, so that what comes before stays where it is.
    times.sort_by_key(|comparison| std::cmp::Reverse(comparison.value_at.start));
    for comparison in times {
        if let Ok(time) = zone::parse(zone, &comparison.value) {
            text.replace_range(comparison.value_at.clone(), &time.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        }
    }
    text
}

/// Whether a field is a time, by its name.
fn is_time(field: &str) -> bool {
    !field.contains('.') && (field == "time" || field.ends_with("_time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_of_the_zone_and_all_else_stays() {
        let filter = r#"create_time >= 2026-01-31 AND (time<"2026-07-01 12:00" OR labels.due_time = 2026-01-31)"#;
        let expected =
            r"create_time >= 2026-01-30T23:00:00Z AND (time<2026-07-01T10:00:00Z OR labels.due_time = 2026-01-31)";
        assert_eq!(completed(filter, Tz::Europe__Berlin), expected);
        for as_it_is in ["create_time >= soon", "create_time:*", "state = PROPOSED", "create_time >=", ""] {
            assert_eq!(completed(as_it_is, Tz::Europe__Berlin), as_it_is);
        }
    }
}
