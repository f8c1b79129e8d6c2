//! A service as it runs in a test: on a database of its own, at a time that stands still, served on a free port. What it
//! does in the background is started by tests that want it ([`Open::start`]).

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use waymark_runtime::{DatabaseArgs, Host, Running, ServerArgs};
use waymark_service::{Open, Service};
use waymark_store::Store;

use crate::database::{Engine, TestDatabase, database};

/// A service that serves, until it is dropped or stopped.
pub struct Served<Parts: 'static = (), Options: 'static = ()> {
    /// The service.
    pub service: Open<Parts, Options>,
    /// Its server.
    pub running: Running,
    host: Host,
    database: TestDatabase,
}

impl<Parts, Options> Served<Parts, Options> {
    /// Starts it on `engine`, as part of the process `host`.
    ///
    /// # Errors
    /// When there is no database to be had, or the service does not start.
    pub async fn start(
        engine: Engine,
        host: &Host,
        service: &'static Service<Parts, Options>,
        options: &Options,
    ) -> Result<Self> {
        Self::start_with(engine, host, service, options, &DatabaseArgs::default()).await
    }

    /// The same, with what `database` says, except where the database is.
    ///
    /// # Errors
    /// As for [`Served::start`].
    pub async fn start_with(
        engine: Engine,
        host: &Host,
        service: &'static Service<Parts, Options>,
        options: &Options,
        args: &DatabaseArgs,
    ) -> Result<Self> {
        let args = DatabaseArgs { database_connections: 4, ..args.clone() };
        let database = database(engine, service.name, async |addresses| {
            // Of another process, as the parts of this one may be opened once only.
            let (migrating, _) = crate::host(1);
            let args = addresses.owner_args(&args);
            Ok(Box::pin(service.open(&migrating, &args, options)).await?.store().close().await?)
        })
        .await?;
        let args = database.addresses().args(&args);
        let service = Box::pin(service.open(host, &args, options)).await?;
        let listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let running = service.serve(host, &ServerArgs { listen, ..ServerArgs::default() }).await?;
        Ok(Self { service, running, host: host.clone(), database })
    }

    /// Its database.
    pub fn store(&self) -> &Store {
        self.service.store()
    }

    /// Its database, without the service around it.
    pub fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.running.address()
    }

    /// Drains it and closes its database.
    ///
    /// # Errors
    /// When the database does not let go.
    pub async fn stop(self) -> Result<()> {
        let Self { service, running, host, .. } = self;
        host.stop(vec![running]).await;
        Ok(service.store().close().await?)
    }
}
