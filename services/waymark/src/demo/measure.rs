//! Chapters 3, 5 and 6: product events, the metric, the prediction and its outcome.

use anyhow::{Result, bail};
use waymark_client::Channel;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::ingestion_service_client::IngestionServiceClient;
use waymark_proto::metrics::v1::metric_service_client::MetricServiceClient;
use waymark_proto::metrics::v1::outcome_service_client::OutcomeServiceClient;

use super::behaviour::Behaviour;
use super::say;
use super::story::{METRIC, SOLUTION, Story, done, maybe, timestamp, until};
use crate::draw::words;

/// The metric and what users did until now.
pub async fn baseline(story: &Story, behaviour: &Behaviour) -> Result<()> {
    let metric = pb::Metric {
        display_name: "Orders".into(),
        description: "Orders placed".into(),
        kind: pb::MetricKind::Count.into(),
        events: vec!["order_placed".into()],
        unit: "orders".into(),
        stage: pb::MetricStage::Revenue.into(),
        ..Default::default()
    };
    let request = pb::CreateMetricRequest {
        parent: story.parent.clone(),
        metric_id: METRIC.into(),
        metric: Some(metric),
        ..Default::default()
    };
    done(MetricServiceClient::new(story.metrics.clone()).create_metric(request).await)?;
    let sent = ingest(story, behaviour.before()).await?;
    say::step(format!("{sent} orders of five weeks are in; they are what the prediction will be held against."));
    Ok(())
}

/// What users did after shipping.
pub async fn aftermath(story: &Story, behaviour: &Behaviour) -> Result<()> {
    let client = OutcomeServiceClient::new(story.metrics.clone());
    let prediction = until("the start of measuring", || {
        let (mut client, name) = (client.clone(), story.name("predictions", SOLUTION));
        async move {
            let prediction = maybe(client.get_prediction(pb::GetPredictionRequest { name }).await)?;
            Ok(prediction.filter(|prediction| prediction.state() == pb::PredictionState::Measuring))
        }
    })
    .await?;
    let range = prediction.change.as_ref().map(words::change).unwrap_or_default();
    say::step(format!(
        "Metrics recorded the prediction when it was committed to, {range}, and began to measure when it shipped."
    ));
    let sent = ingest(story, behaviour.after()).await?;
    say::step(format!(
        "{sent} more orders: the story pretends it shipped on {}, so that the window is over.",
        behaviour.shipped
    ));
    Ok(())
}

/// The outcome, against what was planted.
pub async fn verdict(story: &Story, behaviour: &Behaviour) -> Result<()> {
    let mut client: OutcomeServiceClient<Channel> = OutcomeServiceClient::new(story.metrics.clone());
    let shipped = behaviour.shipped.and_time(chrono::NaiveTime::MIN).and_utc();
    let request = pb::MeasureOutcomeRequest {
        name: story.name("predictions", SOLUTION),
        ship_time: Some(timestamp(shipped)),
        ..Default::default()
    };
    let outcome = done(client.measure_outcome(request).await)?;
    say::step(&outcome.summary);
    let measured = outcome.measured.as_ref().map(words::change).unwrap_or_default();
    say::step(format!(
        "Planted truth: {:+.1} %. Measured: {measured}. Verdict: {}.",
        behaviour.lift * 100.0,
        words::verdict(outcome.verdict())
    ));
    Ok(())
}

async fn ingest(story: &Story, events: Vec<pb::ProductEvent>) -> Result<usize> {
    let mut client = IngestionServiceClient::new(story.metrics.clone());
    let count = events.len();
    for batch in events.chunks(5_000) {
        let request =
            pb::IngestEventsRequest { parent: story.parent.clone(), events: batch.to_vec(), ..Default::default() };
        let answer = done(client.ingest_events(request).await)?;
        if let Some(rejected) = answer.rejected.first() {
            bail!("an event of the story was rejected: {}", rejected.message);
        }
    }
    Ok(count)
}
