//! What can be configured beside what every service has. Values only; nothing here opens or connects anything.

use std::time::Duration;

use chrono::TimeDelta;
use waymark_domain::metrics::IntakePolicy;
use waymark_runtime::DatabaseArgs;
use waymark_runtime::config::{duration, positive_duration};

/// Options of product events and measuring.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Product events")]
pub struct MetricsArgs {
    /// Where product events are kept, as Delta tables: a folder, or the URL of object storage such as
    /// s3://bucket/prefix. The default is the folder `lake` in the data folder
    #[arg(long, env = "WAYMARK_LAKE", value_name = "LOCATION")]
    pub lake: Option<String>,
    /// How long a batch of events waits for others to be committed together, such as 200ms: longer is fewer, larger
    /// files
    #[arg(long, env = "WAYMARK_INGEST_WAIT", value_name = "DURATION", default_value = "200ms", value_parser = duration)]
    pub ingest_wait: Duration,
    /// How far ahead of the service's clock an event's time may be, in hours
    #[arg(long, env = "WAYMARK_EVENT_HOURS_AHEAD", value_name = "HOURS", default_value_t = 24)]
    pub event_hours_ahead: u16,
    /// How old an event may be, in days
    #[arg(long, env = "WAYMARK_EVENT_DAYS_BEHIND", value_name = "DAYS", default_value_t = 14_610, value_parser = clap::value_parser!(u16).range(1..))]
    pub event_days_behind: u16,
    /// How often to look for predictions that are due to be measured and for metrics whose interval is over or beyond
    /// their alert's threshold, such as 1m
    #[arg(long, env = "WAYMARK_MEASURE_EVERY", value_name = "DURATION", default_value = "1m", value_parser = positive_duration)]
    pub measure_every: Duration,
}

impl Default for MetricsArgs {
    fn default() -> Self {
        Self {
            lake: None,
            ingest_wait: Duration::from_millis(200),
            event_hours_ahead: 24,
            event_days_behind: 14_610,
            measure_every: Duration::from_mins(1),
        }
    }
}

impl MetricsArgs {
    /// Where product events are kept.
    pub fn lake(&self, database: &DatabaseArgs) -> String {
        self.lake.clone().unwrap_or_else(|| database.data_dir.join("lake").display().to_string())
    }

    /// Which times of events are taken in.
    pub fn intake(&self) -> IntakePolicy {
        IntakePolicy {
            ahead: TimeDelta::hours(self.event_hours_ahead.into()),
            behind: TimeDelta::days(self.event_days_behind.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        metrics: MetricsArgs,
    }

    #[test]
    fn defaults_parsed_are_the_defaults_in_code() {
        Line::command().debug_assert();
        let parsed = Line::parse_from(["waymark-metrics"]).metrics;
        assert_eq!(format!("{parsed:?}"), format!("{:?}", MetricsArgs::default()));
        assert_eq!(parsed.intake(), IntakePolicy::default());
        assert_eq!(parsed.lake(&DatabaseArgs::default()), "./.waymark/lake");
    }
}
