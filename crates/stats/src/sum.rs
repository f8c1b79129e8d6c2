//! Sums without error, rounded once, when they are read: neither the order of the numbers nor how they were shared out
//! changes a bit. Never says what the sum is of.
//!
//! A sum is a fixed-point number that has room for every double, in chunks of 32 bits that wait for their carries: the
//! small superaccumulator of Neal (2015, arXiv:1505.05571). Of its chunks only those are kept that the numbers reach.

/// How many bits a chunk is above the one before.
const WIDTH: usize = 32;
const MASK: i64 = (1 << WIDTH) - 1;
/// Numbers that are added before chunks are carried: each adds less than 2^53 to a chunk, which takes less than 2^63.
const PENDING_MOST: u32 = 1 << 9;
/// The exponent of the smallest double, which is the lowest bit of chunk 0.
const LOWEST_EXPONENT: i32 = -1074;

/// The exact sum of the numbers added so far.
#[derive(Debug, Clone, Default)]
pub struct ExactSum {
    /// The sum of each times 2 to the power of `WIDTH * (first + index) + LOWEST_EXPONENT`.
    chunks: Vec<i64>,
    first: u32,
    pending: u32,
    /// The sum of the numbers that are not finite.
    beyond: f64,
}

impl ExactSum {
    /// Adds a number.
    pub fn add(&mut self, number: f64) {
        if !number.is_finite() {
            self.beyond += number;
            return;
        }
        let bits = number.abs().to_bits();
        let (exponent, fraction) = (bits >> 52, bits & ((1 << 52) - 1));
        // Below the normal numbers there is no hidden bit, and the exponent is that of the smallest of them.
        let (mantissa, place) = match exponent.checked_sub(1) {
            Some(place) => (fraction | 1 << 52, place as usize),
            None => (fraction, 0),
        };
        if mantissa == 0 {
            return;
        }
        let shift = place % WIDTH;
        let (low, high) = ((mantissa << shift).cast_signed() & MASK, (mantissa >> (WIDTH - shift)).cast_signed());
        let sign = if number.is_sign_negative() { -1 } else { 1 };
        let at = self.reach(place / WIDTH, 2);
        self.chunks[at] += sign * low;
        self.chunks[at + 1] += sign * high;
        self.added();
    }

    /// Adds all that was added to another sum.
    pub fn merge(&mut self, mut other: Self) {
        self.beyond += other.beyond;
        if other.chunks.is_empty() {
            return;
        }
        other.carry();
        let at = self.reach(other.first as usize, other.chunks.len());
        for (chunk, more) in self.chunks[at..].iter_mut().zip(other.chunks) {
            *chunk += more;
        }
        self.added();
    }

    /// The double next to the sum, of two as near the even one; infinite beyond the largest. Where not all numbers were
    /// finite, what those make.
    pub fn value(&self) -> f64 {
        if self.beyond.is_nan() {
            // There are many; this is one.
            return f64::NAN;
        }
        if self.beyond != 0.0 {
            return self.beyond;
        }
        let mut sum = self.clone();
        sum.carry();
        let negative = sum.chunks.last().is_some_and(|chunk| *chunk < 0);
        if negative {
            sum.chunks.iter_mut().for_each(|chunk| *chunk = -*chunk);
            sum.carry();
        }
        let Some(top) = sum.chunks.iter().rposition(|chunk| *chunk != 0) else { return 0.0 };
        // Four chunks hold more bits than a double and the one behind them; of the rest it matters whether there is any.
        let base = top.saturating_sub(3);
        let digits = sum.chunks[base..=top].iter().rev();
        let leading = digits.fold(0_u128, |leading, chunk| leading << WIDTH | u128::from(chunk.unsigned_abs()));
        let rest = sum.chunks[..base].iter().any(|chunk| *chunk != 0);
        let exponent = (WIDTH * (sum.first as usize + base)) as i32 + LOWEST_EXPONENT;
        // The cast rounds; where it could again, below the normal numbers, the product is exact.
        let value = (leading | u128::from(rest)) as f64 * power_of_two(exponent);
        if negative { -value } else { value }
    }

    /// Makes room for `count` chunks from `place` on, and says where they begin.
    fn reach(&mut self, place: usize, count: usize) -> usize {
        if self.chunks.is_empty() {
            self.first = place as u32;
        }
        let missing = (self.first as usize).saturating_sub(place);
        if missing > 0 {
            self.chunks.splice(..0, std::iter::repeat_n(0, missing));
            self.first = place as u32;
        }
        let at = place - self.first as usize;
        if self.chunks.len() < at + count {
            self.chunks.resize(at + count, 0);
        }
        at
    }

    fn added(&mut self) {
        self.pending += 1;
        if self.pending == PENDING_MOST {
            self.carry();
        }
    }

    /// Brings all chunks but the last within 0 to 2^32; the last one has the sign.
    fn carry(&mut self) {
        self.pending = 0;
        let Some((last, others)) = self.chunks.split_last_mut() else { return };
        let mut carried = 0;
        for chunk in others {
            let sum = *chunk + carried;
            (*chunk, carried) = (sum & MASK, sum >> WIDTH);
        }
        *last += carried;
        let over = *last >> WIDTH;
        if over != 0 && over != -1 {
            *last &= MASK;
            self.chunks.push(over);
        }
    }
}

impl Extend<f64> for ExactSum {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, numbers: I) {
        numbers.into_iter().for_each(|number| self.add(number));
    }
}

impl FromIterator<f64> for ExactSum {
    fn from_iter<I: IntoIterator<Item = f64>>(numbers: I) -> Self {
        let mut sum = Self::default();
        sum.extend(numbers);
        sum
    }
}

/// The arithmetic mean, such that the mean of equal numbers is that number. NaN of nothing.
pub fn mean(values: &[f64]) -> f64 {
    let mut sum: ExactSum = values.iter().copied().collect();
    let count = values.len() as f64;
    let near = sum.value() / count;
    let product = near * count;
    if !product.is_finite() {
        return near;
    }
    // What the quotient leaves of the sum is exact, too; its share is what rounding took.
    sum.extend([-product, -near.mul_add(count, -product)]);
    near + sum.value() / count
}

/// 2 to the power of `exponent`, which is one that a double has.
fn power_of_two(exponent: i32) -> f64 {
    match exponent + 1022 {
        normal @ 0.. => f64::from_bits(((normal + 1) as u64) << 52),
        _ => f64::from_bits(1 << (exponent - LOWEST_EXPONENT)),
    }
}
