//! A private PgBouncer before a PostgreSQL server, in its transaction mode: few connections for many, each handed on after
//! each transaction.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::address::free_address;
use crate::addresses::{Addresses, CALLS, KEEPER, OWNER};
use crate::postgres::Postgres;
use crate::process::Process;

const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/bin/pgbouncer");

/// A PgBouncer that ends with the test process.
#[derive(Debug)]
pub struct PgBouncer {
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl PgBouncer {
    /// Starts one before `server`, with `connections` to each database and role; none where there is no PgBouncer on this
    /// machine, which `make tools` says then.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(server: &Postgres, connections: u32) -> Result<Option<Self>> {
        let Some(binary) = binary() else { return Ok(None) };
        let (port, folder) = (free_address().port(), tempfile::tempdir()?);
        let socket = server.url().split("host=").nth(1).context("the server is reached by a socket")?;
        let mut users = String::new();
        for role in [OWNER, CALLS, KEEPER] {
            writeln!(users, "\"{role}\" \"\"")?;
        }
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("users"), users)?;
        let configuration = format!(
            "[databases]\n* = host={socket}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = {connections}\n\
             max_client_conn = 500\n",
            path("users")
        );
        std::fs::write(path("pgbouncer.ini"), configuration)?;
        let mut arguments = vec!["-q".to_owned(), path("pgbouncer.ini")];
        if nix::unistd::geteuid().is_root() {
            // It refuses to run as root.
            open(folder.path())?;
            arguments.splice(0..0, ["-u".to_owned(), "nobody".to_owned()]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let process = Process::start(&binary, &arguments)?;
        let answers = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok();
        crate::wait_for("PgBouncer to answer", Duration::from_secs(20), answers).await;
        Ok(Some(Self { port, _process: process, _folder: folder }))
    }

    /// The addresses of a database of the server, by way of it, but for the owner's.
    pub fn before(&self, database: &Addresses) -> Addresses {
        database.at(&format!("127.0.0.1:{}", self.port))
    }
}

fn binary() -> Option<PathBuf> {
    let own = PathBuf::from(TOOLS);
    if own.exists() {
        return Some(own);
    }
    let found = std::process::Command::new("sh").args(["-c", "command -v pgbouncer"]).output().ok()?;
    let found = String::from_utf8(found.stdout).ok()?.trim().to_owned();
    (!found.is_empty()).then(|| PathBuf::from(found))
}

/// Lets others read what is in a folder.
fn open(folder: &std::path::Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    for file in std::fs::read_dir(folder)? {
        std::fs::set_permissions(file?.path(), std::fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}
