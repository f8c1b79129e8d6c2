//! The standard methods, for any table: each as a step of a [`Write`], and as a write of its own. What decides is the
//! same in both: it gets the write, in which it may read, and the resource, and gives the change.

use std::sync::Arc;

use pbjson_types::FieldMask;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order};
use waymark_domain::{Change, Failure, Name, Resource, Violations, WorkspaceId};
use waymark_proto::ResourceMessage;
use waymark_proto::standard::Create;
use waymark_request::{Call, Written, mask};

use crate::draft::Draft;
use crate::lookups::Found;
use crate::rules::{Rule, Rules, Step};
use crate::statement::{apart, as_one};
use crate::write::{is_current, is_live};
use crate::{Error, Own, Ruled, Store, Table, Write, resource};

impl Store {
    /// A resource by name, deleted or not.
    pub async fn get<T: Table>(&self, name: &str) -> Result<T::Message, Error> {
        let name: Name<T::Resource> = parse_name("name", name)?;
        resource::decode::<T>(name.workspace().id(), name.id().as_str(), &self.body::<T>(&name).await?)
    }

    /// The body of a resource, which was not older when it was asked for.
    pub(crate) async fn body<T: Table>(&self, name: &Name<T::Resource>) -> Result<Arc<str>, Error> {
        let workspace = name.workspace().id();
        let look = |ids| self.bodies_by_id::<T>(workspace, ids);
        let body = self.lookups.find((T::TABLE, workspace.to_owned()), name.id().as_str(), look).await?;
        body.ok_or_else(|| Error::NotFound(name.to_string()))
    }

    async fn bodies_by_id<T: Table>(&self, workspace: &str, ids: Vec<String>) -> Result<Found, Error> {
        if let [id] = ids.as_slice() {
            let mut select = resource::bodies::<T>(workspace);
            let row = self.of(workspace).query_one(select.and_where(Expr::col("id").eq(id))).await?;
            let body = row.map(|row| row.try_get_by_index::<String>(1)).transpose()?;
            return Ok(body.map(|body| (id.clone(), Arc::from(body))).into_iter().collect());
        }
        let select = resource::bodies_of::<T>(self.backend(), workspace, ids.iter().map(String::as_str));
        let row = self.of(workspace).query_one(&as_one(self.backend(), select, &["id", "body"])).await?;
        let text = row.map(|row| row.try_get_by_index::<Option<String>>(0)).transpose()?.flatten().unwrap_or_default();
        Ok(apart(&text).map(|(id, body)| (id.to_owned(), Arc::from(body))).collect())
    }

    /// All live resources of a workspace, in order of id.
    pub async fn all<T: Table>(&self, workspace: &WorkspaceId) -> Result<Vec<T::Message>, Error> {
        let mut select = resource::bodies::<T>(workspace.id());
        select.and_where(Expr::col("delete_time").is_null()).order_by("id", Order::Asc);
        let rows = self.of(workspace.id()).query_all(&select).await?;
        let decode = |(id, body): (String, String)| resource::decode::<T>(workspace.id(), &id, &body);
        rows.iter().map(|row| decode((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
    }

    /// Creates a resource by the rule of its table. Where that reads nothing and nothing is to be written besides,
    /// nothing is locked: see [`Store::write_blind`].
    pub async fn create<T: Ruled>(
        &self,
        call: &Call,
        request: Create<T::Message>,
    ) -> Result<Written<T::Message>, Error> {
        let Create { parent, id, resource } = request;
        if let Rules { create: Rule::Alone(decide), after: None, .. } = T::RULES {
            return self.create_blind::<T, _>(call, &parent, &id, resource, decide).await;
        }
        let (workspace, message) = (parse_workspace(&parent)?, resource.ok_or_else(missing::<T>)?);
        self.write(call, &workspace, async move |write| {
            let step = Step::Created(write.fresh::<T>(&id, message)?);
            let noted = step.noted::<T>();
            let change = step.decide::<T>(write).await?;
            write.settle::<T>(change, noted).await
        })
        .await
    }

    /// Creates a resource in `parent` under `id`, or under an id of the service's making when that is empty, with a
    /// rule that reads nothing, so that nothing need be locked: see [`Store::write_blind`].
    pub async fn create_blind<T: Ruled, E: Failure + Send + Sync + 'static>(
        &self,
        call: &Call,
        parent: &str,
        id: &str,
        message: Option<T::Message>,
        decide: impl Fn(T::Resource) -> Result<Change<T::Resource>, E>,
    ) -> Result<Written<T::Message>, Error> {
        let (workspace, message) = (parse_workspace(parent)?, message.ok_or_else(missing::<T>)?);
        let create = |draft: &mut Draft| draft.create::<T, E>(id, message.clone(), &decide);
        self.write_blind(call, &workspace, create).await
    }

    /// Updates the fields that the mask names, by the rule of the table. Where that reads nothing and nothing is to be
    /// written besides, nothing is locked, either.
    pub(crate) async fn update_by_rule<T: Ruled>(
        &self,
        call: &Call,
        patch: Option<T::Message>,
        update_mask: Option<FieldMask>,
    ) -> Result<Written<T::Message>, Error> {
        let patch = patch.ok_or_else(missing::<T>)?;
        let name: Name<T::Resource> = parse_name(&name_of_patch::<T>(), &patch.standard().name)?;
        let (patch, update_mask) = (&patch, update_mask.as_ref());
        let locked = async |write: &mut Write| {
            let decide = async |write: &mut Write, old, new| T::RULES.update.decide(write, (old, new)).await;
            write.update::<T, _>(&name, patch.clone(), update_mask, decide).await
        };
        let Rules { update: Rule::Alone(decide), after: None, .. } = T::RULES else {
            return self.write(call, name.workspace(), locked).await;
        };
        let blind = async |draft: &mut Draft| {
            let current = self.load_unlocked::<T>(draft, &name).await?;
            let revised = revised::<T>(name.workspace(), current, patch, update_mask)?;
            draft.put::<T>(decide(revised)?)
        };
        self.blind_or(call, name.workspace(), blind, locked).await
    }

    /// Updates the fields that the mask names; `decide` gets the resource before and after.
    pub async fn update<T, F>(
        &self,
        call: &Call,
        patch: Option<T::Message>,
        update_mask: Option<FieldMask>,
        decide: F,
    ) -> Result<Written<T::Message>, Error>
    where
        T: Ruled,
        F: AsyncFnOnce(&mut Write, T::Resource, T::Resource) -> Result<Change<T::Resource>, Error>,
    {
        let patch = patch.ok_or_else(missing::<T>)?;
        let name: Name<T::Resource> = parse_name(&name_of_patch::<T>(), &patch.standard().name)?;
        let update = async |write: &mut Write| write.update::<T, _>(&name, patch, update_mask.as_ref(), decide).await;
        self.write(call, name.workspace(), update).await
    }

    /// Changes a live resource.
    pub async fn change<T, F>(
        &self,
        call: &Call,
        name: &str,
        etag: &str,
        decide: F,
    ) -> Result<Written<T::Message>, Error>
    where
        T: Own,
        F: AsyncFnOnce(&mut Write, T::Resource) -> Result<Change<T::Resource>, Error>,
    {
        let name: Name<T::Resource> = parse_name("name", name)?;
        let change = async |write: &mut Write| write.change::<T, _>(&name, etag, decide).await;
        self.write(call, name.workspace(), change).await
    }

    /// Deletes a resource; it keeps its name and can be undeleted. `decide` gets it as deleted.
    pub async fn delete<T, F>(
        &self,
        call: &Call,
        name: &str,
        etag: &str,
        decide: F,
    ) -> Result<Written<T::Message>, Error>
    where
        T: Ruled,
        F: AsyncFnOnce(&mut Write, T::Resource) -> Result<Change<T::Resource>, Error>,
    {
        let name: Name<T::Resource> = parse_name("name", name)?;
        let delete = async |write: &mut Write| write.delete::<T, _>(&name, etag, decide).await;
        self.write(call, name.workspace(), delete).await
    }

    /// Takes a deletion back. `decide` gets the resource as live.
    pub async fn undelete<T, F>(
        &self,
        call: &Call,
        name: &str,
        etag: &str,
        decide: F,
    ) -> Result<Written<T::Message>, Error>
    where
        T: Ruled,
        F: AsyncFnOnce(&mut Write, T::Resource) -> Result<Change<T::Resource>, Error>,
    {
        let name: Name<T::Resource> = parse_name("name", name)?;
        let undelete = async |write: &mut Write| write.undelete::<T, _>(&name, etag, decide).await;
        self.write(call, name.workspace(), undelete).await
    }
}

impl Write {
    /// As [`Store::update`]; the etag of `patch` is checked when set.
    pub async fn update<T, F>(
        &mut self,
        name: &Name<T::Resource>,
        patch: T::Message,
        update_mask: Option<&FieldMask>,
        decide: F,
    ) -> Result<T::Message, Error>
    where
        T: Ruled,
        F: AsyncFnOnce(&mut Self, T::Resource, T::Resource) -> Result<Change<T::Resource>, Error>,
    {
        let current = self.load_any::<T>(name, "").await?;
        let (old, new) = revised::<T>(name.workspace(), current, &patch, update_mask)?;
        let noted = T::RULES.after.is_some().then(|| Step::Updated { old: old.clone(), new: new.clone() });
        let change = decide(self, old, new).await?;
        self.settle::<T>(change, noted).await
    }

    /// As [`Store::change`].
    pub async fn change<T, F>(&mut self, name: &Name<T::Resource>, etag: &str, decide: F) -> Result<T::Message, Error>
    where
        T: Own,
        F: AsyncFnOnce(&mut Self, T::Resource) -> Result<Change<T::Resource>, Error>,
    {
        let resource = self.load::<T>(name, etag).await?;
        let change = decide(self, resource).await?;
        self.put::<T>(change)
    }

    /// As [`Store::delete`].
    pub async fn delete<T, F>(&mut self, name: &Name<T::Resource>, etag: &str, decide: F) -> Result<T::Message, Error>
    where
        T: Ruled,
        F: AsyncFnOnce(&mut Self, T::Resource) -> Result<Change<T::Resource>, Error>,
    {
        let message = self.load_any::<T>(name, etag).await?;
        is_live(&message)?;
        let step = Step::Deleted(self.as_deleted::<T>(message)?);
        let noted = step.noted::<T>();
        let change = decide(self, step.into_state()).await?;
        self.settle::<T>(change, noted).await
    }

    /// As [`Store::undelete`].
    pub async fn undelete<T, F>(&mut self, name: &Name<T::Resource>, etag: &str, decide: F) -> Result<T::Message, Error>
    where
        T: Ruled,
        F: AsyncFnOnce(&mut Self, T::Resource) -> Result<Change<T::Resource>, Error>,
    {
        let message = self.load_any::<T>(name, etag).await?;
        let mut resource = resource::parse::<T>(name.workspace().id(), message)?;
        if resource.meta_mut().delete_time.take().is_none() {
            return Err(Error::NotDeleted(name.to_string()));
        }
        let step = Step::Undeleted(resource);
        let noted = step.noted::<T>();
        let change = decide(self, step.into_state()).await?;
        self.settle::<T>(change, noted).await
    }

    /// A live resource as deleted by this write.
    pub(crate) fn as_deleted<T: Ruled>(&self, message: T::Message) -> Result<T::Resource, Error> {
        let mut resource = resource::parse::<T>(self.workspace().id(), message)?;
        resource.meta_mut().delete_time = Some(self.now());
        Ok(resource)
    }

    /// Puts what was decided, and writes what follows from it.
    async fn settle<T: Ruled>(
        &mut self,
        change: Change<T::Resource>,
        noted: Option<Step<T::Resource>>,
    ) -> Result<T::Message, Error> {
        let taken = noted.map(|step| step.decided(change.state()));
        let message = self.put::<T>(change)?;
        self.follow::<T>(taken.as_slice()).await?;
        Ok(message)
    }
}

/// As [`merged`], if the resource is live and the etag of `patch`, when set, is the current one.
fn revised<T: Ruled>(
    workspace: &WorkspaceId,
    current: T::Message,
    patch: &T::Message,
    update_mask: Option<&FieldMask>,
) -> Result<(T::Resource, T::Resource), Error> {
    is_current(&current, &patch.standard().etag)?;
    is_live(&current)?;
    merged::<T>(workspace, current, patch, update_mask)
}

/// A resource as it stands, and with the fields that the mask names taken from `patch`.
pub fn merged<T: Ruled>(
    workspace: &WorkspaceId,
    current: T::Message,
    patch: &T::Message,
    update_mask: Option<&FieldMask>,
) -> Result<(T::Resource, T::Resource), Error> {
    let merged = mask::apply(&current, patch, update_mask)?;
    let old = resource::parse::<T>(workspace.id(), current)?;
    let mut violations = Violations::new();
    let new = violations.nested(T::Message::SINGULAR, waymark_proto::parse(merged));
    Ok((old, new.ok_or(violations)?))
}

/// Where the name of a resource stands that is to be updated.
pub(crate) fn name_of_patch<T: Ruled>() -> String {
    format!("{}.name", T::Message::SINGULAR)
}

pub(crate) fn missing<T: Ruled>() -> Error {
    Violations::one(T::Message::SINGULAR, "must be set").into()
}

pub(crate) fn parse_workspace(parent: &str) -> Result<WorkspaceId, Error> {
    parent.parse().map_err(|e: waymark_domain::name::NameError| Violations::one("parent", e.to_string()).into())
}

pub(crate) fn parse_name<R: Resource>(field: &str, text: &str) -> Result<Name<R>, Error> {
    text.parse().map_err(|e: waymark_domain::name::NameError| Violations::one(field, e.to_string()).into())
}
