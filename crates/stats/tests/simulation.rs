//! What estimators do on average, seen on many series whose truth is known. The random numbers are the same every time.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use waymark_stats::*;

/// SplitMix64 (Steele, Lea and Flood, 2014), turned into normal deviates by Box and Muller (1958).
struct Normal(u64);

impl Normal {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn next(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Daily values around 100, each `stickiness` of the day before.
    fn days(&mut self, count: usize, stickiness: f64) -> Vec<f64> {
        let mut day = self.next() / (1.0 - stickiness * stickiness).sqrt();
        let mut days = Vec::with_capacity(count);
        for _ in 0..count {
            days.push(100.0 + day);
            day = stickiness * day + self.next();
        }
        days
    }
}

#[test]
fn two_short_windows_tell_how_sticky_days_are_without_bias() {
    for stickiness in [0.0, 0.3, 0.5] {
        let mut normal = Normal(7);
        let estimates: Vec<f64> = (0..20_000)
            .map(|_| {
                let days = normal.days(29, stickiness);
                // The day of shipping lies between the windows.
                lag_one_autocorrelation(&[&days[..14], &days[15..]])
            })
            .collect();
        let mean = estimates.iter().sum::<f64>() / estimates.len() as f64;
        assert!((mean - stickiness).abs() < 0.025, "{stickiness}: {mean}");
    }
}

#[test]
fn no_change_is_taken_for_a_change_about_as_often_as_said() {
    for (stickiness, least) in [(0.0, 0.94), (0.3, 0.92), (0.5, 0.90)] {
        let mut normal = Normal(11);
        let covered = (0..5_000)
            .filter(|_| {
                let days = normal.days(57, stickiness);
                let interval = pre_post(&days[..28], &days[29..], Level::P95).unwrap().absolute.interval;
                interval.low <= 0.0 && 0.0 <= interval.high
            })
            .count();
        let share = covered as f64 / 5_000.0;
        assert!(share > least, "{stickiness}: {share}");
    }
}
