//! What the users of the story do: orders a day with a weekly rhythm, noise, and from one day on a change of a known
//! size.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, TimeDelta, Utc};
use waymark_proto::Timestamp;
use waymark_proto::metrics::v1::ProductEvent;

/// Days compared on each side of shipping.
pub const WINDOW: u64 = 28;
/// Orders on an average day before.
const ORDERS: f64 = 150.0;
/// Standard deviation of a day's orders, as a share.
const NOISE: f64 = 0.03;

/// The generated life of a product.
#[derive(Debug, Clone)]
pub struct Behaviour {
    seed: u64,
    /// The planted truth, as a share: 0.12 is +12 %.
    pub lift: f64,
    /// The day users got the new thing.
    pub shipped: NaiveDate,
    today: NaiveDate,
}

impl Behaviour {
    /// A life that was shipped to just long enough ago that the window after it is over.
    pub fn new(seed: u64, lift: f64, now: DateTime<Utc>) -> Self {
        let today = now.date_naive();
        Self { seed, lift, shipped: today - Days::new(WINDOW + 2), today }
    }

    /// What users did before the day of shipping.
    pub fn before(&self) -> Vec<ProductEvent> {
        self.days(self.shipped - Days::new(WINDOW + 7), self.shipped)
    }

    /// What they did from that day until today.
    pub fn after(&self) -> Vec<ProductEvent> {
        self.days(self.shipped, self.today)
    }

    fn days(&self, from: NaiveDate, to: NaiveDate) -> Vec<ProductEvent> {
        from.iter_days().take_while(|day| *day < to).flat_map(|day| self.day(day)).collect()
    }

    fn day(&self, day: NaiveDate) -> Vec<ProductEvent> {
        let mut dice = Dice(self.seed ^ (day.num_days_from_ce() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let weekend = if day.weekday().number_from_monday() > 5 { 1.05 } else { 0.98 };
        let lift = if day >= self.shipped { 1.0 + self.lift } else { 1.0 };
        let count = ORDERS * weekend * lift * (1.0 + NOISE * dice.normal());
        (0..count.round().max(0.0) as u32).map(|number| order(day, number, &mut dice)).collect()
    }
}

fn order(day: NaiveDate, number: u32, dice: &mut Dice) -> ProductEvent {
    let user = (dice.uniform() * 2_000.0) as u32;
    let second = TimeDelta::seconds((dice.uniform() * 86_399.0) as i64);
    let time = day.and_time(chrono::NaiveTime::MIN).and_utc() + second;
    let amount = ((10.0 + 60.0 * dice.uniform()) * 100.0).round() / 100.0;
    let properties = serde_json::from_value(serde_json::json!({ "amount": amount })).ok();
    ProductEvent {
        event_id: format!("{day}-{number}"),
        user: format!("user-{user:04}"),
        event: "order_placed".to_owned(),
        time: Some(Timestamp { seconds: time.timestamp(), nanos: 0 }),
        properties,
        ..ProductEvent::default()
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In 0..1.
    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal (Box and Muller, 1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behaviour(lift: f64) -> Behaviour {
        Behaviour::new(7, lift, "2026-06-30T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn the_planted_lift_is_in_the_data() {
        let behaviour = behaviour(0.12);
        let before = behaviour.before().len() as f64 / 35.0;
        let after = behaviour.after().len() as f64 / 30.0;
        assert!((after / before - 1.12).abs() < 0.03, "{}", after / before);
    }

    #[test]
    fn the_same_seed_is_the_same_life_and_ids_are_unique() {
        let (events, again) = (behaviour(0.1).after(), behaviour(0.1).after());
        assert_eq!(events, again);
        let ids: std::collections::HashSet<_> = events.iter().map(|event| &event.event_id).collect();
        assert_eq!(ids.len(), events.len());
    }

    #[test]
    fn the_window_after_shipping_is_over() {
        let behaviour = behaviour(0.0);
        assert!(behaviour.shipped + Days::new(WINDOW) < behaviour.today);
    }
}
