//! Judges metrics against their alerts. Reads the lake outside of transactions; what it found is committed only if the
//! metric is still the one that was judged.

use chrono::{DateTime, TimeDelta, Utc};
use waymark_domain::Name;
use waymark_domain::metrics::{Alert, Metric, Period, Watch, WeekStart};
use waymark_lake as lake;
use waymark_request::Call;
use waymark_store::{Error, Store, Write};

use crate::analysis::{Arrivals, LakeFailure};
use crate::name::NAME;
use crate::store::{Metrics, alerted, live};

/// How long the service waits for a product event from after an interval before it takes silence for the answer.
const PATIENCE: TimeDelta = TimeDelta::days(1);
/// Names read from the database at a time.
const PAGE: u32 = 100;

/// Judges every live metric that has an alert, of all workspaces, by the last interval that may be judged, and tells
/// how many breached or recovered. A failure of one does not hold up the others.
///
/// An interval may be judged once it is over and its events have arrived: the workspace has an event, of any name, at
/// or after its end. A day after its end it may be judged in any case, and silence is what is judged; but not before
/// the workspace's first event, as nobody is silent who has never spoken. It is judged anew at every call until the
/// next one may be, since an event that comes late may still take it beyond the threshold.
pub async fn judge_alerts(store: &Store, lake: &lake::Lake) -> Result<usize, Error> {
    let mut arrivals = Arrivals::new(lake);
    let mut changed = 0;
    let mut last = None;
    loop {
        let mut page = alerted(store, last.as_ref(), PAGE).await?;
        for name in &page {
            match judge_one(store, lake, &mut arrivals, name).await {
                Ok(true) => changed += 1,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(metric = %name, error = &error as &dyn std::error::Error, "a metric was not judged");
                }
            }
        }
        if page.len() < PAGE as usize {
            return Ok(changed);
        }
        last = page.pop();
    }
}

async fn judge_one(
    store: &Store,
    lake: &lake::Lake,
    arrivals: &mut Arrivals<'_>,
    name: &Name<Metric>,
) -> Result<bool, Error> {
    let metric = live::<Metrics>(store, name).await?;
    let Some(Watch { alert, breach }) = metric.watch else { return Ok(false) };
    // Nobody is silent who has never spoken.
    let Some(latest) = arrivals.latest(name.workspace()).await? else { return Ok(false) };
    let period = judgeable(&alert, latest, store.now())?;
    if breach.is_some_and(|breach| period.end() <= breach.period().end()) {
        // Announced: no answer of the lake could change anything.
        return Ok(false);
    }
    let value = lake.total(name.workspace().id(), &metric.measure, period).await.map_err(LakeFailure)?;
    let version = metric.meta.version;
    if metric.judge(period, value).is_none() {
        return Ok(false);
    }
    let written = store
        .write(&Call::internal(NAME), name.workspace(), async move |write: &mut Write| {
            // Whoever changed the metric meanwhile asks another question; the next call answers it.
            let current = write.find::<Metrics>(name).await?.filter(|current| current.meta.version == version);
            if let Some(change) = current.and_then(|current| current.judge(period, value)) {
                write.put::<Metrics>(change)?;
            }
            Ok(())
        })
        .await?;
    Ok(written.changed)
}

/// The last interval by the alert's calendar that may be judged, where the latest event was at `latest`.
fn judgeable(alert: &Alert, latest: DateTime<Utc>, now: DateTime<Utc>) -> Result<Period, LakeFailure> {
    let last = last_complete(alert, now)?;
    // Events of the last interval may still be under way, those of the last one that was over a day ago are waited for
    // no longer.
    if latest >= last.end() { Ok(last) } else { last_complete(alert, now - PATIENCE) }
}

/// The last interval by the alert's calendar that is over at `time`.
fn last_complete(alert: &Alert, time: DateTime<Utc>) -> Result<Period, LakeFailure> {
    Ok(lake::last_complete(time, alert.interval, alert.zone, WeekStart::Monday)?)
}
