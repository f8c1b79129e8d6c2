//! The standard methods for resources whose rules ask about other rows: the step that decides runs inside the write,
//! where it may read, and what it reads cannot change before the commit.

use pbjson_types::FieldMask;
use prost::Message;
use waymark_domain::{Change, Name};
use waymark_proto::ResourceMessage;
use waymark_request::{Call, Written};

use crate::repository::{Batch, Sheet, missing, parse_name, parse_workspace};
use crate::{Error, Store, Table, Write};

impl Store {
    /// As [`Store::create`], with a `decide` that may read.
    pub async fn create_with<T, F>(
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
        let workspace = parse_workspace("parent", parent)?;
        let message = message.ok_or_else(missing::<T>)?;
        self.write(call, &workspace, async move |write| {
            let resource = write.draft::<T>(id, message)?;
            let change = decide(write, resource).await?;
            write.put::<T>(change).await
        })
        .await
    }

    /// As [`Store::update`], with a `decide` that may read; it gets the resource before and after.
    pub async fn update_with<T, F>(
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
        let name: Name<T::Resource> = parse_name(&format!("{}.name", T::Message::SINGULAR), &patch.standard().name)?;
        let workspace = name.workspace().clone();
        self.write(call, &workspace, async move |write| {
            let (old, new) = write.patched::<T>(&name, patch, update_mask.as_ref()).await?;
            let change = decide(write, old, new).await?;
            write.put::<T>(change).await
        })
        .await
    }

    /// As [`Store::delete`], with a `decide` that may read; it gets the resource as deleted.
    pub async fn delete_with<T, F>(
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
        let workspace = name.workspace().clone();
        self.write(call, &workspace, async move |write| {
            let resource = write.deleted::<T>(&name, etag).await?;
            let change = decide(write, resource).await?;
            write.put::<T>(change).await
        })
        .await
    }

    /// As [`Store::undelete`], with a `decide` that may read; it gets the resource as live.
    pub async fn undelete_with<T, F>(
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
        let workspace = name.workspace().clone();
        self.write(call, &workspace, async move |write| {
            let resource = write.undeleted::<T>(&name, etag).await?;
            let change = decide(write, resource).await?;
            write.put::<T>(change).await
        })
        .await
    }

    /// As [`Store::batch_create`], with a `decide` that may read; it sees the rows before its own.
    pub async fn batch_create_with<T, F, R>(
        &self,
        call: &Call,
        parent: &str,
        rows: Vec<(String, Option<T::Message>)>,
        partial: bool,
        decide: F,
        reply: impl FnOnce(Batch<T::Message>) -> R + Send,
    ) -> Result<Written<R>, Error>
    where
        T: Table,
        F: AsyncFn(&mut Write, T::Resource) -> Result<Change<T::Resource>, Error>,
        R: Message + Default,
    {
        let workspace = parse_workspace("parent", parent)?;
        self.write(call, &workspace, async move |write| {
            let mut sheet = Sheet::<T>::open(write, rows.iter().map(|(id, _)| id.as_str()), partial).await?;
            for (id, message) in rows {
                let result = match sheet.claim(write, &id, message).and_then(|message| write.draft::<T>(&id, message)) {
                    Ok(resource) => match decide(write, resource).await {
                        Ok(change) => write.put::<T>(change).await,
                        Err(error) => Err(error),
                    },
                    Err(error) => Err(error),
                };
                sheet.note(result)?;
            }
            Ok(reply(sheet.batch))
        })
        .await
    }
}
