//! A draft: what a decision puts, as rows that wait to be sent. It has no connection, hence cannot read and never waits;
//! what it holds becomes statements in `sql` alone.

pub(crate) mod form;
mod row;
pub(crate) mod sql;

/// References that a blind write makes sure of at most.
const REQUIRED: usize = 16;

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use prost::Message;
use serde_json::Map;
use uuid::Uuid;
use waymark_clock::Ids;
use waymark_domain::{Change, Failure, Name, Resource, ResourceId, Violations, WorkspaceId};
use waymark_proto::{ResourceMessage, Standard};
use waymark_request::Call;

pub(crate) use row::{Action, Cell, Row};

use crate::carried::json_name;
use crate::links::{self, Integrity};
use crate::table::Collection;
use crate::{Error, Own, Store, Table, resource};

/// What a write has put so far. It may put what is new; what exists is changed by a [`Write`](crate::Write), which has
/// read it.
pub struct Draft {
    pub(crate) workspace: WorkspaceId,
    pub(crate) call: Call,
    pub(crate) now: DateTime<Utc>,
    ids: Ids,
    /// Events so far.
    events: i32,
    /// What was created, by collection and id.
    created: BTreeSet<String>,
    /// The tables there are, other services' among them.
    collections: Arc<[Collection]>,
    /// What is to be looked at when the rows are sent.
    pub(crate) integrity: Integrity,
    /// Bodies as they were loaded or put, to tell what changed.
    bodies: BTreeMap<(&'static str, String), String>,
    /// What rules keep from one row of a batch to the next.
    notes: BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>,
    pub(crate) rows: Vec<Row>,
}

impl Draft {
    pub(crate) fn new(store: &Store, workspace: &WorkspaceId, call: &Call) -> Self {
        Self {
            workspace: workspace.clone(),
            call: call.clone(),
            now: store.now(),
            ids: store.ids.clone(),
            events: 0,
            created: BTreeSet::new(),
            collections: Arc::clone(&store.collections),
            integrity: Integrity::default(),
            bodies: BTreeMap::new(),
            notes: BTreeMap::new(),
            rows: Vec::new(),
        }
    }

    /// The time of this write.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// A new identity.
    pub fn new_id(&self) -> Uuid {
        self.ids.at(self.now)
    }

    /// The workspace that is written to.
    pub fn workspace(&self) -> &WorkspaceId {
        &self.workspace
    }

    /// Who asks for the write.
    pub fn actor(&self) -> &str {
        &self.call.actor.subject
    }

    /// What was noted of this type in this write, so that a rule reads once what goes for all rows of a batch.
    pub fn noted<N: Any + Send + Sync>(&self) -> Option<Arc<N>> {
        self.notes.get(&TypeId::of::<N>()).and_then(|note| Arc::clone(note).downcast().ok())
    }

    /// Notes something for the rest of this write, which must not change what it is made of.
    pub fn note<N: Any + Send + Sync>(&mut self, note: N) -> Arc<N> {
        let note = Arc::new(note);
        self.notes.insert(TypeId::of::<N>(), Arc::<N>::clone(&note));
        note
    }

    /// A resource that does not exist yet, from what a caller sent: complete and checked, not put. Output-only fields
    /// are ignored, standard ones filled in; `id` empty: one is made.
    pub fn fresh<T: Table>(&self, id: &str, mut message: T::Message) -> Result<T::Resource, Error> {
        let uid = self.new_id();
        let mut violations = Violations::new();
        let id_field = format!("{}_id", T::Message::SINGULAR);
        let id = if id.is_empty() { uid.simple().to_string() } else { id.to_owned() };
        let id: Option<ResourceId> = violations.check(&id_field, id.parse());
        message.clear_output_only();
        let given = message.standard();
        // A wrong id must not hide what else is wrong, so the rest is checked under a name that is right.
        let checked = id.clone().or_else(|| "x".parse().ok());
        let name = checked.map(|id| Name::<T::Resource>::new(self.workspace.clone(), id).to_string());
        let now = Some(waymark_proto::convert::timestamp(self.now));
        message.set_standard(Standard {
            name: name.unwrap_or_default(),
            uid: uid.to_string(),
            etag: "0".into(),
            create_time: now,
            update_time: now,
            delete_time: None,
            display_name: given.display_name,
            labels: given.labels,
        });
        match violations.nested(T::Message::SINGULAR, waymark_proto::parse(message)) {
            Some(resource) if violations.is_empty() => Ok(resource),
            _ => Err(violations.into()),
        }
    }

    /// Decides on a new resource and puts it. `id` empty: one is made.
    pub fn create<T: Own, E: Failure + Send + Sync + 'static>(
        &mut self,
        id: &str,
        message: T::Message,
        decide: impl FnOnce(T::Resource) -> Result<Change<T::Resource>, E>,
    ) -> Result<T::Message, Error> {
        let change = decide(self.fresh::<T>(id, message)?).map_err(Error::rule)?;
        if change.state().meta().version > 0 {
            return Err(Error::bug("a resource that exists is created"));
        }
        self.put::<T>(change)
    }

    /// Puts a change: the state under its next version, and a log row per event. One that leaves the resource as it is
    /// puts nothing. Returns the resource as it now is.
    pub(crate) fn put<T: Own>(&mut self, change: Change<T::Resource>) -> Result<T::Message, Error> {
        let (mut resource, events) = change.into_parts();
        let meta = resource.meta_mut();
        let (id, previous) = (meta.name.id().as_str().to_owned(), meta.version);
        meta.version = previous + 1;
        meta.update_time = self.now;
        if *meta.name.workspace() != self.workspace {
            return Err(Error::NotFound(meta.name.to_string()));
        }
        let message = T::Message::from(&resource);
        let body = serde_json::to_string(&message).map_err(Error::bug)?;
        let before = self.bodies.get(&(T::TABLE, id.clone()));
        let known: Option<T::Message> =
            before.map(|body| serde_json::from_str(body)).transpose().map_err(Error::bug)?;
        // As it is written today: in old bodies times have an offset.
        let is_old = before.is_some_and(|before| before.contains(r#"+00:00""#));
        let anew = known.as_ref().filter(|_| is_old).map(serde_json::to_string).transpose().map_err(Error::bug)?;
        let changed = anew.as_ref().or(before).map(|before| changed_fields(before, &body)).unwrap_or_default();
        if let Some(known) = known.as_ref().filter(|_| changed.is_empty()) {
            return Ok(known.clone());
        }
        let action = if previous > 0 { Action::Replace(previous) } else { Action::Insert };
        self.rows.push(Row::state::<T>(&resource, action, &body));
        let before = self.bodies.insert((T::TABLE, id.clone()), body.clone());
        self.link::<T>(&resource.meta().name, &message, known.as_ref())?;
        self.label::<T>(&id, &message, known.as_ref());
        self.tally::<T>(&resource, before.as_deref())?;
        for event in events {
            let row = self.event::<T>(&resource, event.into(), &body, &changed)?;
            self.rows.push(row);
            self.events += 1;
        }
        Ok(message)
    }

    /// Puts what a resource refers to beside it, as far as that is other than before, and notes what to look at.
    fn link<T: Table>(
        &mut self,
        name: &Name<T::Resource>,
        message: &T::Message,
        before: Option<&T::Message>,
    ) -> Result<(), Error> {
        debug_assert_eq!(
            waymark_proto::links::table(T::Resource::SERVICE, T::Resource::COLLECTION),
            Some(T::TABLE),
            "references are looked up in the table that is called after the collection"
        );
        let is_deleted = |message: &T::Message| message.standard().delete_time.is_some();
        if T::Message::LINKS.is_empty() && before.is_some() && !is_deleted(message) {
            return Ok(());
        }
        let (name, key) = (name.any(), format!("{}/{}", T::Resource::COLLECTION, name.id()));
        let mut gone = before.map(links::of::<T>).transpose()?.unwrap_or_default();
        let mut new = links::of::<T>(message)?;
        new.retain(|link, _| gone.remove(link).is_none());
        for link in new.values() {
            let mirrors = self.mirrors();
            self.integrity.refers(T::Resource::SERVICE, &name, link, mirrors.as_deref())?;
        }
        for (links, action) in [(gone, Action::Unlink), (new, Action::Link)] {
            if !links.is_empty() {
                self.rows.push(Row::links(name.workspace.id(), &key, &links, action));
            }
        }
        match before {
            None => _ = self.created.insert(key),
            Some(before) if is_deleted(message) && !is_deleted(before) => self.integrity.deletes(name),
            Some(_) => {}
        }
        Ok(())
    }

    /// Puts what tallies gain and lose by a resource.
    fn tally<T: Table>(&mut self, resource: &T::Resource, before: Option<&str>) -> Result<(), Error> {
        let tallied = || T::COLUMNS.iter().filter(|column| column.tallied.is_some());
        if tallied().next().is_none() {
            return Ok(());
        }
        let workspace = self.workspace.id();
        let id = resource.meta().name.id().as_str();
        let before = before.map(|body| resource::parse::<T>(workspace, resource::decode::<T>(workspace, id, body)?));
        let before = before.transpose()?;
        for column in tallied() {
            let (old, new) = (before.as_ref().and_then(|old| column.tally_of(old)), column.tally_of(resource));
            if old != new {
                let changes = [(old, -1), (new, 1)].into_iter().filter_map(|(head, by)| Some((head?, by)));
                let name = column.tally_name(T::TABLE);
                self.rows.extend(changes.map(|(head, by)| Row::tally(workspace, &name, head, by)));
            }
        }
        Ok(())
    }

    /// Where other services' resources are looked up; nowhere in a reaction, as an event may come after they have gone.
    pub(crate) fn mirrors(&self) -> Option<Arc<[Collection]>> {
        self.call.causation.is_none().then(|| Arc::clone(&self.collections))
    }

    /// Whether this write creates the resource.
    pub(crate) fn creates(&self, key: &str) -> bool {
        self.created.contains(key)
    }

    /// Whether anything was announced: nothing is saved without.
    pub(crate) fn has_events(&self) -> bool {
        self.events > 0
    }

    /// Notes how a resource stood when it was read.
    pub(crate) fn loaded(&mut self, table: &'static str, id: String, body: String) {
        self.bodies.insert((table, id), body);
    }

    /// Makes what must be looked at a part of the statement, in a blind write. Tells what of it may be unknown, in the
    /// order of the answers; `None` where it cannot be.
    pub(crate) fn require(&mut self) -> Option<Vec<String>> {
        let Integrity { referred, deleted, chained, .. } = &self.integrity;
        // Nothing leads back to what is new, unless it refers to itself.
        let leads_back = |(_, from, to): &(_, String, String)| !self.created.contains(from) || from == to;
        if !deleted.is_empty() || chained.iter().any(leads_back) || referred.len() > REQUIRED {
            return None;
        }
        let mut looked_for = Vec::new();
        for ((_, id), dangling) in referred {
            let action = if let Some(name) = dangling.unverified(None) {
                looked_for.push(name);
                Action::Look
            } else {
                Action::Require
            };
            self.rows.push(Row::looked_at(self.workspace.id(), dangling.table, id, action));
        }
        Some(looked_for)
    }

    /// Keeps what the request was answered.
    pub(crate) fn remember(&mut self, request_id: Uuid, answer: &impl Message) {
        let answer = Cell::Answer { digest: self.call.digest.to_vec(), message: answer.encode_to_vec() };
        self.rows.push(Row {
            workspace: self.workspace.id().to_owned(),
            table: "requests",
            collection: "requests",
            id: request_id.to_string(),
            action: Action::Insert,
            cells: vec![
                ("workspace", self.workspace.id().into()),
                ("request_id", request_id.to_string().into()),
                ("revision", Cell::Revision),
                ("time", self.now.timestamp_micros().into()),
                ("answer", answer),
            ],
        });
    }

    fn event<T: Table>(
        &self,
        resource: &T::Resource,
        verb: &str,
        body: &str,
        changed: &[String],
    ) -> Result<Row, Error> {
        let traced = T::COLUMNS.iter().find(|column| column.traced).map(|column| column.value_of(resource));
        let package = T::Message::FULL_NAME.rsplit_once('.').map_or("", |(package, _)| package);
        let event_type = format!("{package}.{}{verb}", T::Resource::KIND);
        if !waymark_proto::event::is_event(&event_type) {
            return Err(Error::bug(format!("{event_type} is not an event of the contract")));
        }
        let causation = self.call.causation.as_ref().map(|c| c.event_id.to_string());
        let mut change = Map::new();
        change.insert("actor".into(), self.actor().into());
        if let Some(id) = &causation {
            change.insert("causationId".into(), id.clone().into());
        }
        if !changed.is_empty() {
            change.insert("changedFields".into(), changed.to_vec().into());
        }
        let (field, change) = (json_name(T::Message::SINGULAR), serde_json::Value::Object(change));
        let cells = vec![
            ("workspace", self.workspace.id().into()),
            ("revision", Cell::Revision),
            ("ordinal", self.events.into()),
            ("event_id", self.new_id().to_string().into()),
            ("type", event_type.into()),
            ("collection", T::Resource::COLLECTION.into()),
            ("resource_id", resource.meta().name.id().as_str().into()),
            ("traced", traced.unwrap_or(sea_orm::Value::String(None)).into()),
            ("time", self.now.timestamp_micros().into()),
            ("actor", self.actor().into()),
            ("request_id", self.call.request_id.map(|id| id.to_string()).into()),
            ("causation_id", causation.into()),
            ("traceparent", self.call.traceparent.clone().into()),
            ("data", Cell::Json(format!(r#"{{"{field}":{body},"change":{change}}}"#))),
        ];
        let (workspace, id) = (self.workspace.id().to_owned(), self.events.to_string());
        Ok(Row { workspace, table: "log", collection: "events", id, action: Action::Insert, cells })
    }
}

/// Top-level fields that differ, in the contract's spelling; those that differ always are left out.
fn changed_fields(before: &str, after: &str) -> Vec<String> {
    // Both were written from messages, so they are objects.
    let object = |body| serde_json::from_str::<Map<_, _>>(body).unwrap_or_default();
    let (before, after) = (object(before), object(after));
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| !matches!(key.as_str(), "etag" | "updateTime") && before.get(*key) != after.get(*key))
        .map(|key| {
            let mut field = String::with_capacity(key.len() + 4);
            for c in key.chars() {
                if c.is_ascii_uppercase() {
                    field.push('_');
                }
                field.push(c.to_ascii_lowercase());
            }
            field
        })
        .collect()
}
