//! Where a database is, for each of the roles that use it.

use anyhow::Result;
use waymark_runtime::DatabaseArgs;
use waymark_store::schema::Separation;
use waymark_store::{Login, Schema, Store, StoreOptions};

/// Who owns the tables of databases that separate workspaces.
pub const OWNER: &str = "waymark_owner";
/// Who answers calls there.
pub const CALLS: &str = "waymark_calls";
/// Who reaches all workspaces there.
pub const KEEPER: &str = "waymark_keeper";

/// Where a database is, for each of those who use it. On SQLite all are one.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// For who owns its tables.
    owner: String,
    /// For who answers calls, and for the keeper, where the database separates workspaces.
    roles: Option<[String; 2]>,
}

impl Addresses {
    /// Of a file, or of a database that has one role.
    pub(crate) fn of_one(url: String) -> Self {
        Self { owner: url, roles: None }
    }

    /// Of a database that separates workspaces.
    pub(crate) fn of_roles(owner: String, calls: String, keeper: String) -> Self {
        Self { owner, roles: Some([calls, keeper]) }
    }

    /// The same, where all but the owner come by way of a pooler that listens at an address.
    pub(crate) fn at(&self, address: &str) -> Self {
        let by_way = |url: &String| {
            let url = url.split('?').next().unwrap_or_default();
            let (role, database) =
                (url.split('@').next().unwrap_or_default(), url.rsplit('/').next().unwrap_or_default());
            format!("{role}@{address}/{database}?sslmode=disable")
        };
        Self { roles: self.roles.as_ref().map(|roles| roles.each_ref().map(by_way)), ..self.clone() }
    }

    /// For who owns its tables.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// How a store is connected that serves calls.
    pub fn options(&self) -> StoreOptions {
        match &self.roles {
            None => StoreOptions::new(&self.owner),
            Some([calls, keeper]) => {
                let keeper = Login { url: keeper.clone(), password: None };
                StoreOptions { keeper: Some(keeper), ..StoreOptions::new(calls) }
            }
        }
    }

    /// What a service is told of it beside `args`, by who does not migrate it.
    pub fn args(&self, args: &DatabaseArgs) -> DatabaseArgs {
        let (url, keeper) = match &self.roles {
            None => (&self.owner, None),
            Some([calls, keeper]) => (calls, Some(keeper.clone())),
        };
        DatabaseArgs { database_url: Some(url.clone()), keeper_database_url: keeper, ..args.clone() }
    }

    /// The same by who migrates it.
    pub fn owner_args(&self, args: &DatabaseArgs) -> DatabaseArgs {
        let owner_database_url = self.roles.as_ref().map(|_| self.owner.clone());
        DatabaseArgs { owner_database_url, ..self.args(args) }
    }

    /// Migrates it, and has it separate workspaces, as a service does at its start.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn migrate(&self, schema: &Schema) -> Result<()> {
        let store = self.store().await?;
        store.migrate(schema).await?;
        self.separate_by(&store).await?;
        Ok(store.close().await?)
    }

    /// Has the database separate the workspaces of all tables it has by now.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn separate(&self) -> Result<()> {
        let store = self.store().await?;
        self.separate_by(&store).await?;
        Ok(store.close().await?)
    }

    async fn store(&self) -> Result<Store> {
        let (host, _) = crate::host(1);
        Ok(Store::connect(&StoreOptions::new(&self.owner), &host.clock, &host.ids).await?)
    }

    async fn separate_by(&self, store: &Store) -> Result<()> {
        if self.roles.is_some() {
            store.separate(&Separation { calls: CALLS.to_owned(), keeper: KEEPER.to_owned() }).await?;
        }
        Ok(())
    }
}
