//! The axis of a timeline: which months it has, and where which of them are named.

use chrono::{Datelike as _, NaiveDate};

/// Names beside one another at most.
const NAMES: i32 = 16;
/// Months from one name to the next: months, quarters, halves, years, and more.
const STEPS: [i32; 8] = [1, 3, 6, 12, 24, 60, 120, 1_200];

/// Months in a row, counted from the year 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    first: i32,
    last: i32,
    step: i32,
}

/// The number of a day's month.
pub fn month(day: NaiveDate) -> i32 {
    // From 0 to 11.
    day.year() * 12 + day.month0() as i32
}

impl Axis {
    /// From a month to another, in whole steps.
    pub fn new(first: i32, last: i32) -> Self {
        let fits = |step: &&i32| (last - first + 1) / **step < NAMES;
        let step = STEPS.iter().find(fits).copied().unwrap_or(12_000);
        let first = first.div_euclid(step) * step;
        Self { first, last: (last.div_euclid(step) + 1) * step - 1, step }
    }

    /// How far a month begins from the left, as a share of the whole.
    pub fn share(self, month: i32) -> f64 {
        f64::from(month - self.first) / f64::from(self.last - self.first + 1)
    }

    /// The months that are named, with their names.
    pub fn names(self) -> impl Iterator<Item = (i32, String)> {
        let step = usize::try_from(self.step).unwrap_or(1);
        (self.first..=self.last).step_by(step).map(move |month| {
            let (year, of_year) = (month.div_euclid(12), month.rem_euclid(12));
            let name = match self.step {
                1 => format!("{year:04}-{:02}", of_year + 1),
                3 => format!("{year:04}-Q{}", of_year / 3 + 1),
                6 => format!("{year:04}-H{}", of_year / 6 + 1),
                _ => format!("{year:04}"),
            };
            (month, name)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(first: &str, last: &str) -> Vec<String> {
        let month = |text: &str| month(text.parse().unwrap());
        Axis::new(month(first), month(last)).names().map(|(_, name)| name).collect()
    }

    #[test]
    fn months_are_named_or_quarters_or_years() {
        assert_eq!(names("2026-11-30", "2027-01-01"), ["2026-11", "2026-12", "2027-01"]);
        assert_eq!(
            names("2026-02-01", "2027-06-01"),
            ["2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4", "2027-Q1", "2027-Q2"]
        );
        assert_eq!(names("2026-02-01", "2034-06-01").len(), 9);
        assert!(names("0001-01-01", "9999-12-01").len() <= 16, "however far targets are apart");
        let axis = Axis::new(month("2026-02-01".parse().unwrap()), month("2027-12-01".parse().unwrap()));
        assert!((axis.share(2026 * 12 + 12) - 0.5).abs() < 1e-9);
    }
}
