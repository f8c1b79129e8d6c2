//! Which lanes `waymark roadmap` shows, and what stands above each.

use anyhow::Result;
use clap::Args;
use waymark_clock::Clock;
use waymark_proto::roadmap::v1 as pb;

use super::words;
use crate::Usage;
use crate::generic::names::short;
use crate::zone;

/// What stands before the names of groupings in the contract.
const GROUPING: &str = "ROADMAP_GROUPING_";

/// Options of lanes.
#[derive(Debug, Clone, Default, Args)]
pub struct Lanes {
    /// What the lanes are: horizon, time, product, objective, owner or label
    #[arg(long, value_name = "GROUPING")]
    by: Option<String>,
    /// By time: the first month, quarter, half or year, such as 2026-Q1; this quarter unless given
    #[arg(long, value_name = "PERIOD")]
    from: Option<String>,
    /// By time: the last one, of the same length; unless given, the first one alone, or of quarters the fourth
    #[arg(long, value_name = "PERIOD", requires = "from")]
    to: Option<String>,
    /// By label: its key
    #[arg(long, value_name = "KEY")]
    label: Option<String>,
    /// Lanes that are shown, at most 100
    #[arg(long = "lanes", value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    most: i32,
}

impl Lanes {
    /// Says in a request what is asked for.
    pub fn ask(&self, request: &mut pb::GetRoadmapRequest, zone: chrono_tz::Tz) -> Result<()> {
        let by = self.grouping()?;
        request.group_by = by.into();
        request.lanes = self.most;
        request.label = self.label.clone().unwrap_or_default();
        request.interval = match &self.from {
            Some(from) => Some(pb::TargetInterval { start: from.clone(), end: self.to.clone().unwrap_or_default() }),
            None if by == pb::RoadmapGrouping::Time => Some(year_from(&zone::day(zone, Clock::system().now()))),
            None => None,
        };
        Ok(())
    }

    /// What stands above a lane.
    pub fn heading(&self, lane: &pb::RoadmapLane) -> String {
        use pb::{RoadmapGrouping as By, RoadmapLaneKind as Kind};
        match lane.kind() {
            Kind::Earlier => "EARLIER".to_owned(),
            Kind::Later => "LATER".to_owned(),
            Kind::Without => match self.grouping().unwrap_or_default() {
                By::Unspecified | By::Horizon => "NO HORIZON",
                By::Time => "NO TARGET",
                By::Product => "NO PRODUCT",
                By::Objective => "NO KEY RESULT",
                By::Owner => "NO OWNER",
                By::Label => "NO LABEL",
            }
            .to_owned(),
            Kind::Unspecified | Kind::Keyed if lane.horizon() != pb::Horizon::Unspecified => {
                words::value(lane.horizon().as_str_name(), "HORIZON_").to_owned()
            }
            Kind::Unspecified | Kind::Keyed => match (lane.display_name.as_str(), lane.key.as_str()) {
                ("", "") => "(empty)".to_owned(),
                ("", key) => key.to_owned(),
                (name, key) => format!("{name}  [{}]", short(key)),
            },
        }
    }

    /// What is asked for: by a period or a label where one is given.
    fn grouping(&self) -> Result<pb::RoadmapGrouping, Usage> {
        let Some(by) = &self.by else {
            return Ok(match (&self.from, &self.label) {
                (Some(_), _) => pb::RoadmapGrouping::Time,
                (None, Some(_)) => pb::RoadmapGrouping::Label,
                (None, None) => pb::RoadmapGrouping::Horizon,
            });
        };
        let wanted = format!("{GROUPING}{}", by.to_ascii_uppercase());
        let stated = pb::RoadmapGrouping::from_str_name(&wanted).filter(|by| *by != pb::RoadmapGrouping::Unspecified);
        stated.ok_or_else(|| {
            Usage(format!("{by:?} is no way to group; those are horizon, time, product, objective, owner and label"))
        })
    }
}

/// The quarter of a day such as 2026-05-31 and the three that follow.
fn year_from(day: &str) -> pb::TargetInterval {
    let mut numbers = day.split('-').map_while(|part| part.parse::<u32>().ok());
    let (year, month) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or(1));
    let quarter = |number: u32| format!("{:04}-Q{}", year + number / 4, number % 4 + 1);
    let first = month.saturating_sub(1) / 3;
    pb::TargetInterval { start: quarter(first), end: quarter(first + 3) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(lanes: &Lanes) -> pb::GetRoadmapRequest {
        let mut request = pb::GetRoadmapRequest::default();
        lanes.ask(&mut request, chrono_tz::Tz::UTC).unwrap();
        request
    }

    #[test]
    fn a_period_or_a_label_says_what_is_grouped_by() {
        let lanes = Lanes { from: Some("2026-01".into()), to: Some("2026-06".into()), ..Default::default() };
        let request = asked(&lanes);
        let interval = pb::TargetInterval { start: "2026-01".into(), end: "2026-06".into() };
        assert_eq!((request.group_by(), request.interval), (pb::RoadmapGrouping::Time, Some(interval)));
        let request = asked(&Lanes { label: Some("team".into()), ..Default::default() });
        assert_eq!((request.group_by(), request.label.as_str()), (pb::RoadmapGrouping::Label, "team"));
        assert_eq!(asked(&Lanes::default()).group_by(), pb::RoadmapGrouping::Horizon);
        let request = asked(&Lanes { by: Some("Owner".into()), ..Default::default() });
        assert_eq!((request.group_by(), request.interval), (pb::RoadmapGrouping::Owner, None));
        for wrong in ["", "unspecified", "team"] {
            let lanes = Lanes { by: Some(wrong.into()), ..Default::default() };
            assert!(lanes.ask(&mut pb::GetRoadmapRequest::default(), chrono_tz::Tz::UTC).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn four_quarters_begin_with_that_of_the_day() {
        let quarters = |day| {
            let pb::TargetInterval { start, end } = year_from(day);
            format!("{start} {end}")
        };
        assert_eq!(quarters("2026-01-01"), "2026-Q1 2026-Q4");
        assert_eq!(quarters("2026-03-31"), "2026-Q1 2026-Q4");
        assert_eq!(quarters("2026-12-31"), "2026-Q4 2027-Q3");
    }

    #[test]
    fn lanes_are_headed_by_what_they_have_in_common() {
        let keyed = |key: &str, display_name: &str| pb::RoadmapLane {
            kind: pb::RoadmapLaneKind::Keyed.into(),
            key: key.into(),
            display_name: display_name.into(),
            ..Default::default()
        };
        let lanes = Lanes { by: Some("product".into()), ..Default::default() };
        assert_eq!(lanes.heading(&keyed("workspaces/w/products/shop", "Shop")), "Shop  [shop]");
        assert_eq!(lanes.heading(&keyed("users/ada", "")), "users/ada");
        let without = pb::RoadmapLane { kind: pb::RoadmapLaneKind::Without.into(), ..Default::default() };
        assert_eq!(lanes.heading(&without), "NO PRODUCT");
    }
}
