//! How PostgreSQL is reached: what it must prove, and what is shown to it. What SQL is spoken is not known here.

use std::path::PathBuf;

use sea_orm::{DatabaseConnection, DbErr, RuntimeErr};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use waymark_tls::is_local;

use crate::Error;

/// Another role on the same database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// `postgres://user:password@host:port/database`.
    pub url: String,
    /// The password, instead of one in the address.
    pub password: Option<String>,
}

/// Files that connections to PostgreSQL are made by. They are read for each connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostgresFiles {
    /// The authorities, in PEM, that its certificate may come from, beside those of browsers.
    pub ca: Option<PathBuf>,
    /// The certificate that is shown to it, in PEM.
    pub certificate: Option<PathBuf>,
    /// The key of that, in PEM.
    pub key: Option<PathBuf>,
}

/// The options of an address with what is not said there: a server elsewhere must prove to be the one that is named,
/// unless the address asks for plaintext (`sslmode=disable`), or for a proof of the authority only (`verify-ca`).
pub(crate) fn secured(options: PgConnectOptions, files: &PostgresFiles) -> PgConnectOptions {
    let local = options.get_socket().is_some() || is_local(options.get_host());
    let mut options = match options.get_ssl_mode() {
        PgSslMode::Disable | PgSslMode::VerifyCa | PgSslMode::VerifyFull => options,
        // None of these proves anything; who names an authority wants proof from a local server, too.
        PgSslMode::Allow | PgSslMode::Prefer | PgSslMode::Require if local && files.ca.is_none() => options,
        PgSslMode::Allow | PgSslMode::Prefer | PgSslMode::Require => options.ssl_mode(PgSslMode::VerifyFull),
    };
    if let Some(ca) = &files.ca {
        options = options.ssl_root_cert(ca);
    }
    if let Some((certificate, key)) = files.certificate.as_ref().zip(files.key.as_ref()) {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    options
}

/// Makes the connections that a pool opens from now on with another password.
pub(crate) fn give_password(pool: &DatabaseConnection, password: &str) {
    let pool = pool.get_postgres_connection_pool();
    pool.set_connect_options(PgConnectOptions::clone(&pool.connect_options()).password(password));
}

impl Login {
    /// The name of the role.
    pub fn role(&self) -> Result<String, Error> {
        let options: PgConnectOptions = self.url.parse().map_err(|error| {
            // Its own words may show the password.
            drop::<sqlx::Error>(error);
            DbErr::Custom("an address of PostgreSQL cannot be read".to_owned())
        })?;
        Ok(options.get_username().to_owned())
    }
}

impl Error {
    /// Whether the database was there, and no TLS came about.
    pub fn is_of_tls(&self) -> bool {
        let Self::Database(DbErr::Conn(RuntimeErr::SqlxError(error))) = self else { return false };
        // What is wrong with a certificate comes as data that cannot be read.
        match &**error {
            sqlx::Error::Tls(_) => true,
            sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_elsewhere_prove_who_they_are_unless_plaintext_is_asked_for() {
        let authority = PostgresFiles { ca: Some("ca.crt".into()), ..PostgresFiles::default() };
        let mode = |url: &str, files: &PostgresFiles| {
            let options = secured(url.parse().unwrap(), files);
            format!("{:?}", options.get_ssl_mode())
        };
        let said = |url: &str| mode(url, &PostgresFiles::default());
        for local in [
            "postgres://u@localhost/d",
            "postgres://u@127.0.0.1/d",
            "postgres://u@[::1]/d",
            "postgres://u@db.example.com/d?host=/run/postgresql",
        ] {
            assert_eq!(
                (said(local), mode(local, &authority)),
                ("Prefer".to_owned(), "VerifyFull".to_owned()),
                "{local}"
            );
        }
        for host in ["db.example.com", "10.0.0.1", "localhost.example.com", "[2001:db8::1]"] {
            let url = format!("postgres://u@{host}/d");
            assert_eq!(said(&url), "VerifyFull", "{url}");
            for weak in ["prefer", "allow", "require", "verify-full"] {
                assert_eq!(said(&format!("{url}?sslmode={weak}")), "VerifyFull", "{url} {weak}");
            }
            assert_eq!(said(&format!("{url}?sslmode=disable")), "Disable");
            assert_eq!(said(&format!("{url}?sslmode=verify-ca")), "VerifyCa");
        }
    }
}
