//! Options of TLS on the API.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use waymark_tls::{ClientCertificates, ServerFiles};

/// What the API shows to its clients, and asks of them.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsArgs {
    /// Certificate that the API shows, in PEM, followed by those between it and its authority. It, its key and
    /// --client-ca are taken over within seconds when their content changes and can be used; until then the last ones
    /// that could are
    #[arg(long, env = "WAYMARK_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// Key of that certificate, in PEM, not encrypted
    #[arg(long, env = "WAYMARK_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// Authorities, in PEM, that certificates of clients must come from
    #[arg(long, env = "WAYMARK_CLIENT_CA", value_name = "FILE", requires = "tls_certificate")]
    pub client_ca: Option<PathBuf>,
    /// Whether clients must show a certificate. When not given: required with --client-ca, else none
    #[arg(long, env = "WAYMARK_CLIENT_CERTIFICATES", value_enum, value_name = "WHETHER", requires = "client_ca")]
    pub client_certificates: Option<Asked>,
    /// Serve the API without TLS on an address other hosts can reach: for meshes, which encrypt by themselves
    #[arg(long, env = "WAYMARK_PLAINTEXT", value_parser = BoolishValueParser::new())]
    pub plaintext: bool,
}

/// Whether clients must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Asked {
    /// They are not asked for one.
    None,
    /// One that is shown must be good.
    Optional,
    /// Nobody is served without.
    Required,
}

impl TlsArgs {
    /// The files to serve TLS from; none without.
    pub fn files(&self) -> Option<ServerFiles> {
        let (certificate, key) = self.tls_certificate.clone().zip(self.tls_key.clone())?;
        let clients = match (self.client_ca.clone(), self.client_certificates) {
            (None, _) | (_, Some(Asked::None)) => ClientCertificates::None,
            (Some(file), Some(Asked::Optional)) => ClientCertificates::Optional(file),
            (Some(file), Some(Asked::Required) | None) => ClientCertificates::Required(file),
        };
        Some(ServerFiles { certificate, key, clients })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        tls: TlsArgs,
    }

    fn clients(flags: &[&str]) -> Result<Option<ClientCertificates>, clap::error::ErrorKind> {
        let all = ["test"].iter().chain(flags);
        let line = Line::try_parse_from(all).map_err(|error| error.kind())?;
        Ok(line.tls.files().map(|files| files.clients))
    }

    #[test]
    fn an_authority_of_clients_asks_for_their_certificates() {
        const PAIR: [&str; 4] = ["--tls-certificate", "c", "--tls-key", "k"];
        let with = |more: &[&str]| clients(&[&PAIR, more].concat());
        assert_eq!(clients(&[]), Ok(None));
        assert_eq!(with(&[]), Ok(Some(ClientCertificates::None)));
        let asked = |how| with(&["--client-ca", "a", "--client-certificates", how]);
        assert_eq!(with(&["--client-ca", "a"]), Ok(Some(ClientCertificates::Required("a".into()))));
        assert_eq!(asked("required"), Ok(Some(ClientCertificates::Required("a".into()))));
        assert_eq!(asked("optional"), Ok(Some(ClientCertificates::Optional("a".into()))));
        assert_eq!(asked("none"), Ok(Some(ClientCertificates::None)));
    }

    #[test]
    fn half_of_it_is_refused() {
        for half in [
            &["--tls-certificate", "c"][..],
            &["--tls-key", "k"],
            &["--client-ca", "a"],
            &["--tls-certificate", "c", "--tls-key", "k", "--client-certificates", "required"],
        ] {
            assert!(clients(half).is_err(), "{half:?}");
        }
    }
}
