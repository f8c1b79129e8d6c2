//! Renews what was made of events that are gone: the readings that metrics keep, and answers about frictions. What was
//! found is committed only if the resource is still the one that was looked at; whoever changed it meanwhile did so on
//! events that were gone already.

use chrono::{DateTime, Utc};
use waymark_domain::metrics::{Friction, Metric};
use waymark_domain::{Change, Reading, Resource, WorkspaceId};
use waymark_lake as lake;
use waymark_request::Call;
use waymark_store::{Error, ListQuery, Own, Store, Table, Write, resource};

use crate::analysis::LakeFailure;
use crate::frictions::answer;
use crate::name::NAME;
use crate::store::{Frictions, Metrics};
use crate::usual::usual;

/// Resources read from the database at a time.
const PAGE: i32 = 100;

/// Renews what may rest on events between two times, both included; nothing when there were none.
pub async fn renew(
    store: &Store,
    lake: &lake::Lake,
    workspace: &WorkspaceId,
    times: Option<(DateTime<Utc>, DateTime<Utc>)>,
) -> Result<(), Error> {
    let Some((first, last)) = times else { return Ok(()) };
    let renewing = Renewing { store, lake, workspace, first, last };
    renewing.readings(|metric| metric.latest).await?;
    renewing.readings(|metric| metric.watch.and_then(|watch| watch.breach)).await?;
    renewing.answers().await
}

struct Renewing<'a> {
    store: &'a Store,
    lake: &'a lake::Lake,
    workspace: &'a WorkspaceId,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
}

impl Renewing<'_> {
    /// Takes a reading of each metric anew.
    async fn readings(&self, known: fn(&Metric) -> Option<Reading>) -> Result<(), Error> {
        let mut token = Some(String::new());
        while let Some(metrics) = self.page::<Metrics>(&mut token).await? {
            for metric in metrics {
                let Some(period) = known(&metric).map(|reading| reading.period()) else { continue };
                if !self.rests_on(period.start(), period.end()) {
                    continue;
                }
                let value = self.lake.total(self.workspace.id(), &metric.measure, period).await.map_err(LakeFailure)?;
                // A sum that is beyond all numbers is no answer.
                let Ok(reading) = Reading::new(period, value) else { continue };
                let version = metric.meta.version;
                let usual = usual(self.lake, &metric, period).await?;
                if let Some(change) = metric.corrected(reading, usual) {
                    self.keep::<Metrics>(version, change).await?;
                }
            }
        }
        Ok(())
    }

    /// Asks the question of each friction anew.
    async fn answers(&self) -> Result<(), Error> {
        let mut token = Some(String::new());
        while let Some(frictions) = self.page::<Frictions>(&mut token).await? {
            for friction in frictions {
                let Friction { meta, question, answer: known } = &friction;
                if !self.rests_on(question.entries.start(), question.entries.end() + question.path.window().length()) {
                    continue;
                }
                let renewed = answer(self.lake, self.workspace, question, self.store.now()).await?;
                if renewed != *known {
                    self.keep::<Frictions>(meta.version, friction.answer_with(renewed)).await?;
                }
            }
        }
        Ok(())
    }

    /// Whether what was made of the events from `start` up to but without `end` may change.
    fn rests_on(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> bool {
        start <= self.last && self.first < end
    }

    /// The next live resources of the workspace; `None` after the last.
    async fn page<T: Table>(&self, token: &mut Option<String>) -> Result<Option<Vec<T::Resource>>, Error> {
        let Some(page_token) = token.take() else { return Ok(None) };
        let parent = self.workspace.to_string();
        let query = ListQuery { parent: &parent, page_size: PAGE, page_token: &page_token, ..ListQuery::default() };
        let page = self.store.list::<T>(query).await?;
        *token = Some(page.next_page_token).filter(|token| !token.is_empty());
        page.items.into_iter().map(resource::<T>).collect::<Result<_, _>>().map(Some)
    }

    async fn keep<T: Own>(&self, version: u64, change: Change<T::Resource>) -> Result<(), Error> {
        let name = change.state().meta().name.clone();
        let put = async move |write: &mut Write| {
            if write.find::<T>(&name).await?.is_some_and(|current| current.meta().version == version) {
                write.put::<T>(change)?;
            }
            Ok(())
        };
        self.store.write(&Call::internal(NAME), self.workspace, put).await.map(|_| ())
    }
}
