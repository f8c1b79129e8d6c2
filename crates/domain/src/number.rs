//! Numbers that are compared and shown: without the last digits, which say only in what order they were computed.

/// The number to twelve significant digits. What is equal by a formula is equal then, whatever the order of its steps,
/// and so is a sum of decimals and the decimal that it makes.
pub fn rounded(number: f64) -> f64 {
    // Most are whole and short, and have no other digits.
    if number.abs() < 1e12 && number.fract() == 0.0 {
        return number;
    }
    // What a number is printed as reads back as a number.
    format!("{number:.11e}").parse().unwrap_or(number)
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
}
