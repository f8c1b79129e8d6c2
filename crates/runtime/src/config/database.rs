//! Options of where a service keeps its data, and for how long.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use waymark_domain::WorkspaceId;

use super::positive_duration;

/// Where a service keeps its data.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Data")]
pub struct DatabaseArgs {
    /// Database of the service: postgres://user:password@host/name, or sqlite://path?mode=rwc. The default is an SQLite
    /// file named after the service in the data folder. A server on another host must prove by its certificate that it
    /// is the one named (sslmode=verify-full), unless the address says sslmode=disable, for plaintext, or verify-ca. Give
    /// a password by the variable or by --database-password-file: flags show in process lists
    #[arg(long, env = "WAYMARK_DATABASE_URL", value_name = "URL", hide_env_values = true, value_parser = NonEmptyStringValueParser::new())]
    pub database_url: Option<String>,
    /// File with the password for PostgreSQL, which takes the place of one in the address. Connections opened a few
    /// seconds after it changed use the new one
    #[arg(long, env = "WAYMARK_DATABASE_PASSWORD_FILE", value_name = "FILE", requires = "database_url")]
    pub database_password_file: Option<PathBuf>,
    /// PostgreSQL for the keeper, who relays, reacts to events and keeps house: a role that reaches the rows of all
    /// workspaces, on the same database. With it calls are answered by the role of --database-url within row-level
    /// security, which lets nothing through but the workspace that each statement names; deploy/postgres.sql makes both roles
    #[arg(long, env = "WAYMARK_KEEPER_DATABASE_URL", value_name = "URL", hide_env_values = true, requires = "database_url", value_parser = NonEmptyStringValueParser::new())]
    pub keeper_database_url: Option<String>,
    /// File with the keeper's password, as --database-password-file
    #[arg(long, env = "WAYMARK_KEEPER_DATABASE_PASSWORD_FILE", value_name = "FILE", requires = "keeper_database_url")]
    pub keeper_database_password_file: Option<PathBuf>,
    /// PostgreSQL for the owner of the tables, on the same database: brings them to this version's schema at the start,
    /// sets up row-level security, and is not used after. Without it, and with a keeper, a service waits until another
    /// has done so
    #[arg(long, env = "WAYMARK_OWNER_DATABASE_URL", value_name = "URL", hide_env_values = true, requires = "keeper_database_url", value_parser = NonEmptyStringValueParser::new())]
    pub owner_database_url: Option<String>,
    /// File with the owner's password, read at the start
    #[arg(long, env = "WAYMARK_OWNER_DATABASE_PASSWORD_FILE", value_name = "FILE", requires = "owner_database_url")]
    pub owner_database_password_file: Option<PathBuf>,
    /// Authorities, in PEM, that PostgreSQL's certificate may come from beside the public ones. This file and the two
    /// below are read for each connection
    #[arg(long, env = "WAYMARK_DATABASE_CA", value_name = "FILE", requires = "database_url")]
    pub database_ca: Option<PathBuf>,
    /// Certificate to show to PostgreSQL, in PEM
    #[arg(long, env = "WAYMARK_DATABASE_CERTIFICATE", value_name = "FILE", requires = "database_key")]
    pub database_certificate: Option<PathBuf>,
    /// Key of that certificate, in PEM, not encrypted
    #[arg(long, env = "WAYMARK_DATABASE_KEY", value_name = "FILE", requires = "database_certificate")]
    pub database_key: Option<PathBuf>,
    /// A pooler that hands a connection on after each transaction stands before PostgreSQL, such as PgBouncer in its transaction
    /// mode: each statement is in a transaction then, none stays prepared, and no settings are sent (give them to the roles)
    #[arg(long, env = "WAYMARK_DATABASE_TRANSACTION_POOLING", requires = "database_url")]
    pub database_transaction_pooling: bool,
    /// Connections to PostgreSQL at most, half for writes, half for reads, and for the keeper half as many besides; or
    /// readers of an SQLite file
    #[arg(long, env = "WAYMARK_DATABASE_CONNECTIONS", value_name = "CONNECTIONS", default_value_t = 16, value_parser = clap::value_parser!(u32).range(2..))]
    pub database_connections: u32,
    /// Folder for SQLite files and product events; made when it is absent
    #[arg(long, env = "WAYMARK_DATA_DIR", value_name = "FOLDER", default_value = "./.waymark")]
    pub data_dir: PathBuf,
    /// How long history is kept, such as 365d: of what is older, the state of then stays, and who asks for more is told
    /// that it is gone. What has yet to be published or read by another service is kept in any case. Workspaces may
    /// differ: 365d,acme=forever
    #[arg(long, env = "WAYMARK_KEEP_LOG", value_name = "DURATION[,WORKSPACE=DURATION]", default_value = "forever")]
    pub keep_log: KeepLog,
    /// How long entries of the audit are kept, such as 90d, or forever: which calls were refused, which that manage or
    /// administer were allowed, and what was read again
    #[arg(long, env = "WAYMARK_KEEP_AUDIT", value_name = "DURATION", default_value = "365d")]
    pub keep_audit: KeepAudit,
}

impl DatabaseArgs {
    /// The address of the database of `service`.
    pub fn url(&self, service: &str) -> String {
        self.database_url
            .clone()
            .filter(|url| !url.is_empty())
            .unwrap_or_else(|| format!("sqlite://{}?mode=rwc", self.data_dir.join(format!("{service}.db")).display()))
    }
}

impl Default for DatabaseArgs {
    fn default() -> Self {
        Self {
            database_url: None,
            database_password_file: None,
            keeper_database_url: None,
            keeper_database_password_file: None,
            owner_database_url: None,
            owner_database_password_file: None,
            database_ca: None,
            database_certificate: None,
            database_key: None,
            database_transaction_pooling: false,
            database_connections: 16,
            data_dir: PathBuf::from("./.waymark"),
            keep_log: KeepLog::default(),
            keep_audit: KeepAudit::default(),
        }
    }
}

/// How long entries of the audit are kept; `None` for ever. By default for a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAudit(pub Option<Duration>);

impl Default for KeepAudit {
    fn default() -> Self {
        Self(Some(Duration::from_hours(365 * 24)))
    }
}

impl FromStr for KeepAudit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        kept(text).map(Self)
    }
}

/// A time for which something is kept.
fn kept(text: &str) -> Result<Option<Duration>, String> {
    if text == "forever" { Ok(None) } else { positive_duration(text).map(Some) }
}

/// How long a service keeps the history of its workspaces. By default for ever.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeepLog {
    /// That of all workspaces but those that differ; `None` for ever.
    pub all: Option<Duration>,
    /// Workspaces that differ.
    pub of: BTreeMap<WorkspaceId, Option<Duration>>,
}

impl KeepLog {
    /// How long it is kept of one workspace; `None` for ever.
    pub fn of(&self, workspace: &WorkspaceId) -> Option<Duration> {
        *self.of.get(workspace).unwrap_or(&self.all)
    }
}

impl FromStr for KeepLog {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let all = parts.next().unwrap_or_default();
        let mut keep =
            Self { all: kept(all).map_err(|wrong| format!("{wrong}; or write forever"))?, ..Self::default() };
        for part in parts {
            let (id, kept) = part
                .split_once('=')
                .ok_or_else(|| format!("{part:?} says of no workspace how long; write it as acme=365d"))?;
            let workspace = WorkspaceId::from_id(id).map_err(|wrong| wrong.to_string())?;
            if keep.of.insert(workspace, self::kept(kept)?).is_some() {
                return Err(format!("the workspace {id} is named twice"));
            }
        }
        Ok(keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_is_kept_as_long_as_is_said_of_a_workspace() {
        let kept = |text: &str, id: &str| {
            text.parse::<KeepLog>().map(|keep| keep.of(&WorkspaceId::from_id(id).unwrap_or_else(|e| panic!("{e}"))))
        };
        let days = |days: u64| Ok(Some(Duration::from_hours(24 * days)));
        assert_eq!((kept("forever", "acme"), kept("90d", "acme")), (Ok(None), days(90)));
        assert_eq!((kept("90d,acme=365d", "acme"), kept("90d,acme=365d", "shop")), (days(365), days(90)));
        assert_eq!((kept("90d,acme=forever", "acme"), kept("forever,acme=1d", "shop")), (Ok(None), Ok(None)));
        for wrong in ["", "90", "0s", "90d,", "90d,30d", "90d,acme=", "90d,acme=0d", "90d,Acme=1d", "1d,a=1d,a=2d"] {
            assert!(wrong.parse::<KeepLog>().is_err(), "{wrong}");
        }
    }
}
