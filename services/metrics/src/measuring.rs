//! Measures predictions: by request, and by itself when they are due. Reads the lake outside of transactions; what it
//! found is committed only if the prediction is still the one that was measured.

use std::convert::Infallible;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use waymark_domain::metrics::{
    Finding, Interval, Measurement, Metric, Outcome, OutcomeEvent, Prediction, PredictionError, TooLittle,
    TrendSettings, Windows,
};
use waymark_domain::{Change, FullName, Name, Range, Resource};
use waymark_lake as lake;
use waymark_proto::convert::metrics as convert;
use waymark_proto::metrics::v1 as pb;
use waymark_request::{Call, Written};
use waymark_stats::{Level, mean, pre_post};
use waymark_store::{Error, Store, Write};

use crate::analysis::LakeFailure;
use crate::answers::Answers;
use crate::name::NAME;
use crate::store::{Metrics, Outcomes, Predictions, due, live};

/// How long the service waits for product events that reach the end of the window before it measures without them.
const PATIENCE: TimeDelta = TimeDelta::days(7);
/// Names read from the database at a time.
const PAGE: u32 = 100;

/// Measures `name` now and commits the outcome.
pub async fn measure(
    store: &Store,
    lake: &lake::Lake,
    call: &Call,
    name: &Name<Prediction>,
    etag: &str,
    corrected: Option<DateTime<Utc>>,
) -> Result<Written<pb::Outcome>, Error> {
    let known = live::<Predictions>(store, name).await?;
    // Whether it may be measured is decided inside the write, where a repeated request finds its first answer.
    let finding = match known.windows(corrected, store.now()) {
        Ok(windows) => Some(finding(store, lake, &known, &windows).await?),
        Err(_) => None,
    };
    let version = known.meta.version;
    store
        .write(call, name.workspace(), async move |write: &mut Write| {
            let prediction = write.load::<Predictions>(name, etag).await?;
            prediction.windows(corrected, write.now()).map_err(Error::rule)?;
            let Some(finding) = finding.filter(|_| prediction.meta.version == version) else {
                return Err(Error::rule(PredictionError::Overtaken {
                    name: name.clone(),
                    version: prediction.meta.version,
                }));
            };
            conclude(write, prediction, corrected, &finding)
        })
        .await
}

fn conclude(
    write: &mut Write,
    prediction: Prediction,
    corrected: Option<DateTime<Utc>>,
    finding: &Finding,
) -> Result<pb::Outcome, Error> {
    let outcome: Name<Outcome> = Name::new(write.workspace().clone(), prediction.meta.name.id().clone());
    let concluded = prediction.conclude(outcome.any(), corrected, write.now()).map_err(Error::rule)?;
    let Some(ship_time) = concluded.state().ship_time() else {
        // A concluded prediction has a shipping time by construction.
        return Err(Error::rule(PredictionError::Overtaken { name: concluded.state().meta.name.clone(), version: 0 }));
    };
    let message = convert::outcome(concluded.state(), ship_time, finding);
    let announce = |outcome| Ok::<_, Infallible>(Change::new(outcome, OutcomeEvent::Measured));
    let reply = write.create::<Outcomes, _>(outcome.id().as_str(), message, announce)?;
    write.put::<Predictions>(concluded)?;
    Ok(reply)
}

/// Measures all predictions that are due and whose product events have arrived. A failure of one does not hold up the
/// others.
pub async fn measure_due(store: &Store, lake: &lake::Lake, answers: &mut Answers) -> Result<usize, Error> {
    let mut measured = 0;
    let mut last = None;
    loop {
        let mut page = due(store, last.as_ref(), PAGE).await?;
        for name in &page {
            match measure_one(store, lake, answers, name).await {
                Ok(true) => measured += 1,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(prediction = %name, error = &error as &dyn std::error::Error, "a due prediction was not measured");
                }
            }
        }
        if page.len() < PAGE as usize {
            return Ok(measured);
        }
        last = page.pop();
    }
}

async fn measure_one(
    store: &Store,
    lake: &lake::Lake,
    answers: &mut Answers,
    name: &Name<Prediction>,
) -> Result<bool, Error> {
    let prediction = live::<Predictions>(store, name).await?;
    let Some(due) = prediction.due_time() else { return Ok(false) };
    // Events from the last day of the window on have arrived, or are waited for no longer.
    let reached = due - TimeDelta::days(1);
    if store.now() < due + PATIENCE && !answers.reached(name.workspace(), reached).await? {
        return Ok(false);
    }
    measure(store, lake, &Call::internal(NAME), name, &prediction.meta.version.to_string(), None).await?;
    Ok(true)
}

async fn finding(
    store: &Store,
    lake: &lake::Lake,
    prediction: &Prediction,
    windows: &Windows,
) -> Result<Finding, Error> {
    let latest_event = lake.latest_event_time(prediction.meta.name.workspace().id()).await.map_err(LakeFailure)?;
    let measurement = match metric(store, prediction).await? {
        Some(metric) => compare(lake, &metric, windows, latest_event).await?,
        None => Measurement {
            metric: prediction.promise.metric.name.to_string(),
            // Nothing is judged without numbers, so the direction does not matter.
            direction: waymark_domain::metrics::MetricDirection::Increase,
            pre_mean: 0.0,
            post_mean: 0.0,
            change: Err(TooLittle::NoMetric),
            latest_event,
        },
    };
    Ok(Finding::of(&prediction.promise, measurement))
}

/// The metric a prediction is about, unless it is gone or never was one of this workspace.
async fn metric(store: &Store, prediction: &Prediction) -> Result<Option<Metric>, Error> {
    let FullName { service, name } = &prediction.promise.metric;
    if service != Metric::SERVICE
        || name.collection != Metric::COLLECTION
        || name.workspace != *prediction.meta.name.workspace()
    {
        return Ok(None);
    }
    match live::<Metrics>(store, &Name::new(name.workspace.clone(), name.id.clone())).await {
        Ok(metric) => Ok(Some(metric)),
        Err(Error::NotFound(_) | Error::Deleted(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn compare(
    lake: &lake::Lake,
    metric: &Metric,
    windows: &Windows,
    latest_event: Option<DateTime<Utc>>,
) -> Result<Measurement, Error> {
    let daily = |start, end| async move {
        let settings = TrendSettings::new(start, end, Interval::Day, Tz::UTC)
            .map_err(|e| lake::LakeError::InvalidQuery(e.to_string()))?;
        let answer = lake.trend(metric.meta.name.workspace().id(), &metric.measure, &settings).await?;
        Ok::<_, LakeFailure>(answer.series.into_iter().next().map(|series| series.values).unwrap_or_default())
    };
    let before = daily(windows.before, windows.shipped).await?;
    let after = daily(windows.after, windows.end).await?;
    let mean = |values: &[f64]| if values.is_empty() { 0.0 } else { mean(values) };
    Ok(Measurement {
        metric: metric.meta.display_name.clone(),
        direction: metric.direction,
        pre_mean: mean(&before),
        post_mean: mean(&after),
        change: TooLittle::check(&before, windows, latest_event).and_then(|()| change(&before, &after)),
        latest_event,
    })
}

/// The relative change of the daily mean with its 95 % interval.
fn change(before: &[f64], after: &[f64]) -> Result<Range, TooLittle> {
    let compared = pre_post(before, after, Level::P95).map_err(|_| TooLittle::NoBaseline)?;
    let effect = compared.relative.ok_or(TooLittle::NoBaseline)?;
    Range::new(effect.interval.low, effect.estimate, effect.interval.high).map_err(|_| TooLittle::NoBaseline)
}
