//! When something is planned for: whole months, quarters or years, because a date on a roadmap promises more than
//! anybody knows.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;

/// Why a text is no period or two periods are no interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Neither a month nor a quarter nor a year.
    #[error(
        "{0:?} is no month such as 2026-07, quarter such as 2026-Q3 or year such as 2026, of the years 2000 to 2199"
    )]
    Period(String),
    /// The end comes first.
    #[error("must not end before it starts: {end} is before {start}")]
    Reversed {
        /// The start given.
        start: Period,
        /// The end given.
        end: Period,
    },
}

/// A month, a quarter or the whole of one of the years 2000 to 2199; printed and parsed as `2026-07`, `2026-Q3` or
/// `2026`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    year: u16,
    part: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    /// 1 to 12.
    Month(u8),
    /// 1 to 4.
    Quarter(u8),
    Whole,
}

impl Period {
    /// Months since year 0 of the first and of the last month.
    fn months(self) -> (u32, u32) {
        let year = u32::from(self.year) * 12;
        match self.part {
            Part::Month(month) => (year + u32::from(month) - 1, year + u32::from(month) - 1),
            Part::Quarter(quarter) => (year + u32::from(quarter - 1) * 3, year + u32::from(quarter) * 3 - 1),
            Part::Whole => (year, year + 11),
        }
    }

    /// The first day.
    pub fn first_day(self) -> NaiveDate {
        let month = self.months().0;
        // Years 2000 to 2199 and months 1 to 12 are dates; the default is never used.
        NaiveDate::from_ymd_opt((month / 12) as i32, month % 12 + 1, 1).unwrap_or_default()
    }
}

impl FromStr for Period {
    type Err = TargetError;
    fn from_str(text: &str) -> Result<Self, TargetError> {
        let digits = |t: &str, length: usize| {
            (t.len() == length && t.bytes().all(|b| b.is_ascii_digit())).then(|| t.parse::<u16>().ok()).flatten()
        };
        let parse = || {
            let (year, part) = text.split_once('-').map_or((text, None), |(year, part)| (year, Some(part)));
            let year = digits(year, 4).filter(|y| (2000..2200).contains(y))?;
            let part = match part.map(|part| part.strip_prefix('Q').ok_or(part)) {
                None => Part::Whole,
                Some(Ok(quarter)) => Part::Quarter(digits(quarter, 1).filter(|q| (1..=4).contains(q))? as u8),
                Some(Err(month)) => Part::Month(digits(month, 2).filter(|m| (1..=12).contains(m))? as u8),
            };
            Some(Self { year, part })
        };
        parse().ok_or_else(|| TargetError::Period(text.to_owned()))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Part::Month(month) => write!(f, "{:04}-{month:02}", self.year),
            Part::Quarter(quarter) => write!(f, "{:04}-Q{quarter}", self.year),
            Part::Whole => write!(f, "{:04}", self.year),
        }
    }
}

/// From the first month of one period to the last month of another, which is not before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TargetInterval {
    start: Period,
    end: Period,
}

impl TargetInterval {
    /// The interval, if it does not end before it starts.
    pub fn new(start: Period, end: Period) -> Result<Self, TargetError> {
        if end.months().1 < start.months().0 {
            Err(TargetError::Reversed { start, end })
        } else {
            Ok(Self { start, end })
        }
    }

    /// The first period.
    pub fn start(&self) -> Period {
        self.start
    }

    /// The last period, inclusive.
    pub fn end(&self) -> Period {
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn examples() {
        for text in ["2026-07", "2026-12", "2026-Q1", "2199-Q4", "2026"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        for text in [
            "", "26", "2026-", "2026-13", "2026-0", "2026-7", "2026-Q5", "2026-Q0", "1999-01", "26-Q1", "2026-q1",
            "2026-+1",
        ] {
            assert_eq!(text.parse::<Period>(), Err(TargetError::Period(text.to_owned())));
        }
        assert_eq!("2026-Q3".parse::<Period>().unwrap().first_day(), NaiveDate::from_ymd_opt(2026, 7, 1).unwrap());
    }

    #[test]
    fn months_quarters_and_years_mix_and_do_not_go_back() {
        let interval = |s: &str, e: &str| TargetInterval::new(s.parse().unwrap(), e.parse().unwrap());
        assert!(interval("2026-Q3", "2026-07").is_ok(), "ends within the quarter it starts in");
        assert!(interval("2026-09", "2026-Q3").is_ok());
        assert!(interval("2026", "2026-01").is_ok() && interval("2026-Q4", "2026").is_ok());
        assert!(matches!(interval("2027-01", "2026"), Err(TargetError::Reversed { .. })));
        assert!(matches!(interval("2026-10", "2026-Q3"), Err(TargetError::Reversed { .. })));
        assert!(matches!(interval("2027-Q1", "2026-12"), Err(TargetError::Reversed { .. })));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,12}") {
            if let Ok(period) = text.parse::<Period>() {
                prop_assert_eq!(period.to_string(), text);
            }
        }
    }
}
