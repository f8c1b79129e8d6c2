//! What scores and categories are called: bands of opportunity scores, quadrants of value and effort, kinds of need.

use strum::{EnumString, IntoStaticStr, VariantNames};

/// How large an opportunity is, by its score (Anthony Ulwick, What Customers Want, 2005, chapter 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum OpportunityBand {
    /// At most 10: served well enough.
    Low,
    /// Above 10.
    Solid,
    /// Above 12.
    High,
    /// Above 15.
    Extreme,
}

impl OpportunityBand {
    /// The band of a score.
    pub fn of(score: f64) -> Self {
        match score {
            _ if score > 15.0 => Self::Extreme,
            _ if score > 12.0 => Self::High,
            _ if score > 10.0 => Self::Solid,
            _ => Self::Low,
        }
    }
}

/// Where something lies by value and effort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Quadrant {
    /// Much value for little effort.
    QuickWin,
    /// Much for much.
    BigBet,
    /// Little for little.
    FillIn,
    /// Little for much.
    MoneyPit,
}

impl Quadrant {
    /// The quadrant, where the middle of what is compared is known, such as the medians. The middle itself is much value,
    /// and little effort.
    pub fn of(value: f64, effort: f64, middle_value: f64, middle_effort: f64) -> Self {
        match (value >= middle_value, effort <= middle_effort) {
            (true, true) => Self::QuickWin,
            (true, false) => Self::BigBet,
            (false, true) => Self::FillIn,
            (false, false) => Self::MoneyPit,
        }
    }
}

/// What kind of need something meets (Noriaki Kano et al., 1984).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum KanoCategory {
    /// Taken for granted: missed when it is not there.
    MustBe,
    /// The more, the better.
    OneDimensional,
    /// Not expected: a delight when it is there.
    Attractive,
    /// Makes no difference.
    Indifferent,
    /// Better not there.
    Reverse,
    /// Answers that contradict each other.
    Questionable,
}

impl KanoCategory {
    /// The category with this number.
    pub fn of(value: f64) -> Option<Self> {
        [Self::MustBe, Self::OneDimensional, Self::Attractive, Self::Indifferent, Self::Reverse]
            .into_iter()
            .find(|of| of.value().is_some_and(|number| number.total_cmp(&value).is_eq()))
    }

    /// Its number on the scale of the framework; `None` for what is questionable, of which nothing is known.
    pub const fn value(self) -> Option<f64> {
        match self {
            Self::MustBe => Some(5.0),
            Self::OneDimensional => Some(4.0),
            Self::Attractive => Some(3.0),
            Self::Indifferent => Some(2.0),
            Self::Reverse => Some(1.0),
            Self::Questionable => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_begin_above_their_bounds() {
        use OpportunityBand::{Extreme, High, Low, Solid};
        let bands = [10.0, 10.1, 12.0, 12.1, 15.0, 15.8].map(OpportunityBand::of);
        assert_eq!(bands, [Low, Solid, Solid, High, High, Extreme]);
    }

    #[test]
    fn quadrants_are_by_both() {
        let of = |value, effort| Quadrant::of(value, effort, 5.0, 3.0);
        let corners = [of(5.0, 3.0), of(9.0, 4.0), of(4.0, 1.0), of(4.0, 4.0)];
        assert_eq!(corners, [Quadrant::QuickWin, Quadrant::BigBet, Quadrant::FillIn, Quadrant::MoneyPit]);
    }

    #[test]
    fn kinds_are_those_of_the_scale() {
        let scale = crate::roadmap::Framework::Kano.inputs()[0].scale();
        for (word, kind) in [
            ("must-be", KanoCategory::MustBe),
            ("one-dimensional", KanoCategory::OneDimensional),
            ("attractive", KanoCategory::Attractive),
            ("indifferent", KanoCategory::Indifferent),
            ("reverse", KanoCategory::Reverse),
            ("questionable", KanoCategory::Questionable),
        ] {
            assert_eq!(scale.value(word), kind.value(), "{word}");
            assert_eq!(kind.value().and_then(KanoCategory::of), kind.value().map(|_| kind));
        }
    }
}
