//! Cost of delay, in money and time: what an order of jobs costs, done one after another by one team (Donald Reinertsen,
//! The Principles of Product Development Flow, 2009, chapter 7).

use strum::{EnumString, IntoStaticStr, VariantNames};

/// A stretch of time that costs and durations are given in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum TimeUnit {
    /// A working day, of which a week has five.
    Day,
    /// A week, in which all are compared.
    Week,
    /// A month, of which a quarter has three.
    Month,
    /// A quarter of thirteen weeks.
    Quarter,
    /// Four quarters.
    Year,
}

impl TimeUnit {
    /// How many weeks it has.
    pub const fn weeks(self) -> f64 {
        match self {
            Self::Day => 0.2,
            Self::Week => 1.0,
            Self::Month => 13.0 / 3.0,
            Self::Quarter => 13.0,
            Self::Year => 52.0,
        }
    }
}

/// A text that names no money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be three capital letters as in ISO 4217, such as EUR, got {0:?}")]
pub struct CurrencyError(String);

/// A currency, if it is written as one.
pub fn currency(text: &str) -> Result<String, CurrencyError> {
    let right = text.len() == 3 && text.bytes().all(|letter| letter.is_ascii_uppercase());
    if right { Ok(text.to_owned()) } else { Err(CurrencyError(text.to_owned())) }
}

/// Money that comes in, or fails to, per stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// How much, 0 or more.
    pub amount: f64,
    /// Of which money: three letters, as in ISO 4217.
    pub currency: String,
    /// Per what.
    pub per: TimeUnit,
}

impl Rate {
    /// How much it is per week.
    pub fn per_week(&self) -> f64 {
        self.amount / self.per.weeks()
    }
}

/// A job that is worth something every week from the day it is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Job {
    /// What every week without it costs.
    pub cost_per_week: f64,
    /// How many weeks it takes.
    pub weeks: f64,
}

/// What an order of jobs comes to, from its beginning to when the last one is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// How many weeks that is.
    pub weeks: f64,
    /// What comes in on the way: what came in before, and what jobs that are done bring.
    pub earned: f64,
    /// What does not come in, because jobs are not done yet: the cost of delay.
    pub delay: f64,
}

impl Job {
    /// Cost of delay by duration. The order by it, highest first, has the lowest cost (Smith, 1956).
    pub fn cd3(&self) -> f64 {
        self.cost_per_week / self.weeks
    }
}

/// What an order of jobs comes to when `before` came in per week before the first is done.
pub fn outcome(before: f64, order: &[Job]) -> Outcome {
    let mut outcome = Outcome { weeks: 0.0, earned: 0.0, delay: 0.0 };
    let mut coming_in = before;
    let mut missing: f64 = order.iter().map(|job| job.cost_per_week).sum();
    for job in order {
        outcome.weeks += job.weeks;
        outcome.earned += coming_in * job.weeks;
        outcome.delay += missing * job.weeks;
        coming_in += job.cost_per_week;
        missing -= job.cost_per_week;
    }
    outcome
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn worked_example() {
        // 10 a week come in. A brings 10 more and takes 2 weeks, B brings 30 more and takes 4: over the six weeks, 100
        // come in when A is first and 120 when B is, as its cost of delay by duration says.
        let (a, b) = (Job { cost_per_week: 10.0, weeks: 2.0 }, Job { cost_per_week: 30.0, weeks: 4.0 });
        assert_eq!(outcome(10.0, &[a, b]), Outcome { weeks: 6.0, earned: 100.0, delay: 200.0 });
        assert_eq!(outcome(10.0, &[b, a]), Outcome { weeks: 6.0, earned: 120.0, delay: 180.0 });
        assert!(b.cd3() > a.cd3());
    }

    #[test]
    fn currencies_are_three_capitals() {
        assert_eq!(currency("EUR"), Ok("EUR".to_owned()));
        assert!(["", "eur", "EURO", "E1R", "€€€"].iter().all(|text| currency(text).is_err()));
    }

    #[test]
    fn rates_are_compared_per_week() {
        let per_week = |per| Rate { amount: 52.0, currency: "EUR".into(), per }.per_week();
        let all = [TimeUnit::Day, TimeUnit::Week, TimeUnit::Month, TimeUnit::Quarter, TimeUnit::Year].map(per_week);
        for (actual, expected) in all.into_iter().zip([260.0, 52.0, 12.0, 4.0, 1.0]) {
            assert!((actual - expected).abs() < 1e-12, "{actual} is not {expected}");
        }
    }

    fn jobs() -> impl Strategy<Value = Vec<Job>> {
        let job = (0.0..100.0f64, 0.1..20.0f64).prop_map(|(cost_per_week, weeks)| Job { cost_per_week, weeks });
        prop::collection::vec(job, 1..8)
    }

    proptest! {
        #[test]
        fn no_order_costs_less_than_the_one_by_cd3(order in jobs().prop_shuffle(), before in 0.0..100.0f64) {
            let mut best = order.clone();
            best.sort_by(|a, b| b.cd3().total_cmp(&a.cd3()));
            let (best, other) = (outcome(before, &best), outcome(before, &order));
            prop_assert!(best.delay <= other.delay * (1.0 + 1e-12) && best.earned >= other.earned * (1.0 - 1e-12));
            // What comes in and what does not are all that could.
            let all = (before + order.iter().map(|job| job.cost_per_week).sum::<f64>()) * other.weeks;
            prop_assert!((other.earned + other.delay - all).abs() <= 1e-9 * all.max(1.0));
        }
    }
}
