//! Numbers that are not known, as distributions: what a low, a likely and a high value say. Never draws one.

use std::sync::LazyLock;

use statrs::function::beta::checked_beta_reg;

use crate::StatsError;
use crate::error::finite;

/// Between its ends, how likely a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Rises straight to the likely value and falls straight from it.
    Triangular,
    /// A beta distribution, which has more of its weight near the likely value: PERT's (Malcolm, Roseboom, Clark and
    /// Fazar, 1959), with the usual weight of 4 on the likely value: `alpha = 1 + 4 (likely - least) / (most - least)`,
    /// `beta = 1 + 4 (most - likely) / (most - least)`.
    Pert,
}

/// What the low and the high value of a range say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// That nothing is beyond them.
    Bounds,
    /// That each is passed with a probability of 10 %.
    Tenths,
}

/// A number that is not known: a density with one peak between two ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    kind: Kind,
    /// What it is cut to.
    least: f64,
    most: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Known, after all.
    Point,
    /// From `from`, `width` wide, the peak at the share `peak` of it.
    Shaped {
        shape: Shape,
        from: f64,
        width: f64,
        peak: f64,
    },
    Normal {
        mean: f64,
        deviation: f64,
    },
}

/// How far a normal distribution reaches, in standard deviations: beyond is less than 1e-15 of it.
const NORMAL_REACH: f64 = 8.0;

impl Spread {
    /// A number that is known. Refused when it is not finite.
    pub fn point(value: f64) -> Result<Self, StatsError> {
        let value = finite("a value", value)?;
        Ok(Self { kind: Kind::Point, least: value, most: value })
    }

    /// What three numbers say. Refused when one is not finite, or they are not in order.
    pub fn range(low: f64, likely: f64, high: f64, shape: Shape, ends: Ends) -> Result<Self, StatsError> {
        for value in [low, likely, high] {
            finite("an end of a range", value)?;
        }
        if !(low <= likely && likely <= high) {
            return Err(StatsError::OutOfRange { what: "the likely value", range: "from low to high", got: likely });
        }
        if low >= high {
            return Self::point(low);
        }
        let share = (likely - low) / (high - low);
        let (from, width) = match ends {
            Ends::Bounds => (low, high - low),
            Ends::Tenths => {
                let (low_at, high_at) = shape.tenths(share);
                let width = (high - low) / (high_at - low_at);
                (low - width * low_at, width)
            }
        };
        // Rounding must not put the peak beside the ends.
        let peak = ((likely - from) / width).clamp(0.0, 1.0);
        finite("the width of a range", width)?;
        Ok(Self { kind: Kind::Shaped { shape, from, width, peak }, least: from, most: from + width })
    }

    /// A normal distribution. Refused when a number is not finite or the deviation is below zero.
    pub fn normal(mean: f64, deviation: f64) -> Result<Self, StatsError> {
        let (mean, deviation) = (finite("a mean", mean)?, finite("a standard deviation", deviation)?);
        if deviation < 0.0 {
            return Err(StatsError::OutOfRange { what: "a standard deviation", range: "at least 0", got: deviation });
        }
        if deviation == 0.0 {
            return Self::point(mean);
        }
        let reach = NORMAL_REACH * deviation;
        Ok(Self { kind: Kind::Normal { mean, deviation }, least: mean - reach, most: mean + reach })
    }

    /// This, given that the number is from `least` to `most`. A spread that lies wholly beyond is the end next to it.
    pub fn within(self, least: f64, most: f64) -> Self {
        let cut = Self { kind: self.kind, least: self.least.max(least), most: self.most.min(most) };
        if cut.least < cut.most {
            return cut;
        }
        let end = self.least.clamp(least, most.max(least));
        Self { kind: Kind::Point, least: end, most: end }
    }

    /// Whether it is a known number.
    pub fn is_point(&self) -> bool {
        self.kind == Kind::Point
    }

    /// The smallest number that it can be.
    pub fn least(&self) -> f64 {
        self.least
    }

    /// The largest number that it can be.
    pub fn most(&self) -> f64 {
        self.most
    }

    /// The most likely number.
    pub(crate) fn peak(&self) -> f64 {
        let peak = match self.kind {
            Kind::Point => self.least,
            Kind::Shaped { from, width, peak, .. } => from + peak * width,
            Kind::Normal { mean, .. } => mean,
        };
        peak.clamp(self.least, self.most)
    }

    /// How likely a number between the ends is beside others; 1 at the peak of the whole distribution.
    pub(crate) fn density(&self, value: f64) -> f64 {
        match self.kind {
            Kind::Point => 1.0,
            Kind::Shaped { shape, from, width, peak } => shape.density(((value - from) / width).clamp(0.0, 1.0), peak),
            Kind::Normal { mean, deviation } => (-0.5 * ((value - mean) / deviation).powi(2)).exp(),
        }
    }

    /// Numbers all over the distribution, with their weights, which are 1 together: the middles of equally wide pieces.
    /// What is smooth but for a bend has a mean of their values with an error of the square of a piece's width.
    pub(crate) fn nodes(&self, count: usize) -> Vec<(f64, f64)> {
        if self.is_point() {
            return vec![(self.least, 1.0)];
        }
        let piece = (self.most - self.least) / count as f64;
        let middle = |index: usize| self.least + (index as f64 + 0.5) * piece;
        let densities: Vec<f64> = (0..count).map(|index| self.density(middle(index))).collect();
        let all: f64 = densities.iter().sum();
        densities.into_iter().enumerate().map(|(index, density)| (middle(index), density / all)).collect()
    }

    /// The mean of a function of the number.
    pub(crate) fn mean_of(&self, of: impl Fn(f64) -> f64) -> f64 {
        self.nodes(512).into_iter().map(|(value, weight)| weight * of(value)).sum()
    }
}

impl Shape {
    /// On the way from 0 to 1, beside the peak's.
    fn density(self, at: f64, peak: f64) -> f64 {
        let share = |at: f64, peak: f64| if peak > 0.0 { at / peak } else { 1.0 };
        let (rise, fall) = (share(at, peak), share(1.0 - at, 1.0 - peak));
        match self {
            Self::Triangular => {
                if at < peak {
                    rise
                } else {
                    fall
                }
            }
            Self::Pert => {
                // x to the power of 4 peak, and what is left of 1 to that of 4 (1 - peak).
                let power = |base: f64, exponent: f64| if exponent > 0.0 { base.powf(exponent) } else { 1.0 };
                power(rise, 4.0 * peak) * power(fall, 4.0 * (1.0 - peak))
            }
        }
    }

    /// The probability of less.
    fn below(self, at: f64, peak: f64) -> f64 {
        match self {
            Self::Triangular if at < peak => at * at / peak,
            Self::Triangular => 1.0 - (1.0 - at).powi(2) / (1.0 - peak),
            // The arguments are above 0 and the number from 0 to 1, all that is asked of them.
            Self::Pert => checked_beta_reg(1.0 + 4.0 * peak, 5.0 - 4.0 * peak, at).unwrap_or(at),
        }
    }

    /// Where the tenths are on the way from 0 to 1, of the distribution whose peak is at this share of the way between
    /// them.
    fn tenths(self, share: f64) -> (f64, f64) {
        static TRIANGULAR: LazyLock<Vec<[f64; 3]>> = LazyLock::new(|| Shape::Triangular.table());
        static PERT: LazyLock<Vec<[f64; 3]>> = LazyLock::new(|| Shape::Pert.table());
        let table = match self {
            Self::Triangular => &TRIANGULAR,
            Self::Pert => &PERT,
        };
        let after = table.partition_point(|row| row[0] < share).clamp(1, table.len() - 1);
        let ([from, low_from, high_from], [to, low_to, high_to]) = (table[after - 1], table[after]);
        let part = ((share - from) / (to - from)).clamp(0.0, 1.0);
        (low_from + part * (low_to - low_from), high_from + part * (high_to - high_from))
    }

    /// For peaks all along the way: their share of the way between the tenths, from 0 to 1, and both tenths.
    fn table(self) -> Vec<[f64; 3]> {
        const STEPS: u32 = 512;
        let root = |rises: &dyn Fn(f64) -> f64| {
            let (mut low, mut high) = (0.0, 1.0);
            for _ in 0..60 {
                let middle = f64::midpoint(low, high);
                if rises(middle) < 0.0 { low = middle } else { high = middle }
            }
            f64::midpoint(low, high)
        };
        // The peak that is a tenth itself is the first, and by symmetry the last.
        let first = root(&|peak| self.below(peak, peak) - 0.1);
        let row = |step: u32| {
            let peak = first + (1.0 - 2.0 * first) * f64::from(step) / f64::from(STEPS);
            let [low, high] = [0.1, 0.9].map(|share| root(&|at| self.below(at, peak) - share));
            [(peak - low) / (high - low), low, high]
        };
        (0..=STEPS).map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The probability of less, by the nodes.
    fn below(spread: &Spread, value: f64) -> f64 {
        spread.nodes(20_000).into_iter().filter(|(other, _)| *other < value).map(|(_, weight)| weight).sum()
    }

    #[test]
    fn a_tenth_is_beyond_each_end() {
        for shape in [Shape::Triangular, Shape::Pert] {
            for (low, likely, high) in [(10.0, 20.0, 40.0), (10.0, 10.0, 40.0), (-3.0, 5.0, 5.0), (0.0, 1.0, 2.0)] {
                let spread = Spread::range(low, likely, high, shape, Ends::Tenths).unwrap();
                assert!((below(&spread, low) - 0.1).abs() < 3e-4, "{shape:?} {low} {likely} {high}");
                assert!((below(&spread, high) - 0.9).abs() < 3e-4, "{shape:?} {low} {likely} {high}");
                assert!((spread.peak() - likely).abs() < 1e-9 * high.abs().max(1.0), "{shape:?}");
            }
        }
    }

    #[test]
    fn means_are_those_of_the_shapes() {
        // (least + likely + most) / 3, and (least + 4 likely + most) / 6.
        let mean = |shape| Spread::range(1.0, 2.0, 9.0, shape, Ends::Bounds).unwrap().mean_of(|value| value);
        assert!((mean(Shape::Triangular) - 4.0).abs() < 1e-4, "{}", mean(Shape::Triangular));
        assert!((mean(Shape::Pert) - 3.0).abs() < 3e-4, "{}", mean(Shape::Pert));
        let normal = Spread::normal(5.0, 2.0).unwrap();
        assert!((normal.mean_of(|value| (value - 5.0).powi(2)) - 4.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_cut_keeps_its_shape() {
        let spread = Spread::range(0.5, 1.0, 4.0, Shape::Triangular, Ends::Tenths).unwrap();
        assert!(spread.least() < 0.0, "half a month is passed by a tenth of a wide triangle");
        let cut = spread.within(0.01, 1e5);
        assert_eq!((cut.least(), cut.most(), cut.peak()), (0.01, spread.most(), spread.peak()));
        assert_eq!(cut.within(9e9, 1e10), Spread::point(9e9).unwrap());
        assert!(Spread::point(3.0).unwrap().within(0.0, 5.0).is_point());
    }

    #[test]
    fn what_is_no_range_is_refused() {
        let range = |low, likely, high| Spread::range(low, likely, high, Shape::Pert, Ends::Bounds);
        assert!(range(2.0, 1.0, 3.0).is_err() && range(0.0, f64::NAN, 3.0).is_err() && range(0.0, 1.0, 0.5).is_err());
        assert!(range(-1.7e308, 0.0, 1.7e308).is_err() && range(0.0, 1.0, f64::INFINITY).is_err());
        assert!(Spread::normal(0.0, -1.0).is_err() && Spread::point(f64::NAN).is_err());
        assert!(range(2.0, 2.0, 2.0).unwrap().is_point());
    }
}
