//! The table of estimates, and the announcement of what they do to the ranking of initiatives.

use std::collections::BTreeMap;

use waymark_domain::Name;
use waymark_domain::roadmap::{Estimate, Initiative, Ranking};
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Error, Table, Write};

use super::Initiatives;

/// Estimates.
pub struct Estimates;

impl Table for Estimates {
    type Resource = Estimate;
    type Message = pb::Estimate;
    const TABLE: &'static str = "estimates";
    const COLUMNS: Columns<Estimate> = &[
        Column::text("initiative", |e: &Estimate| Some(e.initiative.to_string())).indexed(),
        Column::number("score", |e| e.score().map(|s| s.likely())),
    ];
}

/// The priority ranking of the open initiatives before a write of estimates.
pub struct PriorityRanking {
    initiatives: BTreeMap<Name<Initiative>, Initiative>,
    before: Ranking,
}

impl PriorityRanking {
    /// The ranking as it stands in this transaction.
    pub async fn read(write: &mut Write) -> Result<Self, Error> {
        let open = write.all::<Initiatives>().await?.into_iter().filter(Initiative::is_open);
        let initiatives: BTreeMap<_, _> = open.map(|i| (i.meta.name.clone(), i)).collect();
        let before = Ranking::new(initiatives.values(), &write.all::<Estimates>().await?);
        Ok(Self { initiatives, before })
    }

    /// Announces, on each initiative whose estimate was written, where it moved. `written` holds those estimates, each
    /// with what changed in it; of several for one initiative the last says why. Initiatives that only make room are
    /// not announced: their own estimate says the same as before.
    pub async fn announce(mut self, write: &mut Write, written: Vec<(Estimate, String)>) -> Result<(), Error> {
        let after = Ranking::new(self.initiatives.values(), &write.all::<Estimates>().await?);
        let last: BTreeMap<_, _> =
            written.into_iter().map(|(estimate, why)| (estimate.initiative.clone(), (estimate, why))).collect();
        for (name, (estimate, why)) in last {
            let moved = after.moved_since(&self.before, &estimate, &why, write.now());
            if let Some((change, initiative)) = moved.zip(self.initiatives.remove(&name)) {
                write.put::<Initiatives>(initiative.announce_rank(change))?;
            }
        }
        Ok(())
    }
}
