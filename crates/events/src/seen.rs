//! Events for callers who have an audience: those of what it is shown, then and now, and of them what it sees.

use waymark_proto::Sight;
use waymark_proto::events::v1::Event;
use waymark_proto::sight::EVENT;
use waymark_store::{Error, Store};

/// What is seen of events by who sees so much; all of them where nothing is hidden.
pub(crate) async fn seen(store: &Store, sight: Option<&Sight>, events: Vec<Event>) -> Result<Vec<Event>, Error> {
    let Some(sight) = sight.filter(|_| !events.is_empty()) else { return Ok(events) };
    let shown = store.shown(sight, events.iter().map(|event| event.subject.clone()).collect()).await?;
    let now = events.iter().filter(|event| shown.contains(&event.subject));
    Ok(now.filter_map(|event| sight.of_message(EVENT, event)).collect())
}
