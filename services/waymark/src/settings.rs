//! What every command takes: workspace, addresses, who calls and how output looks.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use chrono_tz::Tz;
use clap::Args;
use clap::builder::BoolishValueParser;
use waymark_client::{Channel, ClientFiles, Options, TokenSource};

use crate::client_credentials;
use crate::generic::contract::Area;
use crate::generic::names::short;
use crate::generic::output::{Format, Output, Style};
use crate::place::Place;
use crate::signed_in;
use crate::zone;

/// Options of every command that talks to a server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection and output")]
pub struct Settings {
    /// Workspace to work in; names may then be given without it
    #[arg(long, short, global = true, env = "WAYMARK_WORKSPACE", value_name = "ID")]
    pub workspace: Option<String>,
    /// How answers are printed
    #[arg(long, short, global = true, env = "WAYMARK_OUTPUT", value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// Time zone of times that state no offset from UTC, and of those that are shown, such as Europe/Berlin; UTC when not
    /// given
    #[arg(long, global = true, env = "WAYMARK_TIME_ZONE", value_name = "ZONE", value_parser = zone::named)]
    pub time_zone: Option<Tz>,
    /// Principal to call as, believed by development servers only, such as users/ada@example.com
    #[arg(long, global = true, env = "WAYMARK_ACTOR", value_name = "PRINCIPAL")]
    pub actor: Option<String>,
    /// Role to call as, believed by development servers only: viewer, contributor, manager or admin
    #[arg(long, global = true, env = "WAYMARK_ROLE", value_name = "ROLE")]
    pub role: Option<String>,
    /// Audience to call as, such as customers: shows what it is shown
    #[arg(long, global = true, env = "WAYMARK_AUDIENCE", value_name = "AUDIENCE")]
    pub audience: Option<String>,
    /// File of the token that tells who calls; read again, as tokens that Kubernetes projects are replaced. The login of
    /// `waymark login` when not given
    #[arg(long, global = true, env = "WAYMARK_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// File of a program's credentials at an issuer, by which it gets its tokens: YAML with issuer, client_id, secret_file (the
    /// file of its secret), and, where the issuer asks for them, scopes, parameters (such as audience) and issuer_ca
    #[arg(long, global = true, env = "WAYMARK_CLIENT_CREDENTIALS", value_name = "FILE", conflicts_with = "token_file")]
    pub client_credentials: Option<PathBuf>,
    /// File of the login; ~/.config/waymark/login.json when not given
    #[arg(long, global = true, env = "WAYMARK_LOGIN_FILE", value_name = "FILE")]
    pub login_file: Option<PathBuf>,
    /// Send tokens to other hosts without TLS, too: for meshes, which encrypt by themselves
    #[arg(long, global = true, env = "WAYMARK_TOKEN_IN_PLAINTEXT", value_parser = BoolishValueParser::new())]
    pub token_in_plaintext: bool,
    /// Seconds a call may take, with its retries
    #[arg(long, global = true, env = "WAYMARK_TIMEOUT", value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
    /// Authorities, in PEM, that a server at an https:// address must have its certificate from; those this machine
    /// trusts when not given
    #[arg(long, global = true, env = "WAYMARK_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Certificate to show to servers that ask for one, in PEM
    #[arg(long, global = true, env = "WAYMARK_CERTIFICATE", value_name = "FILE", requires = "certificate_key")]
    pub certificate: Option<PathBuf>,
    /// Key of that certificate, in PEM, not encrypted
    #[arg(long, global = true, env = "WAYMARK_CERTIFICATE_KEY", value_name = "FILE", requires = "certificate")]
    pub certificate_key: Option<PathBuf>,
    /// Address of the discovery service, https://HOST:PORT over TLS
    #[arg(
        long,
        global = true,
        env = "WAYMARK_DISCOVERY_ADDRESS",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:7401"
    )]
    pub discovery_address: String,
    /// Address of the roadmap service, https://HOST:PORT over TLS
    #[arg(
        long,
        global = true,
        env = "WAYMARK_ROADMAP_ADDRESS",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:7402"
    )]
    pub roadmap_address: String,
    /// Address of the metrics service, https://HOST:PORT over TLS
    #[arg(
        long,
        global = true,
        env = "WAYMARK_METRICS_ADDRESS",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:7403"
    )]
    pub metrics_address: String,
}

impl Settings {
    /// The workspace's id; an error that says how to name one when none is.
    pub fn workspace(&self) -> Result<&str> {
        match self.workspace.as_deref().map(|w| w.trim_start_matches("workspaces/")) {
            Some(workspace) if !workspace.is_empty() => Ok(workspace),
            _ => bail!(crate::Usage("no workspace is named; give --workspace ID or set WAYMARK_WORKSPACE".to_owned())),
        }
    }

    /// The workspace's name, `workspaces/{workspace}`.
    pub fn parent(&self) -> Result<String> {
        Ok(format!("workspaces/{}", self.workspace()?))
    }

    /// The time zone of times.
    pub fn zone(&self) -> Tz {
        self.time_zone.unwrap_or(Tz::UTC)
    }

    /// What names and times are completed by.
    pub fn place(&self) -> Place<'_> {
        Place { workspace: self.workspace().unwrap_or_default(), zone: self.zone() }
    }

    /// The form of an answer that is printed as a whole; an error when rows are asked for.
    pub fn format(&self) -> Result<Format> {
        Ok(self.output.format()?)
    }

    /// How answers are shown.
    pub fn style(&self) -> Result<Style> {
        Ok(Style { format: self.format()?, zone: self.zone() })
    }

    /// The workspace as titles of what is drawn have it: with the audience, where not all is shown.
    pub fn title(&self) -> Result<String> {
        let workspace = self.workspace()?;
        Ok(match self.audience()? {
            Some(audience) => format!("{workspace} as shown to {}", short(&audience)),
            None => workspace.to_owned(),
        })
    }

    /// The name of the audience, which may be given by its id.
    pub fn audience(&self) -> Result<Option<String>> {
        let Some(given) = self.audience.as_deref().filter(|given| !given.is_empty()) else { return Ok(None) };
        let id = given.trim_start_matches("audiences/");
        Ok(Some(if id.contains('/') { id.to_owned() } else { format!("{}/audiences/{id}", self.parent()?) }))
    }

    /// A channel to a service; connects when it is first used.
    pub fn channel(&self, area: Area) -> Result<Channel> {
        let address = match area {
            Area::Discovery => &self.discovery_address,
            Area::Roadmap => &self.roadmap_address,
            Area::Metrics => &self.metrics_address,
        };
        let token = match (&self.token_file, &self.client_credentials) {
            (Some(file), _) => Some(TokenSource::file(file)),
            (None, Some(file)) => Some(TokenSource::credentials(client_credentials::read(file)?)),
            (None, None) => signed_in::at(self.login_file.as_deref(), address)?.map(TokenSource::login),
        };
        Ok(Channel::new(address, self.options(token)?)?)
    }

    /// The addresses of the services, in the order of the loop.
    pub fn addresses(&self) -> [&str; 3] {
        [&self.discovery_address, &self.roadmap_address, &self.metrics_address]
    }

    /// Refuses addresses to which no token would be sent, as everybody on the way could read it.
    pub fn check_readable(&self) -> Result<()> {
        for address in self.addresses() {
            Channel::new(address, self.options(Some(TokenSource::file("")))?)?;
        }
        Ok(())
    }

    fn options(&self, token: Option<TokenSource>) -> Result<Options> {
        let tls = ClientFiles {
            ca: self.ca.clone(),
            certificate: self.certificate.clone(),
            key: self.certificate_key.clone(),
        };
        Ok(Options {
            actor: self.actor.clone(),
            role: self.role.clone(),
            audience: self.audience()?,
            token,
            token_in_plaintext: self.token_in_plaintext,
            tls,
            deadline: Duration::from_secs(self.timeout),
            ..Options::default()
        })
    }
}
