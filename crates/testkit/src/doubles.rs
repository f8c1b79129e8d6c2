//! Numbers that show whether doubles are kept to the bit.

/// Without end: ends of the range, numbers that inexact parsers are known to miss, and then finite doubles of all sizes, by
/// bit pattern and between 0 and 1 by turns. The same for the same seed.
pub fn doubles(seed: u64) -> impl Iterator<Item = f64> {
    let known = [101.404_206_449_216_55, 0.942_450_283_777_050_3, f64::MAX, f64::MIN_POSITIVE, 5e-324, 1e22, -1e-7];
    // SplitMix64 (Steele, Lea and Flood, 2014).
    let mut state = seed;
    let mut bits = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let random = std::iter::repeat_with(move || [f64::from_bits(bits()), (bits() >> 11) as f64 / (1_u64 << 53) as f64]);
    known.into_iter().chain(random.flatten().filter(|number| number.is_finite()))
}
