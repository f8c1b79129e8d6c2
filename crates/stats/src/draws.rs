//! Numbers drawn from spreads. A draw is determined by the seed and its place alone, so neither threads nor the order of
//! work change one, and a seed says the same in every release.

use crate::Spread;

/// Random bits of one place: SplitMix64 (Steele, Lea and Flood, 2014), a counter that is mixed. Which counter it starts
/// from is itself mixed from the seed and the place.
pub(crate) struct Stream(u64);

impl Stream {
    pub(crate) fn new(seed: u64, place: [u64; 3]) -> Self {
        Self(place.into_iter().fold(mix(seed), |state, part| mix(state ^ part.wrapping_mul(STEP))))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// How many strips a distribution is cut into: a strip is a sixty-fourth of its width, so all but one draw in thirty or
/// so are below the curve without a look at it.
const STRIPS: usize = 64;
/// How many numbers 32 bits have.
const TWO_32: f64 = 4_294_967_296.0;

/// Draws from one spread: a strip by the area of its hat (Walker, 1977; Vose, 1991), a point below the hat, and again
/// when the point is above the curve (von Neumann, 1951). Exact, whatever the shape, as the curve has one peak.
pub(crate) struct Sampler {
    spread: Spread,
    /// How wide a strip is, by 2^32.
    scale: f64,
    strips: Vec<Strip>,
}

/// A cache line's half, so that all strips of a sampler stay in the first cache.
#[derive(Clone, Copy)]
struct Strip {
    /// Where it begins.
    from: f64,
    /// As high as the curve gets in it.
    hat: f64,
    /// Below this height of 2^32, a point below the hat is below the curve, wherever in the strip.
    sure: u32,
    /// Below this coin it is the strip itself, else another one: the second and the first of these.
    keep: u32,
    choices: [u32; 2],
}

impl Sampler {
    pub(crate) fn new(spread: &Spread) -> Self {
        let width = (spread.most() - spread.least()) / STRIPS as f64;
        let strips = if spread.is_point() { Vec::new() } else { strips(spread, width) };
        Self { spread: *spread, scale: width / TWO_32, strips }
    }

    /// Fills `draws`.
    pub(crate) fn fill(&self, stream: &mut Stream, draws: &mut [f64]) {
        match <&[Strip; STRIPS]>::try_from(self.strips.as_slice()) {
            Ok(strips) => draws.iter_mut().for_each(|draw| *draw = self.draw(strips, stream)),
            Err(_) => draws.fill(self.spread.least()),
        }
    }

    fn draw(&self, strips: &[Strip; STRIPS], stream: &mut Stream) -> f64 {
        loop {
            let (first, second) = (stream.next(), stream.next());
            // Chosen by a look-up: a processor cannot guess which way a fair coin falls.
            let column = &strips[(first >> 32) as usize % STRIPS];
            let chosen = column.choices[usize::from((first as u32) < column.keep)];
            let Strip { from, hat, sure, .. } = strips[chosen as usize % STRIPS];
            let (along, up) = ((second >> 32) as u32, second as u32);
            let value = from + (f64::from(along) + 0.5) * self.scale;
            if up < sure || (f64::from(up) + 0.5) / TWO_32 * hat < self.spread.density(value) {
                return value;
            }
        }
    }
}

fn strips(spread: &Spread, width: f64) -> Vec<Strip> {
    let edges: Vec<f64> = (0..=STRIPS).map(|edge| spread.least() + edge as f64 * width).collect();
    let heights: Vec<f64> = edges.iter().map(|edge| spread.density(*edge)).collect();
    let peak = spread.peak();
    let mut strips: Vec<Strip> = Vec::with_capacity(STRIPS);
    for (index, (ends, height)) in edges.windows(2).zip(heights.windows(2)).enumerate() {
        let top = if ends[0] < peak && peak < ends[1] { spread.density(peak) } else { 0.0 };
        let hat = height[0].max(height[1]).max(top);
        let sure = if hat > 0.0 { height[0].min(height[1]) / hat * TWO_32 } else { 0.0 };
        let choices = [index as u32; 2];
        strips.push(Strip { from: ends[0], hat, sure: sure as u32, keep: u32::MAX, choices });
    }
    // Each column of equal area is filled up with what another strip has too much of.
    let all: f64 = strips.iter().map(|strip| strip.hat).sum();
    let mut shares: Vec<f64> = strips.iter().map(|strip| strip.hat / all * STRIPS as f64).collect();
    let (mut short, mut long): (Vec<usize>, Vec<usize>) = (0..STRIPS).partition(|index| shares[*index] < 1.0);
    while let (Some(low), Some(high)) = (short.pop(), long.pop()) {
        strips[low].keep = (shares[low] * TWO_32) as u32;
        strips[low].choices[0] = high as u32;
        shares[high] -= 1.0 - shares[low];
        if shares[high] < 1.0 {
            short.push(high);
        } else {
            long.push(high);
        }
    }
    strips
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ends, Shape};

    /// Kolmogorov's distance between draws and the distribution, by its nodes; beyond 1.95 / sqrt(n) once in a thousand.
    fn distance(spread: &Spread, seed: u64) -> f64 {
        let mut draws = vec![0.0; 100_000];
        Sampler::new(spread).fill(&mut Stream::new(seed, [0, 0, 0]), &mut draws);
        draws.sort_by(f64::total_cmp);
        let (mut below, mut furthest) = (0.0, 0.0_f64);
        for (value, weight) in spread.nodes(512) {
            // The middle of a piece has half of it below.
            let drawn = draws.partition_point(|draw| *draw < value) as f64 / draws.len() as f64;
            furthest = furthest.max((below + weight / 2.0 - drawn).abs());
            below += weight;
        }
        furthest
    }

    #[test]
    fn draws_are_of_the_distribution() {
        let range = |shape, ends| Spread::range(1.0, 2.0, 9.0, shape, ends).unwrap();
        for spread in [
            range(Shape::Triangular, Ends::Bounds),
            range(Shape::Triangular, Ends::Tenths).within(0.5, 8.0),
            range(Shape::Pert, Ends::Bounds),
            range(Shape::Pert, Ends::Tenths).within(1.9, 1e9),
            Spread::range(0.0, 0.0, 1.0, Shape::Pert, Ends::Bounds).unwrap(),
            Spread::range(0.0, 1.0, 1.0, Shape::Triangular, Ends::Bounds).unwrap(),
            Spread::normal(-3.0, 0.1).unwrap(),
        ] {
            let distance = distance(&spread, 5);
            assert!(distance < 1.95 / 100_000_f64.sqrt(), "{spread:?}: {distance}");
        }
    }

    #[test]
    fn a_place_has_its_own_draws_and_always_the_same() {
        let of = |seed, place| Stream::new(seed, place).next();
        assert_eq!(of(1, [2, 3, 4]), of(1, [2, 3, 4]));
        let others = [of(2, [2, 3, 4]), of(1, [3, 2, 4]), of(1, [2, 4, 3]), of(1, [4, 3, 2])];
        assert!(others.iter().all(|other| *other != of(1, [2, 3, 4])));
        // What a seed says must not change from release to release: this is the first number of SplitMix64 from 0.
        assert_eq!(of(0, [0, 0, 0]), 0xe220_a839_7b1d_cdaf);
    }
}
