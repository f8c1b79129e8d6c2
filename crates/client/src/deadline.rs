//! The `grpc-timeout` header: how the time that is left travels with a call.

use std::time::Duration;

/// The header's name.
pub(crate) const GRPC_TIMEOUT: &str = "grpc-timeout";

/// A duration as the header has it: at most eight digits and the finest unit that fits, never rounded up.
pub(crate) fn format(left: Duration) -> String {
    const MOST: u128 = 99_999_999;
    let units =
        [(left.as_nanos(), 'n'), (left.as_micros(), 'u'), (left.as_millis(), 'm'), (u128::from(left.as_secs()), 'S')];
    match units.into_iter().find(|(count, _)| *count <= MOST) {
        Some((count, unit)) => format!("{count}{unit}"),
        None => format!("{}H", u128::from(left.as_secs() / 3600).min(MOST)),
    }
}

/// Reads the header; `None` when it is not of the protocol.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let count: u64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    Some(match unit {
        'n' => Duration::from_nanos(count),
        'u' => Duration::from_micros(count),
        'm' => Duration::from_millis(count),
        'S' => Duration::from_secs(count),
        'M' => Duration::from_secs(count.checked_mul(60)?),
        'H' => Duration::from_secs(count.checked_mul(3600)?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finest_unit_of_eight_digits() {
        assert_eq!(format(Duration::from_millis(50)), "50000000n");
        assert_eq!(format(Duration::from_secs(10)), "10000000u");
        assert_eq!(format(Duration::from_hours(1)), "3600000m");
        assert_eq!(format(Duration::MAX), "99999999H");
    }

    #[test]
    fn reads_what_it_writes() {
        for left in [Duration::ZERO, Duration::from_micros(1), Duration::from_secs(7), Duration::from_hours(24 * 365)] {
            assert_eq!(parse(&format(left)), Some(left));
        }
    }

    #[test]
    fn refuses_what_is_not_a_timeout() {
        for text in ["", "m", "5", "5x", "-1m", "5é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
