//! Saving: what a change becomes in its table and in the log, and how it is sent.

use prost::Message;
use sea_orm::{DbBackend, DbErr, SqlErr};
use serde_json::{Map, Value};
use uuid::Uuid;
use waymark_domain::{Change, Resource};
use waymark_proto::ResourceMessage;

use crate::sql::Sql;
use crate::write::bump;
use crate::{Error, Table, Write};

/// Statements are sent together up to this many; databases limit the values of one statement.
const BATCH: usize = 64;

/// A statement that waits to be sent, and the row it is about.
pub(crate) struct Pending {
    table: &'static str,
    collection: &'static str,
    id: String,
    sql: Sql,
}

impl Write {
    /// Saves a change: the state under its next version, and a log row per event. The only way to save anything.
    /// Returns the resource as it now is.
    pub async fn put<T: Table>(&mut self, change: Change<T::Resource>) -> Result<T::Message, Error> {
        let (mut resource, events) = change.into_parts();
        let meta = resource.meta_mut();
        let (id, previous) = (meta.name.id().as_str().to_owned(), meta.version);
        meta.version = previous + 1;
        meta.update_time = self.now;
        if *meta.name.workspace() != self.workspace {
            return Err(Error::NotFound(meta.name.to_string()));
        }
        let message = T::Message::from(&resource);
        let body = to_json(&message)?;
        // Two statements on the same row must not be sent together.
        if self.pending.len() >= BATCH || self.pending.iter().any(|p| p.table == T::TABLE && p.id == id) {
            self.flush().await?;
        }
        if previous > 0 {
            // Who updates without having read does not know what it overwrites.
            self.transaction()?;
        }
        let sql = if previous == 0 {
            self.insert::<T>(&resource, &body)
        } else {
            self.update::<T>(&resource, previous, &body)
        };
        self.pending.push(Pending { table: T::TABLE, collection: T::Resource::COLLECTION, id: id.clone(), sql });
        let changed =
            self.loaded.get(&(T::TABLE, id.clone())).map(|before| changed_fields(before, &body)).unwrap_or_default();
        for event in events {
            self.log::<T>(&id, event.into(), &body, &changed)?;
        }
        self.loaded.insert((T::TABLE, id), body);
        Ok(message)
    }

    fn insert<T: Table>(&self, resource: &T::Resource, body: &str) -> Sql {
        let meta = resource.meta();
        let mut sql = Sql::new("INSERT INTO ");
        sql.push(T::TABLE)
            .push(" (workspace, id, uid, version, display_name, create_time, update_time, delete_time, body");
        for column in T::COLUMNS {
            sql.push(", ").push(column.name);
        }
        let (open, close) = self.around_values();
        sql.push(open).bind(self.workspace.id()).push(", ").bind(meta.name.id().as_str());
        sql.push(", ").bind(meta.uid.to_string()).push(", ").bind(meta.version.cast_signed());
        sql.push(", ").bind(meta.display_name.clone()).push(", ").bind(meta.create_time.timestamp_micros());
        sql.push(", ")
            .bind(meta.update_time.timestamp_micros())
            .push(", ")
            .bind(meta.delete_time.map(|t| t.timestamp_micros()));
        sql.push(", ").bind_json(self.backend, body.to_owned());
        for column in T::COLUMNS {
            sql.push(", ").bind(column.value_of(resource));
        }
        sql.push(close);
        sql
    }

    fn update<T: Table>(&self, resource: &T::Resource, previous: u64, body: &str) -> Sql {
        let meta = resource.meta();
        let mut sql = Sql::new("UPDATE ");
        sql.push(T::TABLE).push(" SET version = ").bind(meta.version.cast_signed());
        sql.push(", display_name = ").bind(meta.display_name.clone());
        sql.push(", update_time = ").bind(meta.update_time.timestamp_micros());
        sql.push(", delete_time = ").bind(meta.delete_time.map(|t| t.timestamp_micros()));
        sql.push(", body = ").bind_json(self.backend, body.to_owned());
        for column in T::COLUMNS {
            sql.push(", ").push(column.name).push(" = ").bind(column.value_of(resource));
        }
        sql.push(" WHERE workspace = ").bind(self.workspace.id()).push(" AND id = ").bind(meta.name.id().as_str());
        sql.push(" AND version = ").bind(previous.cast_signed());
        sql
    }

    fn log<T: Table>(&mut self, id: &str, verb: &str, body: &str, changed: &[String]) -> Result<(), Error> {
        let package = T::Message::FULL_NAME.rsplit_once('.').map_or("", |(package, _)| package);
        let event_type = format!("{package}.{}{verb}", T::Resource::KIND);
        if !waymark_proto::event::is_event(&event_type) {
            return Err(Error::UnknownEvent(event_type));
        }
        let mut change = Map::new();
        change.insert("actor".into(), self.call.actor.subject.clone().into());
        let causation = self.call.causation.as_ref().map(|c| c.event_id.to_string());
        if let Some(id) = &causation {
            change.insert("causationId".into(), id.clone().into());
        }
        if !changed.is_empty() {
            change.insert("changedFields".into(), changed.to_vec().into());
        }
        let data = format!(r#"{{"{}":{body},"change":{}}}"#, json_name(T::Message::SINGULAR), Value::Object(change));
        let mut sql = Sql::new(
            "INSERT INTO log (workspace, revision, ordinal, event_id, type, collection, resource_id, time, actor, request_id, causation_id, traceparent, data",
        );
        let (open, close) = self.around_values();
        sql.push(open).bind(self.workspace.id()).push(", ");
        self.bind_revision(&mut sql);
        sql.push(", ").bind(self.ordinal);
        sql.push(", ").bind(self.store.new_id().to_string()).push(", ").bind(event_type);
        sql.push(", ").bind(T::Resource::COLLECTION).push(", ").bind(id).push(", ").bind(self.now.timestamp_micros());
        sql.push(", ")
            .bind(self.call.actor.subject.clone())
            .push(", ")
            .bind(self.call.request_id.map(|id| id.to_string()));
        sql.push(", ").bind(causation).push(", ").bind(self.call.traceparent.clone());
        sql.push(", ").bind_json(self.backend, data).push(close);
        self.pending.push(Pending { table: "log", collection: "events", id: self.ordinal.to_string(), sql });
        self.ordinal += 1;
        Ok(())
    }

    pub(crate) fn remember(&mut self, request_id: Uuid, answer: &impl Message) {
        let (open, close) = self.around_values();
        let mut sql = Sql::new("INSERT INTO requests (workspace, request_id, revision, time, answer");
        sql.push(open).bind(self.workspace.id()).push(", ").bind(request_id.to_string()).push(", ");
        self.bind_revision(&mut sql);
        sql.push(", ").bind(self.now.timestamp_micros()).push(", ");
        // The digest, the revision in eight bytes, the answer.
        let (mut bytes, answer) = (self.call.digest.to_vec(), answer.encode_to_vec());
        if self.is_blind() {
            sql.bind(bytes).push(" || int8send(bump.revision) || ").bind(answer).push(close);
        } else {
            bytes.extend(self.revision.to_be_bytes());
            bytes.extend(answer);
            sql.bind(bytes).push(close);
        }
        self.pending.push(Pending { table: "requests", collection: "requests", id: request_id.to_string(), sql });
    }

    /// Sends what was put. On PostgreSQL all of it is one statement, hence one round trip; on SQLite there is no trip
    /// to save.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.transaction()?;
        let pending = std::mem::take(&mut self.pending);
        let expected = pending.len() as i64;
        let keys: Vec<_> = pending.iter().map(|p| (p.table, p.collection, p.id.clone())).collect();
        let written = if self.backend == DbBackend::Postgres {
            self.send_together(pending).await
        } else {
            self.send_each(pending).await
        };
        match written {
            Ok(written) if written == expected => Ok(()),
            // A row that was loaded under the lock was changed by somebody who does not take it.
            Ok(_) => Err(DbErr::RecordNotUpdated.into()),
            Err(Error::Database(error)) => match error.sql_err() {
                Some(SqlErr::UniqueConstraintViolation(constraint)) => Err(self.taken_by(&constraint, &keys, error)),
                _ => Err(error.into()),
            },
            Err(error) => Err(error),
        }
    }

    async fn send_together(&mut self, pending: Vec<Pending>) -> Result<i64, Error> {
        let mut sql = Sql::default();
        let mut counts = String::new();
        for (i, Pending { sql: statement, .. }) in pending.into_iter().enumerate() {
            sql.push(if i == 0 { "WITH " } else { ", " })
                .push(&format!("p{i} AS ("))
                .append(statement)
                .push(" RETURNING 1)");
            counts.extend([if i == 0 { "" } else { " + " }.to_owned(), format!("(SELECT count(*) FROM p{i})")]);
        }
        sql.push(" SELECT ").push(&counts);
        Ok(match self.transaction()?.one(sql).await? {
            Some(row) => row.try_get_by_index(0)?,
            None => 0,
        })
    }

    async fn send_each(&mut self, pending: Vec<Pending>) -> Result<i64, Error> {
        let mut written = 0;
        for Pending { sql, .. } in pending {
            written += self.transaction()?.execute(sql).await?.cast_signed();
        }
        Ok(written)
    }

    /// What a blind write put, and the bump, as one statement. It answers the revision, or nothing when the workspace's
    /// time is ahead of this write's: then it has changed nothing.
    pub(crate) fn into_statement(self) -> Sql {
        let mut sql = Sql::new("WITH bump AS (");
        sql.append(bump(self.backend, &self.workspace, self.now));
        sql.push(" WHERE workspaces.last_time <= excluded.last_time RETURNING revision)");
        for (i, Pending { sql: statement, .. }) in self.pending.into_iter().enumerate() {
            sql.push(&format!(", p{i} AS (")).append(statement).push(")");
        }
        sql.push(" SELECT revision FROM bump");
        sql
    }

    /// What stands around the values of a row that is inserted.
    fn around_values(&self) -> (&'static str, &'static str) {
        if self.is_blind() { (") SELECT ", " FROM bump") } else { (") VALUES (", ")") }
    }

    fn bind_revision(&self, sql: &mut Sql) {
        if self.is_blind() {
            sql.push("bump.revision")
        } else {
            sql.bind(self.revision)
        };
    }

    /// Which name or request id was taken, from the constraint that the database names.
    fn taken_by(&self, constraint: &str, keys: &[(&'static str, &'static str, String)], error: DbErr) -> Error {
        // PostgreSQL names `<table>_pkey`, SQLite `<table>.<column>`.
        let of = |table: &str| {
            constraint.contains(&format!("\"{table}_pkey\"")) || constraint.contains(&format!(" {table}."))
        };
        for (table, collection, id) in keys {
            if of(table) {
                return match (*table, Uuid::parse_str(id)) {
                    ("requests", Ok(id)) => Error::RequestIdReused(id),
                    _ => Error::Exists(format!("{}/{collection}/{id}", self.workspace)),
                };
            }
        }
        error.into()
    }
}

pub(crate) fn to_json<M: ResourceMessage>(message: &M) -> Result<String, Error> {
    serde_json::to_string(message).map_err(|e| DbErr::Json(e.to_string()).into())
}

/// The name of a field in canonical JSON: lower camel case.
pub(crate) fn json_name(field: &str) -> String {
    let mut name = String::with_capacity(field.len());
    let mut upper = false;
    for c in field.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                name.extend(c.to_uppercase());
                upper = false;
            }
            c => name.push(c),
        }
    }
    name
}

/// Top-level fields that differ, in the contract's spelling; those that differ always are left out.
fn changed_fields(before: &str, after: &str) -> Vec<String> {
    // Both were written from messages, so they are objects.
    let object = |body| serde_json::from_str::<Map<String, Value>>(body).unwrap_or_default();
    let (before, after) = (object(before), object(after));
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
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
