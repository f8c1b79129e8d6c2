//! Times as files write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone as _, Utc};
use chrono_tz::Tz;

/// How the times of a file are read.
#[derive(Debug, Clone)]
pub struct TimeReader {
    format: Format,
    zone: Tz,
}

#[derive(Debug, Clone)]
enum Format {
    Auto,
    Unix { per_second: i64 },
    Pattern(String),
}

impl TimeReader {
    /// From the options `--time-format` and `--time-zone`.
    pub fn new(format: &str, zone: Tz) -> Result<Self, String> {
        let format = match format {
            "auto" => Format::Auto,
            "unix" => Format::Unix { per_second: 1 },
            "unix-ms" => Format::Unix { per_second: 1_000 },
            "unix-us" => Format::Unix { per_second: 1_000_000 },
            pattern if pattern.contains('%') => {
                let items: Vec<_> = chrono::format::StrftimeItems::new(pattern).collect();
                if items.iter().any(|item| matches!(item, chrono::format::Item::Error)) {
                    return Err(format!("--time-format {pattern:?} is not a pattern; %Y-%m-%d %H:%M:%S is one"));
                }
                Format::Pattern(pattern.to_owned())
            }
            other => {
                return Err(format!(
                    "--time-format {other:?} is none of auto, unix, unix-ms, unix-us and no pattern with %"
                ));
            }
        };
        Ok(Self { format, zone })
    }

    /// The moment a text stands for.
    pub fn read(&self, text: &str) -> Result<DateTime<Utc>, String> {
        let text = text.trim();
        match &self.format {
            Format::Auto => match DateTime::parse_from_rfc3339(text) {
                Ok(time) => Ok(time.to_utc()),
                Err(_) => self.local(
                    auto(text)
                        .ok_or_else(|| format!("{text:?} is not a time that is recognised; give --time-format"))?,
                ),
            },
            Format::Unix { per_second } => {
                unix(text, *per_second).ok_or_else(|| format!("{text:?} is not a Unix time"))
            }
            Format::Pattern(pattern) => {
                if let Ok(time) = DateTime::parse_from_str(text, pattern) {
                    return Ok(time.to_utc());
                }
                let day = || NaiveDate::parse_from_str(text, pattern).ok().and_then(|day| day.and_hms_opt(0, 0, 0));
                let naive = NaiveDateTime::parse_from_str(text, pattern).ok().or_else(day);
                self.local(naive.ok_or_else(|| format!("{text:?} is not a time of the form {pattern}"))?)
            }
        }
    }

    fn local(&self, naive: NaiveDateTime) -> Result<DateTime<Utc>, String> {
        // The hour that a change from daylight saving time repeats is read as its first pass.
        let time = self.zone.from_local_datetime(&naive).earliest();
        time.map(|time| time.to_utc()).ok_or_else(|| format!("{naive} does not exist in {}", self.zone))
    }
}

fn auto(text: &str) -> Option<NaiveDateTime> {
    let forms = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()).or_else(day)
}

fn unix(text: &str, per_second: i64) -> Option<DateTime<Utc>> {
    let micros = match text.parse::<i64>() {
        Ok(count) => count.checked_mul(1_000_000 / per_second)?,
        // A fraction: a double holds microseconds of our times exactly enough.
        Err(_) => (text.parse::<f64>().ok().filter(|count| count.is_finite())? * (1_000_000 / per_second) as f64)
            .round() as i64,
    };
    DateTime::from_timestamp_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &str, zone: &str, text: &str) -> Result<String, String> {
        TimeReader::new(format, zone.parse().unwrap())?.read(text).map(|time| time.to_rfc3339())
    }

    #[test]
    fn recognised_without_a_format() {
        for text in ["2024-03-13 10:21:14", "2024-03-13T10:21:14", "2024-03-13T10:21:14Z", "2024-03-13T11:21:14+01:00"]
        {
            assert_eq!(read("auto", "UTC", text).unwrap(), "2024-03-13T10:21:14+00:00", "{text}");
        }
        assert_eq!(read("auto", "UTC", "2024-03-13").unwrap(), "2024-03-13T00:00:00+00:00");
        assert!(read("auto", "UTC", "13/03/2024").unwrap_err().contains("--time-format"));
    }

    #[test]
    fn unix_times_and_patterns() {
        assert_eq!(read("unix", "UTC", "1710325274").unwrap(), "2024-03-13T10:21:14+00:00");
        assert_eq!(read("unix-ms", "UTC", "1710325274000").unwrap(), "2024-03-13T10:21:14+00:00");
        assert_eq!(read("unix", "UTC", "1710325274.5").unwrap(), "2024-03-13T10:21:14.500+00:00");
        assert_eq!(read("%Y%m%d", "UTC", "19970112").unwrap(), "1997-01-12T00:00:00+00:00");
        assert_eq!(read("%d.%m.%Y %H:%M", "Europe/Berlin", "13.03.2024 11:21").unwrap(), "2024-03-13T10:21:00+00:00");
        assert!(read("%Y%m%d", "UTC", "1997-01-12").is_err());
        assert!(TimeReader::new("%Q", Tz::UTC).is_err());
        assert!(TimeReader::new("seconds", Tz::UTC).is_err());
    }

    #[test]
    fn changes_to_and_from_daylight_saving_time() {
        assert!(read("auto", "Europe/Berlin", "2024-03-31 02:30:00").unwrap_err().contains("does not exist"));
        assert_eq!(read("auto", "Europe/Berlin", "2024-10-27 02:30:00").unwrap(), "2024-10-27T00:30:00+00:00");
    }
}
