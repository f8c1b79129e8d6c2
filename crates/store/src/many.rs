//! Many resources at once. Thousands of rows one by one cost the driver more than the database, and to read what is in them
//! takes longer than both: so they are sent as a few texts, each read while the next one comes, off the threads that serve.

use std::collections::BTreeMap;

use sea_orm::QueryResult;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use serde::de::DeserializeOwned;

use crate::coming::Coming;
use crate::statement::{apart, as_one, keyed, lists};
use crate::view::{VALUES, states};
use crate::{Error, Table, View, resource};

/// Bytes of JSON that are read where they come.
const FEW: usize = 1 << 16;

impl View {
    /// Those of these ids that are live, by id.
    pub async fn named<T: Table>(
        &self,
        ids: impl IntoIterator<Item = &str>,
    ) -> Result<BTreeMap<String, T::Message>, Error> {
        let mut named = self.known::<T>(ids).await?;
        named.retain(|_, message| crate::view::is_live(message));
        Ok(named)
    }

    /// All that are live, by id; `None` where there are more than `most`, deleted ones counted: as many are looked at.
    pub async fn all<T: Table>(&self, most: usize) -> Result<Option<BTreeMap<String, T::Message>>, Error> {
        let mut ids = Query::select();
        ids.column("id").from(T::TABLE).and_where(Expr::col("workspace").eq(self.workspace().id()));
        let ids = self.ids_of(ids.order_by("id", Order::Asc).limit(most as u64 + 1).take()).await?;
        if ids.len() > most {
            return Ok(None);
        }
        self.named::<T>(ids.iter().map(String::as_str)).await.map(Some)
    }

    /// Those of these ids that there are, deleted or not, by id.
    pub async fn known<T: Table>(
        &self,
        ids: impl IntoIterator<Item = &str>,
    ) -> Result<BTreeMap<String, T::Message>, Error> {
        self.outlined::<T, T::Message>(ids).await
    }

    /// What some fields say of those of these ids that there are, deleted or not, by id. `V` has the fields by their JSON
    /// names; what else there is of a resource is passed over, which takes a small part of the time that it takes to read it.
    pub async fn outlined<T: Table, V: DeserializeOwned + Send + 'static>(
        &self,
        ids: impl IntoIterator<Item = &str>,
    ) -> Result<BTreeMap<String, V>, Error> {
        let read = if self.past_of::<T>().is_some() { resource::carried::<T, V> } else { resource::kept::<T, V> };
        self.each::<T, V>(ids, read).await
    }

    /// What columns say of those of these ids that are live now, whatever position is shown: `V` is a list of them. Bodies, which
    /// are most of what there is of a resource, are not read.
    pub async fn columns<T: Table, V: DeserializeOwned>(
        &self,
        ids: impl IntoIterator<Item = &str>,
        columns: [&'static str; 3],
    ) -> Result<Vec<V>, Error> {
        let ids: Vec<&str> = ids.into_iter().collect();
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(self.at_once()) {
            let mut select = Query::select();
            select.expr(lists(self.backend(), columns)).from(T::TABLE);
            select.and_where(keyed(self.backend(), self.workspace().id(), ids.iter().copied()));
            select.and_where(Expr::col("delete_time").is_null());
            for row in self.rows(&select).await? {
                // There is nothing where there is no row.
                let all: Option<String> = row.try_get_by_index(0)?;
                found.extend(serde_json::from_str::<Vec<V>>(all.as_deref().unwrap_or("[]")).map_err(Error::bug)?);
            }
        }
        Ok(found)
    }

    /// What is made of the states of those of these ids that there are, by id. `read` gets the workspace, the id and the state:
    /// the JSON of a resource or, of the past, of the event that carries it, empty where it was not there.
    pub(crate) async fn each<T: Table, V: Send + 'static>(
        &self,
        ids: impl IntoIterator<Item = &str>,
        read: impl Fn(&str, &str, &str) -> Result<Option<V>, Error> + Clone + Send + 'static,
    ) -> Result<BTreeMap<String, V>, Error> {
        let ids: Vec<&str> = ids.into_iter().collect();
        let mut parts = Vec::with_capacity(ids.len().div_ceil(VALUES));
        for ids in ids.chunks(VALUES) {
            let mut select = states::<T>(self.backend(), self.workspace(), self.past_of::<T>());
            select.and_where(keyed(self.backend(), self.workspace().id(), ids.iter().copied()));
            let text = self.one(select, &["id", "state"]).await?;
            let (few, workspace, read) = (text.len() < FEW, self.workspace().id().to_owned(), read.clone());
            parts.push(Coming::of(few, move || {
                let one =
                    |(id, state): (&str, &str)| Ok(read(&workspace, id, state)?.map(|value| (id.to_owned(), value)));
                apart(&text).filter_map(|row| one(row).transpose()).collect()
            }));
        }
        let mut found = BTreeMap::new();
        for part in parts {
            found.extend(part.all().await?);
        }
        Ok(found)
    }

    /// The resources of ids and bodies that were sent as one text.
    pub(crate) fn coming<T: Table>(&self, text: String) -> Coming<T::Message> {
        let workspace = self.workspace().id().to_owned();
        Coming::of(text.len() < FEW, move || {
            apart(&text).map(|(id, body)| resource::decode::<T>(&workspace, id, body)).collect()
        })
    }

    /// The resources of these ids and bodies.
    pub(crate) fn coming_from<T: Table>(&self, bodies: Vec<(String, String)>) -> Coming<T::Message> {
        let few = bodies.iter().map(|(_, body)| body.len()).sum::<usize>() < FEW;
        let workspace = self.workspace().id().to_owned();
        Coming::of(few, move || bodies.iter().map(|(id, body)| resource::decode::<T>(&workspace, id, body)).collect())
    }

    /// Columns of all rows as one text; empty where there are none.
    pub(crate) async fn one(&self, rows: SelectStatement, columns: &[&'static str]) -> Result<String, Error> {
        let row = self.rows(&as_one(self.backend(), rows, columns)).await?.pop();
        let text = row.as_ref().map(|row: &QueryResult| row.try_get_by_index::<Option<String>>(0)).transpose()?;
        Ok(text.flatten().unwrap_or_default())
    }
}
