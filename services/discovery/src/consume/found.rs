//! Users were found to leave a path through the product.

use waymark_domain::metrics::Friction;
use waymark_domain::{Evidence, Violations};
use waymark_proto::discovery::v1 as pb;
use waymark_proto::metrics::v1 as metrics;
use waymark_store::{Error, Write};

use super::roots::create_root;
use super::seen::{Sighting, cite_or_open};
use crate::store::Outcomes;

/// What the friction says, in discovery's terms.
pub(super) struct Leak {
    /// The path, such as `from "signed_up" to "report_created"`.
    path: String,
    /// The friction, with the numbers.
    sighting: Sighting,
}

/// The leak that a friction found.
pub(super) fn leak(message: metrics::Friction) -> Result<Leak, Violations> {
    let mut violations = Violations::new();
    let Some(friction) = violations.nested("friction", waymark_proto::parse::<Friction, _>(message)) else {
        return Err(violations);
    };
    let (Some(gap), Some(note)) = (friction.gap(), friction.note()) else {
        return Err(Violations::one("friction.steps", "must have lost users, and enough who entered"));
    };
    let hint = friction.hint().map(|hint| format!(" {hint}.")).unwrap_or_default();
    let sighting = Sighting {
        title: format!("Find out why users do not get {gap}"),
        description: format!("{note}.{hint}"),
        seen: Evidence { target: friction.meta.name.full(), note },
    };
    Ok(Leak { path: friction.span(), sighting })
}

/// Adds to the opportunities that rest on the friction; one that is opened stands below the outcome that more users get
/// along the path.
pub(super) async fn found(write: &mut Write, Leak { path, sighting }: Leak) -> Result<(), Error> {
    cite_or_open(write, sighting, async move |write: &mut Write| root(write, &path).await).await
}

/// The outcome that is known by the share of users who get along the path, whoever made it and whatever people call it;
/// it is made when there is none.
async fn root(write: &mut Write, path: &str) -> Result<String, Error> {
    let measure = format!("share of users who get {path}");
    if let Some(root) = write.all_where::<Outcomes>("measure", &measure, 1).await?.into_iter().next() {
        return Ok(root.meta.name.to_string());
    }
    create_root(write, pb::Outcome { display_name: format!("More users get {path}"), measure, ..Default::default() })
        .await
}
