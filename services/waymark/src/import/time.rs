//! Times as files write them.

use chrono::{DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, TimeZone as _, Utc};
use chrono_tz::Tz;

use super::order::{Moment, Order};

/// How the times of a file are read.
#[derive(Debug, Clone)]
pub struct TimeReader {
    format: Format,
    zone: Tz,
    order: Order,
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
        Ok(Self { format, zone, order: Order::default() })
    }

    /// The moment that the text of the next row stands for: a time that the calendar had twice is told by its order
    /// among the rows, where that can tell it.
    pub fn read(&mut self, text: &str) -> Result<DateTime<Utc>, String> {
        let moment = self.moment(text)?;
        Ok(self.order.next(moment))
    }

    /// The moment that a text stands for by itself, the first of two.
    pub fn read_alone(&self, text: &str) -> Result<DateTime<Utc>, String> {
        match self.moment(text)? {
            Moment::One(time) | Moment::Either([time, _]) => Ok(time),
        }
    }

    /// How many of the rows have a time that the calendar had twice and that no order told.
    pub fn untold(&self) -> u64 {
        self.order.untold()
    }

    fn moment(&self, text: &str) -> Result<Moment, String> {
        let text = text.trim();
        match &self.format {
            Format::Auto => match DateTime::parse_from_rfc3339(text) {
                Ok(time) => Ok(Moment::One(time.to_utc())),
                Err(_) => self.local(
                    auto(text)
                        .ok_or_else(|| format!("{text:?} is not a time that is recognised; give --time-format"))?,
                ),
            },
            Format::Unix { per_second } => {
                unix(text, *per_second).map(Moment::One).ok_or_else(|| format!("{text:?} is not a Unix time"))
            }
            Format::Pattern(pattern) => {
                if let Ok(time) = DateTime::parse_from_str(text, pattern) {
                    return Ok(Moment::One(time.to_utc()));
                }
                let day = || NaiveDate::parse_from_str(text, pattern).ok().and_then(|day| day.and_hms_opt(0, 0, 0));
                let naive = NaiveDateTime::parse_from_str(text, pattern).ok().or_else(day);
                self.local(naive.ok_or_else(|| format!("{text:?} is not a time of the form {pattern}"))?)
            }
        }
    }

    fn local(&self, naive: NaiveDateTime) -> Result<Moment, String> {
        match self.zone.from_local_datetime(&naive) {
            MappedLocalTime::Single(time) => Ok(Moment::One(time.to_utc())),
            MappedLocalTime::Ambiguous(first, second) => Ok(Moment::Either([first.to_utc(), second.to_utc()])),
            MappedLocalTime::None => Err(format!("{naive} does not exist in {}", self.zone)),
        }
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
        // By itself it is the first of two.
        assert_eq!(read("auto", "Europe/Berlin", "2024-10-27 02:30:00").unwrap(), "2024-10-27T00:30:00+00:00");
    }

    /// Hours and minutes in UTC of local times in Berlin in the night of a change, and how many were not told.
    fn night(times: &[&str]) -> (Vec<String>, u64) {
        let mut reader = TimeReader::new("auto", Tz::Europe__Berlin).unwrap();
        let read = times.iter().map(|time| {
            let time = reader.read(&format!("2024-10-27 {time}")).unwrap();
            time.format("%H:%M").to_string()
        });
        (read.collect(), reader.untold())
    }

    #[test]
    fn a_step_back_begins_the_second_pass() {
        let (times, untold) = night(&["01:30", "02:10", "02:50", "02:05", "02:50", "03:00"]);
        assert_eq!((times.join(" ").as_str(), untold), ("23:30 00:10 00:50 01:05 01:50 02:00", 0));
        let (times, untold) = night(&["02:50:00", "02:00:00", "02:59:30"]);
        assert_eq!((times.join(" ").as_str(), untold), ("00:50 01:00 01:59", 0), "and goes on");
        let (times, untold) = night(&["02:50", "02:10"]);
        assert_eq!((times.join(" ").as_str(), untold), ("00:50 01:10", 0));
    }

    #[test]
    fn newest_first_is_an_order_too() {
        let (times, untold) = night(&["03:30", "02:50", "02:05", "02:50", "02:10", "01:30"]);
        assert_eq!((times.join(" ").as_str(), untold), ("02:30 01:50 01:05 00:50 00:10 23:30", 0));
    }

    #[test]
    fn what_no_order_tells_is_counted() {
        let (times, untold) = night(&["01:30", "02:10", "02:50", "03:00"]);
        assert_eq!((times.join(" ").as_str(), untold), ("23:30 00:10 00:50 02:00", 2));
        let (times, untold) = night(&["03:30", "02:50", "01:30"]);
        assert_eq!((times.join(" ").as_str(), untold), ("02:30 01:50 23:30", 1));
        assert_eq!(night(&["02:10", "02:50"]).1, 2, "still open at the end");
    }

    #[test]
    fn rows_in_no_order_tell_nothing_and_a_little_disorder_is_none() {
        let (_, untold) = night(&["12:00", "04:00", "15:00", "02:50", "06:00", "02:10", "09:00", "02:40", "02:10"]);
        assert_eq!(untold, 4);
        let (times, untold) = night(&["12:00", "04:00", "15:00", "10:00", "02:30"]);
        assert_eq!((times.join(" ").as_str(), untold), ("11:00 03:00 14:00 09:00 00:30", 1));
        let (times, untold) = night(&["01:30:00", "02:10:30", "02:10:00", "02:05:00", "02:04:30", "02:40:00", "04:00"]);
        assert_eq!((times.join(" ").as_str(), untold), ("23:30 00:10 00:10 01:05 01:04 01:40 03:00", 0));
    }
}
