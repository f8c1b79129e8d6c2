//! Numbers that are compared and shown: without the last digits, which say only in what order they were computed.

/// The number to twelve significant digits. What is equal by a formula is equal then, whatever the order of its steps,
/// and so is a sum of decimals and the decimal that it makes.
pub fn rounded(number: f64) -> f64 {
    // Most are whole and short, and have no other digits.
    if number.abs() < 1e12 && number.fract() == 0.0 {
        return number;
    }
    // What a number is printed as reads back as a number.
    by_powers(number).unwrap_or_else(|| format!("{number:.11e}").parse().unwrap_or(number))
}

/// The powers of ten that are numbers exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// The same without printing it, in a tenth of the time: a whole number of twelve digits is one exactly, so it is rounded once
/// when it is multiplied or divided by one of [`POWERS`], and what is printed is rounded alike when it is read (Clinger, 1990).
/// `None` where no such power is right, or where the thirteenth digit is so near to a half that only printing tells.
fn by_powers(number: f64) -> Option<f64> {
    let size = number.abs();
    // Whether it is one beside, as it may be near a power of ten, is seen below.
    let beyond = size.log10().floor() - 11.0;
    let power = *POWERS.get(beyond.abs() as usize)?;
    let shifted = if beyond > 0.0 { size / power } else { size * power };
    let off = (shifted.fract() - 0.5).abs();
    if !(1e11..1e12).contains(&shifted) || off < 1e-3 {
        return None;
    }
    let whole = shifted.round();
    Some((if beyond > 0.0 { whole * power } else { whole / power }).copysign(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "they are equal to the bit")]
    fn twelve_digits_are_kept() {
        assert_eq!(rounded(0.1 + 0.2), 0.3);
        assert_eq!(rounded(1_234_567_890.124), 1_234_567_890.12);
        assert_eq!([rounded(0.0), rounded(-12.5), rounded(1e300), rounded(5e-324)], [0.0, -12.5, 1e300, 5e-324]);
        let whole = [999_999_999_999.0, -4_000.0, 1_234_567_890_124.0, -0.0];
        assert_eq!(whole.map(rounded), [999_999_999_999.0, -4_000.0, 1_234_567_890_120.0, 0.0]);
        assert!(rounded(-0.0).is_sign_negative(), "as it is when it is printed");
        assert!(rounded(f64::NAN).is_nan() && rounded(f64::INFINITY) == f64::INFINITY);
    }

    #[test]
    fn a_number_is_rounded_as_it_is_printed() {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state
        };
        let mut fast = 0;
        for _ in 0..100_000 {
            let whole = (next() >> 24) as f64;
            let power = 10_f64.powi((next() >> 58) as i32 - 32);
            // Any bits, short decimals, and what lies beside the middle of two and beside a power of ten.
            let beside = f64::from_bits(((whole.floor() * 10.0 + 5.0) * power).to_bits().wrapping_add(next() >> 62));
            let near_ten = f64::from_bits(power.to_bits().wrapping_add(next() >> 60).wrapping_sub(8));
            for number in [f64::from_bits(next()), whole * power, -whole / power, beside, near_ten] {
                let printed: f64 = format!("{number:.11e}").parse().unwrap();
                assert!(rounded(number).to_bits() == printed.to_bits() || number.is_nan(), "{number:e}");
                fast += u32::from(by_powers(number).is_some());
            }
        }
        assert!(fast > 100_000, "of half a million: {fast}");
    }
}
