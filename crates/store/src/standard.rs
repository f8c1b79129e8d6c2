//! The standard methods, for any table: each as a step of a [`Write`], and as a write of its own. What decides is the
//! same in both: it gets the write, in which it may read, and the resource, and gives the change.

use pbjson_types::FieldMask;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order};
use waymark_domain::{Change, Failure, Name, Resource, Violations, WorkspaceId};
use waymark_proto::ResourceMessage;
use waymark_request::{Call, Written, mask};

use crate::draft::Draft;
use crate::{Error, Store, Table, Write, resource};

impl Store {
    /// A resource by name, deleted or not.
    pub async fn get<T: Table>(&self, name: &str) -> Result<T::Message, Error> {
        let name: Name<T::Resource> = parse_name("name", name)?;
        let mut select = resource::bodies::<T>(name.workspace().id());
        select.and_where(Expr::col("id").eq(name.id().as_str()));
        let row = self.query_one(&select).await?.ok_or_else(|| Error::NotFound(name.to_string()))?;
        resource::decode::<T>(name.workspace().id(), name.id().as_str(), &row.try_get_by_index::<String>(1)?)
    }

    /// All live resources of a workspace, in order of id.
    pub async fn all<T: Table>(&self, workspace: &WorkspaceId) -> Result<Vec<T::Message>, Error> {
        let mut select = resource::bodies::<T>(workspace.id());
        select.and_where(Expr::col("delete_time").is_null()).order_by("id", Order::Asc);
        let rows = self.query_all(&select).await?;
        let decode = |(id, body): (String, String)| resource::decode::<T>(workspace.id(), &id, &body);
        rows.iter().map(|row| decode((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
    }

    /// Creates a resource in `parent` under `id`, or under an id of the service's making when that is empty.
    pub async fn create<T, F>(
        &self,
        call: &Call,
        parent: &str,
        id: &str,
        message: Option<T::Message>,
        decide: F,
    ) -> Result<Written<T::Message>, Error>
    where
        T: Table,
        F: AsyncFnOnce(&mut Write, T::Resource) -> Result<Change<T::Resource>, Error>,
    {
        let (workspace, message) = (parse_workspace(parent)?, message.ok_or_else(missing::<T>)?);
        self.write(call, &workspace, async move |write| {
            let fresh = write.fresh::<T>(id, message)?;
            let change = decide(write, fresh).await?;
            write.put::<T>(change)
        })
        .await
    }

    /// The same with a rule that reads nothing, so that nothing need be locked: see [`Store::write_blind`].
    pub async fn create_blind<T: Table, E: Failure + Send + Sync + 'static>(
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

    /// Updates the fields that the mask names; `decide` gets the resource before and after.
    pub async fn update<T, F>(
        &self,
        call: &Call,
        patch: Option<T::Message>,
        update_mask: Option<FieldMask>,
        decide: F,
    ) -> Result<Written<T::Message>, Error>
    where
        T: Table,
        F: AsyncFnOnce(&mut Write, T::Resource, T::Resource) -> Result<Change<T::Resource>, Error>,
    {
        let patch = patch.ok_or_else(missing::<T>)?;
        let field = format!("{}.name", T::Message::SINGULAR);
        let name: Name<T::Resource> = parse_name(&field, &patch.standard().name)?;
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
        T: Table,
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
        T: Table,
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
        T: Table,
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
        T: Table,
        F: AsyncFnOnce(&mut Self, T::Resource, T::Resource) -> Result<Change<T::Resource>, Error>,
    {
        let current = self.load_any::<T>(name, &patch.standard().etag).await?;
        if current.standard().delete_time.is_some() {
            return Err(Error::Deleted(name.to_string()));
        }
        let merged = mask::apply(&current, &patch, update_mask)?;
        let old = resource::parse::<T>(name.workspace().id(), current)?;
        let mut violations = Violations::new();
        let new = violations.nested(T::Message::SINGULAR, waymark_proto::parse(merged));
        let change = decide(self, old, new.ok_or(violations)?).await?;
        self.put::<T>(change)
    }

    /// As [`Store::change`].
    pub async fn change<T, F>(&mut self, name: &Name<T::Resource>, etag: &str, decide: F) -> Result<T::Message, Error>
    where
        T: Table,
        F: AsyncFnOnce(&mut Self, T::Resource) -> Result<Change<T::Resource>, Error>,
    {
        let resource = self.load::<T>(name, etag).await?;
        let change = decide(self, resource).await?;
        self.put::<T>(change)
    }

    /// As [`Store::delete`].
    pub async fn delete<T, F>(&mut self, name: &Name<T::Resource>, etag: &str, decide: F) -> Result<T::Message, Error>
    where
        T: Table,
        F: AsyncFnOnce(&mut Self, T::Resource) -> Result<Change<T::Resource>, Error>,
    {
        let mut resource = self.load::<T>(name, etag).await?;
        resource.meta_mut().delete_time = Some(self.now());
        let change = decide(self, resource).await?;
        self.put::<T>(change)
    }

    /// As [`Store::undelete`].
    pub async fn undelete<T, F>(&mut self, name: &Name<T::Resource>, etag: &str, decide: F) -> Result<T::Message, Error>
    where
        T: Table,
        F: AsyncFnOnce(&mut Self, T::Resource) -> Result<Change<T::Resource>, Error>,
    {
        let message = self.load_any::<T>(name, etag).await?;
        let mut resource = resource::parse::<T>(name.workspace().id(), message)?;
        if resource.meta_mut().delete_time.take().is_none() {
            return Err(Error::NotDeleted(name.to_string()));
        }
        let change = decide(self, resource).await?;
        self.put::<T>(change)
    }
}

pub(crate) fn missing<T: Table>() -> Error {
    Violations::one(T::Message::SINGULAR, "must be set").into()
}

pub(crate) fn parse_workspace(parent: &str) -> Result<WorkspaceId, Error> {
    parent.parse().map_err(|e: waymark_domain::name::NameError| Violations::one("parent", e.to_string()).into())
}

fn parse_name<R: Resource>(field: &str, text: &str) -> Result<Name<R>, Error> {
    text.parse().map_err(|e: waymark_domain::name::NameError| Violations::one(field, e.to_string()).into())
}
