//! `waymark calendar`: when targets end and decisions are to be looked at again, as an iCalendar feed for calendars to
//! subscribe to.

mod ics;

use std::io::Write as _;

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};
use waymark_client::{Channel, Error};
use waymark_domain::roadmap::TargetInterval;
use waymark_proto::Timestamp;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::decision_service_client::DecisionServiceClient;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;

use crate::draw::words;
use crate::generic::contract::Area;
use crate::settings::Settings;
use crate::stdout::Out;
use crate::zone;
use ics::Event;

/// Rows asked for at once; the service's own limit.
const PAGE: i32 = 1000;
/// Answers of so many bytes at most are read.
const MOST: usize = 64 << 20;
/// What is planned and has not shipped.
const PLANNED: &str = "(state = PROPOSED OR state = COMMITTED OR state = IN_PROGRESS OR state = PAUSED)";
/// What has a target. Not asked by who has an audience, which may see it otherwise than it is kept.
const TARGETED: &str = "target_start:*";
/// The last day there is.
const EVER: &str = "9999-12-31";

/// Prints the feed, page by page.
pub async fn run(settings: &Settings) -> Result<()> {
    let (parent, channel) = (settings.parent()?, settings.channel(Area::Roadmap)?);
    let mut out = Out;
    out.write_all(ics::begin(&format!("Waymark {}", settings.workspace()?)).as_bytes())?;
    if settings.audience()?.is_some() {
        // Decisions are shown to no audience.
        targets(&mut out, channel, &parent, PLANNED.to_owned()).await?;
    } else {
        targets(&mut out, channel.clone(), &parent, format!("{TARGETED} AND {PLANNED}")).await?;
        reviews(&mut out, channel, &parent).await?;
    }
    out.write_all(ics::end().as_bytes())?;
    Ok(out.flush()?)
}

async fn targets(out: &mut Out, channel: Channel, parent: &str, filter: String) -> Result<()> {
    let mut client = RoadmapServiceClient::new(channel).max_decoding_message_size(MOST);
    let parent = parent.to_owned();
    let mut request = pb::ListInitiativesRequest { parent, filter, page_size: PAGE, ..Default::default() };
    loop {
        let page = client.list_initiatives(request.clone()).await.map_err(Error::from)?.into_inner();
        for event in page.initiatives.iter().filter_map(target) {
            out.write_all(event.to_string().as_bytes())?;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(());
        }
    }
}

async fn reviews(out: &mut Out, channel: Channel, parent: &str) -> Result<()> {
    let mut client = DecisionServiceClient::new(channel).max_decoding_message_size(MOST);
    let (parent, until_date) = (parent.to_owned(), EVER.to_owned());
    let mut request = pb::ListDueReviewsRequest { parent, until_date, page_size: PAGE, ..Default::default() };
    loop {
        let page = client.list_due_reviews(request.clone()).await.map_err(Error::from)?.into_inner();
        for event in page.decisions.iter().filter_map(review) {
            out.write_all(event.to_string().as_bytes())?;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(());
        }
    }
}

/// The last day of an initiative's target.
fn target(initiative: &pb::Initiative) -> Option<Event> {
    let target = TargetInterval::try_from(initiative.target.clone()?).ok()?;
    let (_, state) = words::state(initiative.state());
    let interval = words::interval(initiative.target.as_ref()?);
    let text = [
        format!("Target {interval}, {state}"),
        initiative.owner.clone(),
        initiative.problem.clone(),
        initiative.name.clone(),
    ];
    Some(Event {
        uid: format!("target-{}@waymark.dev", initiative.uid),
        day: target.days().1,
        summary: format!("Target: {}", initiative.display_name),
        description: paragraphs(&text),
        category: "Target",
        // Who has an audience is not told when it changed.
        changed: changed(initiative.update_time.as_ref().or(initiative.create_time.as_ref()))?,
        version: initiative.etag.clone(),
    })
}

/// The day from which a decision is to be looked at again.
fn review(decision: &pb::Decision) -> Option<Event> {
    let day: NaiveDate = decision.due_date.parse().ok()?;
    let choice = decision.choice.as_ref().map(|choice| format!("Chosen: {}", choice.option)).unwrap_or_default();
    let text = [decision.question.clone(), choice, decision.owner.clone(), decision.name.clone()];
    Some(Event {
        uid: format!("review-{}@waymark.dev", decision.uid),
        day,
        summary: format!("Review: {}", decision.display_name),
        description: paragraphs(&text),
        category: "Review",
        changed: changed(decision.update_time.as_ref())?,
        version: decision.etag.clone(),
    })
}

fn paragraphs(texts: &[String]) -> String {
    texts.iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join("\n")
}

fn changed(time: Option<&Timestamp>) -> Option<DateTime<Utc>> {
    zone::of(time)
}
