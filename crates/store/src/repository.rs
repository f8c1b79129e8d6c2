//! The standard methods, for any table. A handler is one call of these.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use pbjson_types::FieldMask;
use prost::Message;
use uuid::Uuid;
use waymark_domain::{Change, Failure, Name, Resource, ResourceId, Violations, WorkspaceId};
use waymark_proto::ResourceMessage;
use waymark_proto::common::v1::RowFailure;
use waymark_request::{Call, Written, mask, row_failure};

use crate::sql::{Sql, json_text};
use crate::write::new_standard;
use crate::{Error, Store, Table, Write};

/// Rows of a batch at most.
const MAX_BATCH: usize = 500;

/// The result of a batch: a message per row, and why rows failed, by index.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<M> {
    /// One per row, in their order; the default message where the row failed.
    pub items: Vec<M>,
    /// Failures by index.
    pub failures: BTreeMap<i32, RowFailure>,
}

impl Store {
    /// A resource by name, deleted or not.
    pub async fn get<T: Table>(&self, name: &str) -> Result<T::Message, Error> {
        let name: Name<T::Resource> = parse_name("name", name)?;
        let mut sql = Sql::new("SELECT ");
        sql.push(&json_text(self.backend(), "body")).push(" FROM ").push(T::TABLE);
        sql.push(" WHERE workspace = ").bind(name.workspace().id()).push(" AND id = ").bind(name.id().as_str());
        let row = self.query_one(&sql).await?.ok_or_else(|| Error::NotFound(name.to_string()))?;
        decode::<T>(name.workspace().id(), name.id().as_str(), &row.try_get_by_index::<String>(0)?)
    }

    /// All live resources of a workspace, in order of id.
    pub async fn all<T: Table>(&self, workspace: &WorkspaceId) -> Result<Vec<T::Message>, Error> {
        let mut sql = Sql::new("SELECT id, ");
        sql.push(&json_text(self.backend(), "body")).push(" FROM ").push(T::TABLE);
        sql.push(" WHERE workspace = ").bind(workspace.id()).push(" AND delete_time IS NULL ORDER BY id");
        let rows = self.query_all(&sql).await?;
        rows.iter()
            .map(|row| {
                decode::<T>(workspace.id(), &row.try_get_by_index::<String>(0)?, &row.try_get_by_index::<String>(1)?)
            })
            .collect()
    }

    /// Creates a resource in `parent` under `id`, or under an id of the service's making when that is empty.
    pub async fn create<T: Table, E: Failure + Send + Sync + 'static>(
        &self,
        call: &Call,
        parent: &str,
        id: &str,
        message: Option<T::Message>,
        decide: impl Fn(T::Resource) -> Result<Change<T::Resource>, E> + Send + Sync,
    ) -> Result<Written<T::Message>, Error> {
        let workspace = parse_workspace("parent", parent)?;
        let (id, message) = (id.to_owned(), message.ok_or_else(missing::<T>)?);
        self.write_blind(call, &workspace, async move |write: &mut Write| {
            write.create::<T, E>(&id, message.clone(), &decide).await
        })
        .await
    }

    /// Updates the fields that the mask names; `decide` sees the resource before and after.
    pub async fn update<T: Table, E: Failure + Send + Sync + 'static>(
        &self,
        call: &Call,
        patch: Option<T::Message>,
        update_mask: Option<FieldMask>,
        decide: impl FnOnce(&T::Resource, T::Resource) -> Result<Change<T::Resource>, E> + Send,
    ) -> Result<Written<T::Message>, Error> {
        let patch = patch.ok_or_else(missing::<T>)?;
        let standard = patch.standard();
        let name: Name<T::Resource> = parse_name(&format!("{}.name", T::Message::SINGULAR), &standard.name)?;
        let workspace = name.workspace().clone();
        self.write(call, &workspace, async move |write| {
            let (old, new) = write.patched::<T>(&name, patch, update_mask.as_ref()).await?;
            write.put::<T>(decide(&old, new).map_err(Error::rule)?).await
        })
        .await
    }

    /// Runs a state change on one resource.
    pub async fn change<T: Table, E: Failure + Send + Sync + 'static>(
        &self,
        call: &Call,
        name: &str,
        etag: &str,
        decide: impl FnOnce(T::Resource, DateTime<Utc>) -> Result<Change<T::Resource>, E> + Send,
    ) -> Result<Written<T::Message>, Error> {
        let name: Name<T::Resource> = parse_name("name", name)?;
        let workspace = name.workspace().clone();
        self.write(call, &workspace, async move |write| {
            let resource = write.load::<T>(&name, etag).await?;
            let change = decide(resource, write.now()).map_err(Error::rule)?;
            write.put::<T>(change).await
        })
        .await
    }

    /// Deletes a resource; it keeps its name and can be undeleted.
    pub async fn delete<T: Table, E: Failure + Send + Sync + 'static>(
        &self,
        call: &Call,
        name: &str,
        etag: &str,
        decide: impl FnOnce(T::Resource) -> Result<Change<T::Resource>, E> + Send,
    ) -> Result<Written<T::Message>, Error> {
        let name: Name<T::Resource> = parse_name("name", name)?;
        let workspace = name.workspace().clone();
        self.write(call, &workspace, async move |write| write.delete::<T, E>(&name, etag, decide).await).await
    }

    /// Takes a deletion back.
    pub async fn undelete<T: Table, E: Failure + Send + Sync + 'static>(
        &self,
        call: &Call,
        name: &str,
        etag: &str,
        decide: impl FnOnce(T::Resource) -> Result<Change<T::Resource>, E> + Send,
    ) -> Result<Written<T::Message>, Error> {
        let name: Name<T::Resource> = parse_name("name", name)?;
        let workspace = name.workspace().clone();
        self.write(call, &workspace, async move |write| write.undelete::<T, E>(&name, etag, decide).await).await
    }

    /// Creates many resources in one transaction: all or none, or with `partial` those that are right. `reply` builds
    /// the answer.
    pub async fn batch_create<T: Table, E: Failure + Send + Sync + 'static, R: Message + Default>(
        &self,
        call: &Call,
        parent: &str,
        rows: Vec<(String, Option<T::Message>)>,
        partial: bool,
        decide: impl Fn(T::Resource) -> Result<Change<T::Resource>, E> + Send + Sync,
        reply: impl FnOnce(Batch<T::Message>) -> R + Send,
    ) -> Result<Written<R>, Error> {
        let workspace = parse_workspace("parent", parent)?;
        self.write(call, &workspace, async move |write| {
            let mut sheet = Sheet::<T>::open(write, rows.iter().map(|(id, _)| id.as_str()), partial).await?;
            for (id, message) in rows {
                let result = match sheet.claim(write, &id, message) {
                    Ok(message) => write.create::<T, E>(&id, message, &decide).await,
                    Err(error) => Err(error),
                };
                sheet.note(result)?;
            }
            Ok(reply(sheet.batch))
        })
        .await
    }
}

impl Write {
    /// The resource before and after the fields that the mask names are taken from `patch`; its etag is checked when
    /// set.
    pub async fn patched<T: Table>(
        &mut self,
        name: &Name<T::Resource>,
        patch: T::Message,
        update_mask: Option<&FieldMask>,
    ) -> Result<(T::Resource, T::Resource), Error> {
        let current = self.load_message::<T>(name, &patch.standard().etag).await?;
        if current.standard().delete_time.is_some() {
            return Err(Error::Deleted(name.to_string()));
        }
        let merged = mask::apply(&current, &patch, update_mask)?;
        let old = self.parse::<T>(current)?;
        let new = T::Resource::try_from(merged).map_err(|v| prefixed::<T>(v))?;
        Ok((old, new))
    }

    /// Takes the deletion of a resource back.
    pub async fn undelete<T: Table, E: Failure + Send + Sync + 'static>(
        &mut self,
        name: &Name<T::Resource>,
        etag: &str,
        decide: impl FnOnce(T::Resource) -> Result<Change<T::Resource>, E>,
    ) -> Result<T::Message, Error> {
        let resource = self.undeleted::<T>(name, etag).await?;
        self.put::<T>(decide(resource).map_err(Error::rule)?).await
    }

    /// A deleted resource without the time of its deletion; nothing is saved.
    pub(crate) async fn undeleted<T: Table>(
        &mut self,
        name: &Name<T::Resource>,
        etag: &str,
    ) -> Result<T::Resource, Error> {
        let message = self.load_message::<T>(name, etag).await?;
        let mut resource = self.parse::<T>(message)?;
        if resource.meta_mut().delete_time.take().is_none() {
            return Err(Error::NotDeleted(name.to_string()));
        }
        Ok(resource)
    }

    /// Deletes a live resource.
    pub async fn delete<T: Table, E: Failure + Send + Sync + 'static>(
        &mut self,
        name: &Name<T::Resource>,
        etag: &str,
        decide: impl FnOnce(T::Resource) -> Result<Change<T::Resource>, E>,
    ) -> Result<T::Message, Error> {
        let resource = self.deleted::<T>(name, etag).await?;
        self.put::<T>(decide(resource).map_err(Error::rule)?).await
    }

    /// A live resource with the time of its deletion; nothing is saved.
    pub(crate) async fn deleted<T: Table>(
        &mut self,
        name: &Name<T::Resource>,
        etag: &str,
    ) -> Result<T::Resource, Error> {
        let mut resource = self.load::<T>(name, etag).await?;
        resource.meta_mut().delete_time = Some(self.now());
        Ok(resource)
    }
}

/// A batch while its rows are created one after the other. A row that fails must not have put anything.
pub struct Sheet<T: Table> {
    taken: BTreeSet<String>,
    partial: bool,
    /// What became of the rows so far.
    pub batch: Batch<T::Message>,
}

impl<T: Table> Sheet<T> {
    /// An empty sheet for rows with these ids (empty where one is to be made).
    pub async fn open<'a>(
        write: &mut Write,
        ids: impl ExactSizeIterator<Item = &'a str>,
        partial: bool,
    ) -> Result<Self, Error> {
        let rows = ids.len();
        if rows > MAX_BATCH {
            return Err(Violations::one("requests", format!("has {rows} rows, at most {MAX_BATCH} are allowed")).into());
        }
        // What is no id is nobody's, and its row is told so; a database need not like it.
        let ids: Vec<String> = ids.filter(|id| id.parse::<ResourceId>().is_ok()).map(str::to_owned).collect();
        let taken = write.taken::<T>(&ids).await?.into_iter().collect();
        Ok(Self { taken, partial, batch: Batch { items: Vec::with_capacity(rows), failures: BTreeMap::new() } })
    }

    /// The message of the next row, if there is one and its id is free.
    pub fn claim(&mut self, write: &Write, id: &str, message: Option<T::Message>) -> Result<T::Message, Error> {
        let message = message.ok_or_else(missing::<T>)?;
        if id.is_empty() || self.taken.insert(id.to_owned()) {
            Ok(message)
        } else {
            Err(Error::Exists(format!("{}/{}/{id}", write.workspace(), T::Message::COLLECTION)))
        }
    }

    /// What became of the row; the failure of the whole when rows may not fail.
    pub fn note(&mut self, result: Result<T::Message, Error>) -> Result<(), Error> {
        let index = self.batch.items.len();
        match result {
            Ok(message) => self.batch.items.push(message),
            // A failing database fails the batch, not a row.
            Err(error) if self.partial && !matches!(error, Error::Database(_) | Error::Commit(_) | Error::Busy(_)) => {
                self.batch.failures.insert(index as i32, row_failure(&error));
                self.batch.items.push(T::Message::default());
            }
            Err(error) => return Err(Error::Row { index, error: Box::new(error) }),
        }
        Ok(())
    }
}

/// A resource that does not exist yet, from what a caller sent: output-only fields are ignored, standard ones filled
/// in.
pub(crate) fn fresh<T: Table>(
    workspace: &WorkspaceId,
    id: &str,
    mut message: T::Message,
    now: DateTime<Utc>,
    uid: Uuid,
) -> Result<T::Resource, Error> {
    let mut violations = Violations::new();
    let id_field = format!("{}_id", T::Message::SINGULAR);
    let id = if id.is_empty() { uid.simple().to_string() } else { id.to_owned() };
    let id: Option<ResourceId> = violations.check(&id_field, id.parse());
    message.clear_output_only();
    let given = message.standard();
    // A wrong id must not hide what else is wrong, so the rest is checked under a name that is right.
    let checked = id.clone().or_else(|| "x".parse().ok());
    let name = checked.map(|id| Name::<T::Resource>::new(workspace.clone(), id).to_string()).unwrap_or_default();
    message.set_standard(new_standard(name, uid, given, now));
    let resource = violations.nested(T::Message::SINGULAR, T::Resource::try_from(message));
    match resource {
        Some(resource) if violations.is_empty() => Ok(resource),
        _ => Err(violations.into()),
    }
}

/// The message a body column holds.
pub(crate) fn decode<T: Table>(workspace: &str, id: &str, body: &str) -> Result<T::Message, Error> {
    serde_json::from_str(body).map_err(|e| damaged::<T>(workspace, id, e.to_string()))
}

/// The domain's value of a message that the store gave out; a row that breaks an invariant is named.
pub fn resource<T: Table>(message: T::Message) -> Result<T::Resource, Error> {
    let name = message.standard().name;
    let workspace = name.split('/').nth(1).unwrap_or_default().to_owned();
    parse::<T>(&workspace, message)
}

pub(crate) fn parse<T: Table>(workspace: &str, message: T::Message) -> Result<T::Resource, Error> {
    let name = message.standard().name;
    T::Resource::try_from(message).map_err(|violations| {
        damaged::<T>(workspace, name.rsplit('/').next().unwrap_or_default(), violations.to_string())
    })
}

fn damaged<T: Table>(workspace: &str, id: &str, problem: String) -> Error {
    Error::Damaged { table: T::TABLE, column: "body", workspace: workspace.to_owned(), id: id.to_owned(), problem }
}

fn prefixed<T: Table>(violations: Violations) -> Error {
    let mut all = Violations::new();
    all.nested::<()>(T::Message::SINGULAR, Err(violations));
    all.into()
}

pub(crate) fn missing<T: Table>() -> Error {
    Violations::one(T::Message::SINGULAR, "must be set").into()
}

pub(crate) fn parse_workspace(field: &str, text: &str) -> Result<WorkspaceId, Error> {
    text.parse().map_err(|e: waymark_domain::name::NameError| Violations::one(field, e.to_string()).into())
}

pub(crate) fn parse_name<R: Resource>(field: &str, text: &str) -> Result<Name<R>, Error> {
    text.parse().map_err(|e: waymark_domain::name::NameError| Violations::one(field, e.to_string()).into())
}
