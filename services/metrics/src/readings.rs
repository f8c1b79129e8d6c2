//! Takes readings of metrics: what each was in the last interval of its calendar whose events have arrived, and whether
//! that is beyond its alert. Reads the lake outside of transactions; what it found is committed only if the metric is
//! still the one that was measured.

use chrono::{DateTime, TimeDelta, Utc};
use waymark_domain::metrics::{Metric, MetricEvent, WeekStart};
use waymark_domain::{Change, Name, Period, Reading};
use waymark_lake as lake;
use waymark_request::Call;
use waymark_store::{Error, Store, Write};

use crate::analysis::LakeFailure;
use crate::answers::Answers;
use crate::name::NAME;
use crate::store::{Metrics, live, unread};

/// How long the service waits for a product event from after an interval before it takes silence for the answer.
const PATIENCE: TimeDelta = TimeDelta::days(1);
/// How long after an interval events that come late may still take a breach back.
const LATE: TimeDelta = TimeDelta::days(7);
/// Names read from the database at a time.
const PAGE: u32 = 100;

/// Measures the metrics of all workspaces by the last interval that may be measured: those with an alert, and those that
/// have no reading of it. Tells how many breached, recovered or had a breach withdrawn. A failure of one does not hold up
/// the others.
///
/// An interval may be measured once it is over, the alert's delay has passed since, and its events have arrived: an event
/// of the workspace, of any name, that is not from a clock ahead, is from then or later. A day after that it may be in any
/// case, and silence is what is measured; but not before the workspace's first event, as nobody is silent who has never
/// spoken. What has an alert is measured anew at every call until the next interval may be, since an event that comes
/// late may still take it beyond the threshold; and so is, for a week, the interval of a breach, which it may take back.
pub async fn take_readings(store: &Store, answers: &mut Answers) -> Result<usize, Error> {
    let mut turned = 0;
    let mut last = None;
    loop {
        let mut page = unread(store, last.as_ref(), PAGE).await?;
        for name in &page {
            match take(store, answers, name).await {
                Ok(Some(MetricEvent::Breached | MetricEvent::BreachWithdrawn | MetricEvent::Recovered)) => turned += 1,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(metric = %name, error = &error as &dyn std::error::Error, "a metric was not measured");
                }
            }
        }
        if page.len() < PAGE as usize {
            return Ok(turned);
        }
        last = page.pop();
    }
}

/// Tells what happened to the metric, if anything.
async fn take(store: &Store, answers: &mut Answers, name: &Name<Metric>) -> Result<Option<MetricEvent>, Error> {
    // Nobody is silent who has never spoken.
    if !answers.any(name.workspace()).await? {
        return Ok(None);
    }
    let metric = live::<Metrics>(store, name).await?;
    let (version, now) = (metric.meta.version, store.now());
    let last = measurable(&metric, answers, now).await?;
    // What began the breach comes first: it may have been none, and then nothing has recovered.
    let began = metric.watch.and_then(|watch| watch.breach).map(|breach| breach.period());
    let began = began.filter(|began| *began != last && now < began.end() + LATE);
    let mut change = None;
    for period in began.into_iter().chain([last]).filter(|period| metric.awaits(*period)) {
        let value = answers.total(&metric, period).await?;
        // A sum that is beyond all numbers is no answer.
        let Ok(reading) = Reading::new(period, value) else { continue };
        let usual = answers.usual(&metric, period).await?;
        change = metric.clone().measured(reading, usual, now);
        if usual.is_some() && change.as_ref().is_some_and(is_turn) {
            // What was usual may be so no longer, as events before came late or are gone: nothing is announced by that.
            answers.forget_usual(&metric);
            let usual = answers.usual(&metric, period).await?;
            change = metric.clone().measured(reading, usual, now);
        }
        if change.is_some() {
            break;
        }
    }
    let Some(change) = change else { return Ok(None) };
    let event = change.events().first().copied();
    let written = store
        .write(&Call::internal(NAME), name.workspace(), async move |write: &mut Write| {
            // Whoever changed the metric meanwhile asks another question; the next call answers it.
            if write.find::<Metrics>(name).await?.is_some_and(|current| current.meta.version == version) {
                write.put::<Metrics>(change)?;
            }
            Ok(())
        })
        .await?;
    Ok(event.filter(|_| written.changed))
}

/// Whether a breach begins or is over.
fn is_turn(change: &Change<Metric>) -> bool {
    change.events().first().is_some_and(|event| *event != MetricEvent::Measured)
}

/// The last interval by the metric's calendar that may be measured.
async fn measurable(metric: &Metric, answers: &mut Answers, now: DateTime<Utc>) -> Result<Period, LakeFailure> {
    let due = now - metric.delay();
    let last = last_complete(metric, due)?;
    // Events of the last interval may still be under way, those of the last one that was over a day ago are waited for
    // no longer.
    let arrived = answers.reached(metric.meta.name.workspace(), last.end() + metric.delay()).await?;
    if arrived { Ok(last) } else { last_complete(metric, due - PATIENCE) }
}

/// The last interval by the metric's calendar that is over at `time`.
fn last_complete(metric: &Metric, time: DateTime<Utc>) -> Result<Period, LakeFailure> {
    let (interval, zone) = metric.calendar();
    Ok(lake::last_complete(time, interval, zone, WeekStart::Monday)?)
}
