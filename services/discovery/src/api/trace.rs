//! From an insight to the people it rests on.

use std::collections::BTreeMap;

use waymark_domain::discovery::Insight;
use waymark_proto::convert::discovery::refresh_strength;
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Error, Store, Table, resource};

use super::Api;
use crate::store::{Insights, Interviews, Participants, Studies};

impl Api {
    /// An insight with its strength as of now.
    pub(super) async fn insight(&self, name: &str) -> Result<pb::Insight, Error> {
        let mut insight = self.store.get::<Insights>(name).await?;
        refresh_strength(&mut insight, self.store.now());
        Ok(insight)
    }

    /// An insight and where each of its evidences leads. What was deleted after it was cited is shown with its delete
    /// time.
    pub(super) async fn trace(&self, name: &str) -> Result<pb::TraceEvidenceResponse, Error> {
        let message = self.insight(name).await?;
        let insight: Insight = resource::<Insights>(message.clone())?;
        // A transcript is long, not shown, and would be copied for each evidence.
        let mut interviews = Known::<Interviews>::new(|interview| interview.transcript.clear());
        let mut participants = Known::<Participants>::new(|_| {});
        let mut studies = Known::<Studies>::new(|_| {});
        let mut traces = Vec::with_capacity(insight.evidence.len());
        for (evidence, cited) in message.evidence.iter().zip(&insight.evidence) {
            let mut trace = pb::EvidenceTrace { evidence: Some(evidence.clone()), ..Default::default() };
            if let Some(name) = cited.interview()
                && let Some(mut interview) = interviews.get(&self.store, &name.to_string()).await?
            {
                trace.highlight = interview.highlights.iter().find(|h| h.id == evidence.highlight).cloned();
                trace.participant = participants.get(&self.store, &interview.participant).await?;
                trace.study = studies.get(&self.store, &interview.study).await?;
                interview.highlights.clear();
                trace.interview = Some(interview);
            }
            traces.push(trace);
        }
        Ok(pb::TraceEvidenceResponse { insight: Some(message), traces })
    }
}

/// Resources read so far: many evidences lead to the same ones.
struct Known<T: Table> {
    read: BTreeMap<String, Option<T::Message>>,
    /// Takes away what is not needed of one.
    trim: fn(&mut T::Message),
}

impl<T: Table> Known<T> {
    fn new(trim: fn(&mut T::Message)) -> Self {
        Self { read: BTreeMap::new(), trim }
    }

    async fn get(&mut self, store: &Store, name: &str) -> Result<Option<T::Message>, Error> {
        if let Some(known) = self.read.get(name) {
            return Ok(known.clone());
        }
        let found = match store.get::<T>(name).await {
            Ok(mut message) => {
                (self.trim)(&mut message);
                Some(message)
            }
            Err(Error::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        self.read.insert(name.to_owned(), found.clone());
        Ok(found)
    }
}
