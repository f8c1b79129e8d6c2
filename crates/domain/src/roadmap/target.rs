//! When something is planned for: whole months, quarters, halves or years, because a date on a roadmap promises more than
//! anybody knows.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;

/// Why a text is no period or two periods are no interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Neither a month nor a quarter nor a half nor a year.
    #[error(
        "{0:?} is no month such as 2026-07, quarter such as 2026-Q3, half such as 2026-H2 or year such as 2026, of the years 2000 to 2199"
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
    /// It is no sequence of periods of one length.
    #[error("must start and end with periods of one length, such as 2026-Q1 and 2026-Q4: {start} and {end} are of two")]
    Uneven {
        /// The start given.
        start: Period,
        /// The end given.
        end: Period,
    },
}

/// A month, a quarter, a half or the whole of one of the years 2000 to 2199; printed and parsed as `2026-07`, `2026-Q3`,
/// `2026-H2` or `2026`.
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
    /// 1 or 2.
    Half(u8),
    Whole,
}

impl Period {
    /// Months since year 0 of the first and of the last month.
    fn months(self) -> (u32, u32) {
        let year = u32::from(self.year) * 12;
        // The number of the part, and its months.
        let (number, months) = match self.part {
            Part::Month(month) => (month, 1),
            Part::Quarter(quarter) => (quarter, 3),
            Part::Half(half) => (half, 6),
            Part::Whole => (1, 12),
        };
        let end = year + u32::from(number) * months;
        (end - months, end - 1)
    }

    /// The first day.
    pub fn first_day(self) -> NaiveDate {
        first_of(self.months().0)
    }

    /// The last day.
    pub fn last_day(self) -> NaiveDate {
        self.end_day().pred_opt().unwrap_or_default()
    }

    /// The day behind the last one.
    pub fn end_day(self) -> NaiveDate {
        first_of(self.months().1 + 1)
    }

    /// The month, quarter, half or year of so many months that holds its start; itself where that is no longer than it.
    pub(super) fn widened(self, months: u32) -> Self {
        let (first, last) = self.months();
        if last - first + 1 >= months {
            return self;
        }
        let (year, part) = ((first / 12) as u16, (first % 12 / months + 1) as u8);
        let part = match months {
            1 => Part::Month(part),
            3 => Part::Quarter(part),
            6 => Part::Half(part),
            _ => Part::Whole,
        };
        Self { year, part }
    }

    /// The next period of its length; none behind the last year there is.
    fn following(self) -> Option<Self> {
        let next = self.months().1 + 1;
        let (year, month) = ((next / 12) as u16, (next % 12) as u8);
        let part = match self.part {
            Part::Month(_) => Part::Month(month + 1),
            Part::Quarter(_) => Part::Quarter(month / 3 + 1),
            Part::Half(_) => Part::Half(month / 6 + 1),
            Part::Whole => Part::Whole,
        };
        YEARS.contains(&year).then_some(Self { year, part })
    }
}

/// The years there are.
const YEARS: std::ops::Range<u16> = 2000..2200;

/// The first day of a month, counted since year 0.
fn first_of(month: u32) -> NaiveDate {
    // Years 2000 to 2200 and months 1 to 12 are dates; the default is never used.
    NaiveDate::from_ymd_opt((month / 12) as i32, month % 12 + 1, 1).unwrap_or_default()
}

impl FromStr for Period {
    type Err = TargetError;
    fn from_str(text: &str) -> Result<Self, TargetError> {
        let digits = |t: &str, length: usize| {
            (t.len() == length && t.bytes().all(|b| b.is_ascii_digit())).then(|| t.parse::<u16>().ok()).flatten()
        };
        let parse = || {
            let (year, part) = text.split_once('-').map_or((text, None), |(year, part)| (year, Some(part)));
            let year = digits(year, 4).filter(|year| YEARS.contains(year))?;
            let number = |text: &str, length: usize, most: u16| {
                digits(text, length).filter(|n| (1..=most).contains(n)).map(|n| n as u8)
            };
            let part = match part {
                None => Part::Whole,
                Some(part) => match (part.strip_prefix('Q'), part.strip_prefix('H')) {
                    (Some(quarter), _) => Part::Quarter(number(quarter, 1, 4)?),
                    (None, Some(half)) => Part::Half(number(half, 1, 2)?),
                    (None, None) => Part::Month(number(part, 2, 12)?),
                },
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
            Part::Half(half) => write!(f, "{:04}-H{half}", self.year),
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

    /// Whether all its months are months of `wider`.
    pub fn is_within(&self, wider: &Self) -> bool {
        wider.start.months().0 <= self.start.months().0 && self.end.months().1 <= wider.end.months().1
    }

    /// Whether a month is of both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start.months().0 <= other.end.months().1 && other.start.months().0 <= self.end.months().1
    }

    /// The periods that it is made of, in order, which are as long as its start. Refused where its end is of another length.
    pub fn periods(&self) -> Result<impl Iterator<Item = Period>, TargetError> {
        let Self { start, end } = *self;
        if std::mem::discriminant(&start.part) != std::mem::discriminant(&end.part) {
            return Err(TargetError::Uneven { start, end });
        }
        let last = end.months().1;
        let within = move |period: &Period| period.months().1 <= last;
        Ok(std::iter::successors(Some(start), |period| period.following()).take_while(within))
    }

    /// Its first and its last day: two intervals that are written otherwise and have the same are the same.
    pub fn days(&self) -> (NaiveDate, NaiveDate) {
        (self.start.first_day(), self.end.last_day())
    }
}

impl From<Period> for TargetInterval {
    fn from(period: Period) -> Self {
        Self { start: period, end: period }
    }
}

/// As it is written: `2026-Q3`, or `2026-Q3 to 2026-10`.
impl fmt::Display for TargetInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.start == self.end { write!(f, "{}", self.start) } else { write!(f, "{} to {}", self.start, self.end) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn examples() {
        for text in ["2026-07", "2026-12", "2026-Q1", "2199-Q4", "2026-H1", "2199-H2", "2026"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        for text in [
            "", "26", "2026-", "2026-13", "2026-0", "2026-7", "2026-Q5", "2026-Q0", "1999-01", "26-Q1", "2026-q1",
            "2026-+1", "2026-H0", "2026-H3", "2026-h1", "2026-H", "2026-H12",
        ] {
            assert_eq!(text.parse::<Period>(), Err(TargetError::Period(text.to_owned())));
        }
        let days = |text: &str| {
            let period: Period = text.parse().unwrap();
            [period.first_day(), period.last_day()].map(|day| day.to_string()).join(" ")
        };
        assert_eq!(days("2026-Q3"), "2026-07-01 2026-09-30");
        assert_eq!(days("2026-H1"), "2026-01-01 2026-06-30");
        assert_eq!(days("2026-H2"), "2026-07-01 2026-12-31");
        assert_eq!(days("2028-02"), "2028-02-01 2028-02-29");
        assert_eq!(days("2199"), "2199-01-01 2199-12-31");
    }

    #[test]
    fn what_lies_within_what_is_told_by_months() {
        let interval = |text: &str| TargetInterval::from(text.parse::<Period>().unwrap());
        let within = |inner: &str, outer: &str| interval(inner).is_within(&interval(outer));
        assert!(within("2026-Q1", "2026-H1") && within("2026-H1", "2026") && within("2026", "2026"));
        assert!(!within("2026-H1", "2026-Q1") && !within("2027-Q1", "2026") && !within("2025-Q4", "2026"));
        let long = TargetInterval::new("2026-11".parse().unwrap(), "2027-Q1".parse().unwrap()).unwrap();
        assert!(!long.is_within(&interval("2026")) && long.overlaps(&interval("2026")));
        assert!(long.overlaps(&interval("2027-03")) && !long.overlaps(&interval("2027-04")));
        assert_eq!(
            (long.to_string(), interval("2026-H2").to_string()),
            ("2026-11 to 2027-Q1".into(), "2026-H2".into())
        );
        assert_eq!(
            interval("2026-H2").days(),
            TargetInterval::new("2026-Q3".parse().unwrap(), "2026-12".parse().unwrap()).unwrap().days()
        );
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

    #[test]
    fn an_interval_is_made_of_periods_of_one_length() {
        let periods = |start: &str, end: &str| {
            let interval = TargetInterval::new(start.parse().unwrap(), end.parse().unwrap()).unwrap();
            let periods = interval.periods()?;
            Ok(periods.map(|period| period.to_string()).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(periods("2026-11", "2027-02").as_deref(), Ok("2026-11 2026-12 2027-01 2027-02"));
        assert_eq!(periods("2026-Q3", "2027-Q1").as_deref(), Ok("2026-Q3 2026-Q4 2027-Q1"));
        assert_eq!(periods("2026-H2", "2027-H1").as_deref(), Ok("2026-H2 2027-H1"));
        assert_eq!(periods("2026", "2026").as_deref(), Ok("2026"));
        assert_eq!(periods("2199-Q4", "2199-Q4").as_deref(), Ok("2199-Q4"), "nothing follows the last");
        let uneven = TargetError::Uneven { start: "2026".parse().unwrap(), end: "2026-Q4".parse().unwrap() };
        assert_eq!(periods("2026", "2026-Q4"), Err(uneven));
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
