//! Batches: many resources of a table read at once, or created, changed or deleted in one write: all or none, or those
//! that are right. A row that fails says what its request by itself would have been told.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use sea_orm::sea_query::Order;
use waymark_domain::{Change, Name, ResourceId, Violations};
use waymark_proto::standard::{Batch, Create, Named, Rows, Update};
use waymark_proto::{ResourceMessage, Sight};
use waymark_request::{Call, Written, row_failure};

use crate::list::PAGE_BYTES;
use crate::rules::Step;
use crate::standard::{merged, missing, name_of_patch, parse_name, parse_workspace};
use crate::statement::order_by;
use crate::write::{is_current, is_live};
use crate::{Error, Ruled, Store, Table, Write, resource};

/// What to create: ids, empty where one is to be made, and messages.
pub type BatchRows<M> = Vec<(String, Option<M>)>;

/// What rows are to do, as far as they are right so far.
type Steps<T> = Vec<Result<Step<<T as Table>::Resource>, Error>>;

impl Store {
    /// Resources by name, deleted or not, in the order of the names.
    /// One that is hidden from who asks is as one that does not exist.
    pub async fn batch_get<T: Ruled>(
        &self,
        parent: &str,
        names: &[String],
        sight: Option<&Sight>,
    ) -> Result<Vec<T::Message>, Error> {
        let workspace = parse_workspace(parent)?;
        let mut violations = Violations::new();
        let mut ids = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            let field = format!("names[{index}]");
            match violations.check(&field, name.parse::<Name<T::Resource>>()) {
                Some(name) if *name.workspace() == workspace => ids.push(name.id().to_string()),
                Some(_) => violations.add(field, format!("must be of {workspace}, as parent says")),
                None => {}
            }
        }
        violations.into_result()?;
        let shown = match sight {
            Some(sight) => Some(self.shown(sight, names.iter().cloned().collect()).await?),
            None => None,
        };
        let is_shown = |name: &String| shown.as_ref().is_none_or(|shown| shown.contains(name));
        let looked_for = ids.iter().zip(names).filter(|(_, name)| is_shown(name)).map(|(id, _)| id.as_str());
        let mut select = resource::bodies_of::<T>(self.backend(), workspace.id(), looked_for);
        let by_id = [("id".to_owned(), Order::Asc, None)];
        order_by(&mut select, by_id.iter().cloned());
        let (rows, more) = self.of(workspace.id()).page(select, ids.len(), ("body", PAGE_BYTES), &by_id).await?;
        if more {
            let problem = format!("are of resources with more than {PAGE_BYTES} bytes in all; ask for fewer at a time");
            return Err(Violations::one("names", problem).into());
        }
        let mut bodies = BTreeMap::new();
        for row in rows {
            bodies.insert(row.try_get::<String>("", "id")?, row.try_get::<String>("", "body")?);
        }
        let wanted = ids.iter().zip(names).map(|(id, name)| {
            let body = bodies.get(id).ok_or_else(|| Error::NotFound(name.clone()))?;
            resource::decode::<T>(workspace.id(), id, body)
        });
        wanted.collect()
    }

    /// Creates many resources in one write: all or none, or with `partial` those that are right. `decide` sees the rows
    /// before its own. `reply` builds the answer.
    pub async fn batch_create<T, F, R>(
        &self,
        call: &Call,
        parent: &str,
        rows: BatchRows<T::Message>,
        partial: bool,
        decide: F,
        reply: impl FnOnce(Batch<T::Message>) -> R + Send,
    ) -> Result<Written<R>, Error>
    where
        T: Ruled,
        F: AsyncFn(&mut Write, T::Resource) -> Result<Change<T::Resource>, Error>,
        R: Message + Default,
    {
        let workspace = parse_workspace(parent)?;
        let create = async |write: &mut Write| Ok(reply(write.batch_create::<T, F>(rows, partial, decide).await?));
        self.write(call, &workspace, create).await
    }

    /// The same by the rule of the table.
    pub(crate) async fn batch_create_by_rule<T, R>(
        &self,
        call: &Call,
        rows: Rows<Create<T::Message>>,
    ) -> Result<Written<R>, Error>
    where
        T: Ruled,
        R: Message + Default + From<Batch<T::Message>>,
    {
        let Rows { parent, requests, partial } = rows;
        let rows = rows_of(&parent, requests)?;
        let create = async |write: &mut Write| Ok(write.batch_create_by_rule::<T>(rows, partial).await?.into());
        self.write(call, &parse_workspace(&parent)?, create).await
    }

    /// Updates many resources in one write, as [`Store::batch_create`] creates them.
    pub async fn batch_update<T, R>(&self, call: &Call, rows: Rows<Update<T::Message>>) -> Result<Written<R>, Error>
    where
        T: Ruled,
        R: Message + Default + From<Batch<T::Message>>,
    {
        let Rows { parent, requests, partial } = rows;
        let update = async |write: &mut Write| Ok(write.batch_update::<T>(requests, partial).await?.into());
        self.write(call, &parse_workspace(&parent)?, update).await
    }

    /// Deletes many resources in one write, as [`Store::batch_create`] creates them.
    pub async fn batch_delete<T, R>(&self, call: &Call, rows: Rows<Named>) -> Result<Written<R>, Error>
    where
        T: Ruled,
        R: Message + Default + From<Batch<T::Message>>,
    {
        let Rows { parent, requests, partial } = rows;
        let delete = async |write: &mut Write| Ok(write.batch_delete::<T>(&requests, partial).await?.into());
        self.write(call, &parse_workspace(&parent)?, delete).await
    }
}

impl Write {
    /// As [`Store::batch_create`].
    pub async fn batch_create<T, F>(
        &mut self,
        rows: BatchRows<T::Message>,
        partial: bool,
        decide: F,
    ) -> Result<Batch<T::Message>, Error>
    where
        T: Ruled,
        F: AsyncFn(&mut Self, T::Resource) -> Result<Change<T::Resource>, Error>,
    {
        let steps = self.creations::<T>(rows).await?;
        self.take::<T, _>(steps, partial, async |write, step| decide(write, step.into_state()).await).await
    }

    /// As [`Store::batch_create_by_rule`].
    async fn batch_create_by_rule<T: Ruled>(
        &mut self,
        rows: BatchRows<T::Message>,
        partial: bool,
    ) -> Result<Batch<T::Message>, Error> {
        let steps = self.creations::<T>(rows).await?;
        self.take::<T, _>(steps, partial, async |write, step| step.decide::<T>(write).await).await
    }

    /// The resources of rows, as far as they are whole and their ids free.
    async fn creations<T: Ruled>(&mut self, rows: BatchRows<T::Message>) -> Result<Steps<T>, Error> {
        // What is no id is nobody's, and its row is told so; a database need not like it.
        let ids = rows.iter().map(|(id, _)| id).filter(|id| id.parse::<ResourceId>().is_ok());
        let ids: Vec<String> = ids.cloned().collect();
        let mut taken: BTreeSet<String> = self.taken::<T>(&ids).await?.into_iter().collect();
        let mut steps = Vec::with_capacity(rows.len());
        for (id, message) in rows {
            steps.push(self.claimed::<T>(&id, message, &mut taken).map(Step::Created));
        }
        Ok(steps)
    }

    /// As [`Store::batch_update`].
    pub(crate) async fn batch_update<T: Ruled>(
        &mut self,
        requests: Vec<Update<T::Message>>,
        partial: bool,
    ) -> Result<Batch<T::Message>, Error> {
        let named = requests.iter().map(|request| {
            let patch = request.resource.as_ref().ok_or_else(missing::<T>)?.standard();
            Ok(Named { name: patch.name, etag: patch.etag })
        });
        let targets = self.targets::<T>(&name_of_patch::<T>(), named.collect()).await?;
        let merge = |(target, request): (Result<T::Message, Error>, Update<T::Message>)| {
            let patch = request.resource.ok_or_else(missing::<T>)?;
            let (old, new) = merged::<T>(self.workspace(), target?, &patch, request.update_mask.as_ref())?;
            Ok(Step::Updated { old, new })
        };
        let steps = targets.into_iter().zip(requests).map(merge).collect();
        self.take::<T, _>(steps, partial, async |write, step| step.decide::<T>(write).await).await
    }

    /// As [`Store::batch_delete`].
    pub(crate) async fn batch_delete<T: Ruled>(
        &mut self,
        requests: &[Named],
        partial: bool,
    ) -> Result<Batch<T::Message>, Error> {
        let targets = self.targets::<T>("name", requests.iter().cloned().map(Ok).collect()).await?;
        let delete = |target: Result<T::Message, Error>| Ok(Step::Deleted(self.as_deleted::<T>(target?)?));
        let steps = targets.into_iter().map(delete).collect();
        self.take::<T, _>(steps, partial, async |write, step| step.decide::<T>(write).await).await
    }

    /// Takes the steps of a batch, each decided on once those before it are.
    async fn take<T, F>(&mut self, mut steps: Steps<T>, partial: bool, decide: F) -> Result<Batch<T::Message>, Error>
    where
        T: Ruled,
        F: AsyncFn(&mut Self, Step<T::Resource>) -> Result<Change<T::Resource>, Error>,
    {
        self.refuse_dangling::<T>(&mut steps).await?;
        self.refuse_cycles::<T>(&mut steps).await?;
        self.refuse_needed::<T>(&mut steps).await?;
        let mut batch = Batch { items: Vec::with_capacity(steps.len()), failures: BTreeMap::new() };
        let mut taken = Vec::new();
        for (index, step) in steps.into_iter().enumerate() {
            let item = match step {
                Ok(step) => self.take_one::<T>(step, &decide).await,
                Err(error) => Err(error),
            };
            match item {
                Ok((item, step)) => {
                    batch.items.push(item);
                    taken.extend(step);
                }
                // A failing database fails the batch, not a row.
                Err(error) if partial && error.is_of_the_row() => {
                    batch.failures.insert(index as i32, row_failure(&error));
                    batch.items.push(T::Message::default());
                }
                Err(error) => return Err(Error::Row { index, error: Box::new(error) }),
            }
        }
        self.follow::<T>(&taken).await?;
        Ok(batch)
    }

    /// Decides on a step and puts what comes of it; gives the step, too, as far as something follows from it.
    async fn take_one<T: Ruled>(
        &mut self,
        step: Step<T::Resource>,
        decide: &impl AsyncFn(&mut Self, Step<T::Resource>) -> Result<Change<T::Resource>, Error>,
    ) -> Result<(T::Message, Option<Step<T::Resource>>), Error> {
        let noted = step.noted::<T>();
        let change = decide(self, step).await?;
        let taken = noted.map(|step| step.decided(change.state()));
        Ok((self.put::<T>(change)?, taken))
    }

    /// The resource of a row, if there is one and its id is free.
    fn claimed<T: Ruled>(
        &self,
        id: &str,
        message: Option<T::Message>,
        taken: &mut BTreeSet<String>,
    ) -> Result<T::Resource, Error> {
        let message = message.ok_or_else(missing::<T>)?;
        if !id.is_empty() && !taken.insert(id.to_owned()) {
            return Err(Error::Exists(format!("{}/{}/{id}", self.workspace(), T::Message::COLLECTION)));
        }
        self.fresh::<T>(id, message)
    }

    /// The live resources that rows name in `field`, read at once; no two rows may name the same.
    async fn targets<T: Ruled>(
        &mut self,
        field: &str,
        named: Vec<Result<Named, Error>>,
    ) -> Result<Vec<Result<T::Message, Error>>, Error> {
        let mut first = BTreeMap::new();
        let mut rows = Vec::with_capacity(named.len());
        for (index, named) in named.into_iter().enumerate() {
            rows.push(named.and_then(|Named { name, etag }| {
                let name = parse_name::<T::Resource>(field, &name)?;
                if name.workspace() != self.workspace() {
                    return Err(
                        Violations::one(field, format!("must be of {}, as the batch is", self.workspace())).into()
                    );
                }
                let before = *first.entry(name.id().to_string()).or_insert(index);
                if before != index {
                    let problem = format!("is that of requests[{before}], too: a batch changes a resource once");
                    return Err(Violations::one(field, problem).into());
                }
                Ok((name, etag))
            }));
        }
        let mut loaded = self.load_many::<T>(first.into_keys()).await?;
        let mut target = |(name, etag): (Name<T::Resource>, String)| {
            let found = loaded.remove(name.id().as_str());
            let message = found.ok_or_else(|| Error::NotFound(name.to_string()))?;
            is_current(&message, &etag)?;
            is_live(&message)?;
            Ok(message)
        };
        Ok(rows.into_iter().map(|row| row.and_then(&mut target)).collect())
    }
}

/// The rows of a batch that creates, once the parent of each is found to be that of the batch or empty.
fn rows_of<M>(parent: &str, requests: Vec<Create<M>>) -> Result<BatchRows<M>, Error> {
    let mut violations = Violations::new();
    for (index, request) in requests.iter().enumerate().filter(|(_, request)| !request.parent.is_empty()) {
        if request.parent != parent {
            violations.add(format!("requests[{index}].parent"), format!("must be empty or {parent}, as of the batch"));
        }
    }
    violations.into_result()?;
    Ok(requests.into_iter().map(|request| (request.id, request.resource)).collect())
}
