//! The outcomes that opened opportunities stand below, and the words and links that are written into them.

use std::convert::Infallible;

use waymark_domain::Change;
use waymark_domain::discovery::{Outcome, OutcomeEvent};
use waymark_proto::common::v1::Evidence;
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Error, Write};

use crate::store::Outcomes;

/// The root of the tree whose outcome is bound to a metric, given by its full name. It is made when there is none,
/// named after what the metric is `called`.
pub(super) async fn root(write: &mut Write, metric: &str, called: &str) -> Result<String, Error> {
    if let Some(root) = write.all_where::<Outcomes>("metric", metric, 1).await?.into_iter().next() {
        return Ok(root.meta.name.to_string());
    }
    create_root(
        write,
        pb::Outcome { display_name: format!("Move {called}"), metric: metric.to_owned(), ..Default::default() },
    )
    .await
}

/// Makes an outcome; of its name as much is kept as a name may have.
pub(super) async fn create_root(write: &mut Write, mut message: pb::Outcome) -> Result<String, Error> {
    message.display_name = cut(&message.display_name);
    let created = |outcome: Outcome| Ok::<_, Infallible>(Change::new(outcome, OutcomeEvent::Created));
    Ok(write.create::<Outcomes, _>("", message, created)?.name)
}

pub(super) fn link(target: &str, note: &str) -> Evidence {
    Evidence { target: target.to_owned(), note: note.to_owned() }
}

/// As much of a text as a display name may have.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(pb::Opportunity::DISPLAY_NAME_MOST).collect()
}
