//! The published frameworks: which inputs each has, on which scales, and what they come to. A table, so that what is done
//! with a framework - its estimates, orders, sensitivity - is written once for all of them.

use std::sync::LazyLock;

use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

use super::{Scale, ScaleError};
use crate::Range;
use crate::number::rounded;

pub mod bands;
pub mod delay;
pub mod moscow;

/// How initiatives are scored.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr, VariantArray, VariantNames,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Framework {
    /// reach × impact × confidence / effort (Sean McBride, Intercom, 2018).
    Rice,
    /// impact × confidence × ease, each from 1 to 10 (Sean Ellis, 2015).
    Ice,
    /// The mean of the three, a variant of ICE.
    IceMean,
    /// Weighted shortest job first: (value + time criticality + risk reduction or opportunity) / job size (Donald
    /// Reinertsen, 2009; the sum as in SAFe).
    Wsjf,
    /// Cost of delay divided by duration: money per week, per week of work (Donald Reinertsen, 2009).
    Cd3,
    /// value / effort (the ratio behind the value-effort matrix; Dean Leffingwell and Don Widrig, 2000).
    ValueEffort,
    /// importance + max(importance − satisfaction, 0) of a need, each from 0 to 10 (Anthony Ulwick, 2002).
    Opportunity,
    /// Must, should, could, won't, in that order (Dai Clegg, 1994).
    Moscow,
    /// By the kind of need: must-be, one-dimensional, attractive, indifferent, reverse, in that order (Noriaki Kano, 1984;
    /// the order as in Berger et al., 1993).
    Kano,
}

/// One input of a framework.
#[derive(Debug)]
pub struct Input {
    /// What it is called, in estimates and wherever one is asked for.
    pub key: &'static str,
    /// Whether more of it raises the score; less does otherwise.
    pub raises: bool,
    /// Whether the score is a straight line in it, or in one over it if it lowers the score.
    pub straight: bool,
    /// Whether it is one of a few categories, which are told by their words.
    pub category: bool,
    scale: LazyLock<Scale>,
    room: LazyLock<Scale>,
}

/// An input is told by its key.
impl PartialEq for Input {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Input {
    /// Every input once, framework by framework.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        let by_framework: [&[Self]; 8] = [&RICE, &ICE, &WSJF, &CD3, &VALUE_EFFORT[..1], &OPPORTUNITY, &MOSCOW, &KANO];
        by_framework.into_iter().flatten()
    }

    /// The input with this key.
    pub fn of(key: &str) -> Option<&'static Self> {
        Self::all().find(|input| input.key == key)
    }

    /// This, of which the score is no straight line.
    const fn bent(mut self) -> Self {
        self.straight = false;
        self
    }

    /// This as one of a few categories.
    const fn category(mut self) -> Self {
        self.category = true;
        self
    }

    /// The published scale.
    pub fn scale(&self) -> &Scale {
        &self.scale
    }

    /// The numbers that any workspace's scale of it may have.
    pub fn room(&self) -> &Scale {
        &self.room
    }

    /// What a workspace's scale of it is kept under: its key as a DNS label.
    pub fn label(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }
}

const fn input(key: &'static str, raises: bool, scale: fn() -> Scale) -> Input {
    stepped(key, raises, scale, scale)
}

/// An input that has the steps of its scale alone, where a workspace may have others.
const fn stepped(key: &'static str, raises: bool, scale: fn() -> Scale, room: fn() -> Scale) -> Input {
    Input { key, raises, straight: true, category: false, scale: LazyLock::new(scale), room: LazyLock::new(room) }
}

/// A scale that stands below.
#[expect(clippy::expect_used, reason = "each is a constant, and a test makes all of them")]
fn published(scale: Result<Scale, ScaleError>) -> Scale {
    scale.expect("a published scale has steps with names of their own")
}

/// Change for each user: Intercom's words.
fn impact() -> Scale {
    published(Scale::of_steps([("massive", 3.0), ("high", 2.0), ("medium", 1.0), ("low", 0.5), ("minimal", 0.25)]))
}

/// What a workspace may call a change instead.
fn any_impact() -> Scale {
    Scale::above(0.0, 1e3)
}

/// How sure an estimate is: Intercom's words, and whatever is between.
fn confidence() -> Scale {
    published(Scale::above(0.0, 1.0).named([("high", 1.0), ("medium", 0.8), ("low", 0.5)]))
}

/// Person-months.
fn effort() -> Scale {
    Scale::from_to(0.01, 1e5)
}

fn amount() -> Scale {
    Scale::from_to(0.0, 1e12)
}

fn one_to_ten() -> Scale {
    published(Scale::from_to(1.0, 10.0).named((1..=10).map(|step| (step.to_string(), f64::from(step)))))
}

fn none_to_ten() -> Scale {
    published(Scale::from_to(0.0, 10.0).named((0..=10).map(|step| (step.to_string(), f64::from(step)))))
}

/// SAFe's steps, and whatever is between.
const FIBONACCI: [f64; 7] = [1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0];

fn points() -> Scale {
    published(Scale::from_to(0.0, 1e6).named(FIBONACCI.map(|step| (step.to_string(), step))))
}

fn size() -> Scale {
    published(Scale::above(0.0, 1e6).named(FIBONACCI.map(|step| (step.to_string(), step))))
}

fn weeks() -> Scale {
    Scale::above(0.0, 1e4)
}

fn priorities() -> Scale {
    published(Scale::of_steps([("must", 4.0), ("should", 3.0), ("could", 2.0), ("won't", 1.0)]))
}

/// Of what is questionable nothing is known, so it has no place.
fn needs() -> Scale {
    published(Scale::of_steps([
        ("must-be", 5.0),
        ("one-dimensional", 4.0),
        ("attractive", 3.0),
        ("indifferent", 2.0),
        ("reverse", 1.0),
    ]))
}

static RICE: [Input; 4] = [
    input("reach", true, amount),
    stepped("impact", true, impact, any_impact),
    input("confidence", true, confidence),
    input("effort", false, effort),
];
static ICE: [Input; 3] = [
    input("ice.impact", true, one_to_ten),
    input("ice.confidence", true, one_to_ten),
    input("ice.ease", true, one_to_ten),
];
static WSJF: [Input; 4] = [
    input("wsjf.value", true, points),
    input("wsjf.time_criticality", true, points),
    input("wsjf.risk_reduction", true, points),
    input("wsjf.job_size", false, size),
];
static CD3: [Input; 2] = [input("delay.cost_per_week", true, amount), input("delay.duration_weeks", false, weeks)];
static VALUE_EFFORT: [Input; 2] = [input("value", true, amount), input("effort", false, effort)];
static OPPORTUNITY: [Input; 2] =
    [input("need.importance", true, none_to_ten).bent(), input("need.satisfaction", false, none_to_ten).bent()];
static MOSCOW: [Input; 1] = [input("moscow", true, priorities).category()];
static KANO: [Input; 1] = [input("kano", true, needs).category()];

impl Framework {
    /// All of them.
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;

    /// Its inputs, in the order in which a score takes them.
    pub fn inputs(self) -> &'static [Input] {
        match self {
            Self::Rice => &RICE,
            Self::Ice | Self::IceMean => &ICE,
            Self::Wsjf => &WSJF,
            Self::Cd3 => &CD3,
            Self::ValueEffort => &VALUE_EFFORT,
            Self::Opportunity => &OPPORTUNITY,
            Self::Moscow => &MOSCOW,
            Self::Kano => &KANO,
        }
    }

    /// What its score is called where one is told.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Rice => "RICE",
            Self::Ice => "ICE",
            Self::IceMean => "ICE mean",
            Self::Wsjf => "WSJF",
            Self::Cd3 => "CD3",
            Self::ValueEffort => "value / effort",
            Self::Opportunity => "opportunity score",
            Self::Moscow => "MoSCoW",
            Self::Kano => "Kano",
        }
    }

    /// The score of numbers that are on their scales, one for each input, to twelve digits; higher is better. RICE takes
    /// reach per quarter. `None` where there is not a number for each input.
    pub fn score(self, values: &[f64]) -> Option<f64> {
        (values.len() == self.inputs().len()).then(|| rounded(self.raw(|input| values[input])))
    }

    /// The score of ranges: by the likely values, and at the ends when every input goes against it or for it at once.
    /// `None` where there is not one for each input, or the score is no finite number.
    pub fn score_of_ranges(self, ranges: &[Range]) -> Option<Range> {
        let against = |range: &Range, input: &Input| if input.raises { range.low() } else { range.high() };
        let for_it = |range: &Range, input: &Input| if input.raises { range.high() } else { range.low() };
        let at = |end: &dyn Fn(&Range, &Input) -> f64| {
            self.score(&ranges.iter().zip(self.inputs()).map(|(range, input)| end(range, input)).collect::<Vec<_>>())
        };
        if ranges.len() != self.inputs().len() {
            return None;
        }
        Range::new(at(&against)?, at(&|range, _| range.likely())?, at(&for_it)?).ok()
    }

    /// The scores of many draws of each input, all columns as long as `scores`; not rounded. Not a number where there is
    /// not a column for each input.
    pub fn score_columns(self, columns: &[&[f64]], scores: &mut [f64]) {
        if columns.len() != self.inputs().len() {
            return scores.fill(f64::NAN);
        }
        for (draw, score) in scores.iter_mut().enumerate() {
            *score = self.raw(|input| columns[input][draw]);
        }
    }

    fn raw(self, of: impl Fn(usize) -> f64) -> f64 {
        match self {
            Self::Rice => of(0) * of(1) * of(2) / of(3),
            Self::Ice => of(0) * of(1) * of(2),
            Self::IceMean => (of(0) + of(1) + of(2)) / 3.0,
            Self::Wsjf => (of(0) + of(1) + of(2)) / of(3),
            Self::Cd3 | Self::ValueEffort => of(0) / of(1),
            Self::Opportunity => of(0) + (of(0) - of(1)).max(0.0),
            Self::Moscow | Self::Kano => of(0),
        }
    }
}

#[cfg(test)]
mod tests;
