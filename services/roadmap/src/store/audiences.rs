//! The table of audiences, and what they see.

use waymark_domain::Name;
use waymark_domain::roadmap::Audience;
use waymark_proto::Sight;
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Columns, Error, Ruled, Store, Table, resource};

/// Audiences.
pub struct Audiences;

impl Table for Audiences {
    type Resource = Audience;
    type Message = pb::Audience;
    const TABLE: &'static str = "audiences";
    const COLUMNS: Columns<Audience> = &[];
}

impl Ruled for Audiences {}

/// What the audience of a name sees; `None` when there is none, or it is deleted.
pub async fn sight(store: &Store, name: &str) -> Result<Option<Sight>, Error> {
    let Ok(name) = name.parse::<Name<Audience>>() else { return Ok(None) };
    let found = store.named::<Audiences>(name.workspace(), [name.id().as_str()]).await?.into_values().next();
    Ok(found.map(resource::<Audiences>).transpose()?.as_ref().map(Sight::from))
}
