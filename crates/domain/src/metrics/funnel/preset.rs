//! How peers count funnels, as settings of ours. Each says what its maker documents; what is chosen beside a preset goes
//! before it.

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::{
    EventReuse, FunnelEntry, FunnelOrder, FunnelPreset, FunnelSettings, FunnelTies, FunnelWindow, WindowArithmetic,
    WindowBoundary, WindowScope, WindowUnit,
};
use crate::Period;
use crate::metrics::WeekStart;

impl FunnelPreset {
    /// Its settings for entries in a period.
    pub fn settings(self, entries: Period) -> FunnelSettings {
        let clickhouse =
            matches!(self, Self::Clickhouse | Self::ClickhouseStrictOrder | Self::ClickhouseStrictIncrease);
        let day = WindowUnit::Day;
        let window = FunnelWindow {
            scope: WindowScope::Total,
            length: 7,
            unit: day,
            arithmetic: WindowArithmetic::Elapsed,
            boundary: WindowBoundary::Inclusive,
        };
        FunnelSettings {
            preset: self,
            entries,
            entry: if self == Self::Mixpanel { FunnelEntry::FirstEntry } else { FunnelEntry::LatestStart },
            order: if self == Self::ClickhouseStrictOrder { FunnelOrder::Strict } else { FunnelOrder::Ordered },
            ignored: Vec::new(),
            // The windows that their products begin with.
            window: match self {
                Self::Posthog => FunnelWindow { length: 14, ..window },
                Self::Mixpanel | Self::Amplitude => FunnelWindow { length: 30, ..window },
                Self::Waymark | Self::Clickhouse | Self::ClickhouseStrictOrder | Self::ClickhouseStrictIncrease => {
                    window
                }
            },
            ties: match self {
                Self::ClickhouseStrictIncrease => FunnelTies::Exclusive,
                Self::Amplitude => FunnelTies::Grace,
                Self::Waymark | Self::Clickhouse | Self::ClickhouseStrictOrder | Self::Posthog | Self::Mixpanel => {
                    FunnelTies::Inclusive
                }
            },
            grace: TimeDelta::seconds(1),
            reuse: if clickhouse { EventReuse::EveryStep } else { EventReuse::Once },
            exclusions: Vec::new(),
            held: Vec::new(),
            breakdown: None,
            session_gap: TimeDelta::minutes(30),
            zone: Tz::UTC,
            week_start: WeekStart::Monday,
            interval: None,
        }
    }
}
