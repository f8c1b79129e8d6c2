//! The connection to NATS: made in the background, told of when it goes and comes, shown as a metric.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_nats::connection::State;
use async_nats::{Auth, ServerAddr};
use opentelemetry::KeyValue;
use opentelemetry::metrics::AsyncInstrument;
use percent_encoding::percent_decode_str;
use waymark_runtime::{EventArgs, Host};
use waymark_tls::ClientFiles;

use crate::address::without_passwords;

/// Connects to NATS in the background: a broker that is away delays events, never the start. `url` may be several
/// addresses of one cluster, separated by commas.
///
/// # Errors
/// When the addresses or the files cannot be used.
pub async fn connect(url: &str, args: &EventArgs, name: &str) -> anyhow::Result<async_nats::Client> {
    // The library asks the process for its cryptography.
    waymark_tls::install();
    let addresses = addresses(url)?;
    let credentials = Credentials::of(args, &addresses)?;
    let mut options = match credentials.clone() {
        Credentials::None => async_nats::ConnectOptions::new(),
        credentials => async_nats::ConnectOptions::with_auth_callback(move |nonce| {
            let credentials = credentials.clone();
            async move { credentials.answer(&nonce).await.map_err(async_nats::AuthError::new) }
        }),
    };
    if let Some(file) = credentials.file() {
        let unusable = || format!("the credentials file {} cannot be used", file.display());
        credentials.answer(&[]).await.map_err(anyhow::Error::msg).with_context(unusable)?;
    }
    let files = ClientFiles {
        ca: args.nats_ca.clone(),
        certificate: args.nats_certificate.clone(),
        key: args.nats_key.clone(),
    };
    files.check().context("--nats-ca, --nats-certificate or --nats-key cannot be used")?;
    if let Some(ca) = files.ca {
        options = options.add_root_certificates(ca).require_tls(true);
    }
    if let Some((certificate, key)) = files.certificate.zip(files.key) {
        options = options.add_client_certificate(certificate, key).require_tls(true);
    }
    let (told, shown) = (Arc::new(AtomicBool::new(false)), without_passwords(url));
    options
        .name(name)
        // By which a broker that tells its users apart lets each hear what it is answered, and nothing of the others.
        .custom_inbox_prefix(format!("_INBOX.{name}"))
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(|attempts| Duration::from_millis((50 * attempts as u64).min(2_000)))
        .event_callback(move |event| {
            let (told, shown) = (Arc::clone(&told), shown.clone());
            async move { report(&event, &told, &shown) }
        })
        .connect(addresses)
        .await
        .with_context(|| format!("{} cannot be connected to", without_passwords(url)))
}

/// The addresses of a cluster's servers. What is wrong with one is told by its place: it may hold a password.
fn addresses(url: &str) -> anyhow::Result<Vec<ServerAddr>> {
    let wrong = |at: usize| {
        format!(
            "address {} of --nats-url is not one of a NATS server; a comma in a password must be percent-encoded",
            at + 1
        )
    };
    let parse = |(at, address): (usize, &str)| {
        // The library takes nothing at all for the machine at hand.
        let named = Some(address.trim()).filter(|address| !address.is_empty());
        named.and_then(|named| named.parse().ok()).ok_or_else(|| anyhow::anyhow!(wrong(at)))
    };
    url.split(',').enumerate().map(parse).collect()
}

/// What a server is told of who connects. Files are read for each connection, as what they hold is renewed.
#[derive(Clone)]
enum Credentials {
    None,
    Signed(PathBuf),
    Token(String),
    Password(String, String),
    PasswordFile(String, PathBuf),
}

impl Credentials {
    /// Those of a file, else of the address that names any. The library reads none from addresses, and servers of a cluster
    /// that it hears of later have none.
    fn of(args: &EventArgs, addresses: &[ServerAddr]) -> anyhow::Result<Self> {
        if let Some(file) = &args.nats_credentials {
            return Ok(Self::Signed(file.clone()));
        }
        let plain = |text: &str| percent_decode_str(text).decode_utf8().map(Cow::into_owned);
        let mut named = None;
        for address in addresses {
            let Some(user) = address.username() else { continue };
            let of = (plain(user)?, address.password().map(plain).transpose()?);
            if named.as_ref().is_some_and(|named| *named != of) {
                bail!(
                    "the addresses of --nats-url name several users or passwords; all servers of a cluster know the same"
                );
            }
            named = Some(of);
        }
        match (named, args.nats_password_file.clone()) {
            (None, None) => Ok(Self::None),
            (Some((token, None)), None) => Ok(Self::Token(token)),
            (Some((user, Some(password))), None) => Ok(Self::Password(user, password)),
            (Some((user, None)), Some(file)) => Ok(Self::PasswordFile(user, file)),
            (None, Some(_)) => {
                bail!("--nats-password-file needs a user: name it in --nats-url, as nats://roadmap@nats.example.com")
            }
            (Some((_, Some(_))), Some(_)) => {
                bail!("--nats-url has a password and --nats-password-file another; leave one out")
            }
        }
    }

    fn file(&self) -> Option<&Path> {
        match self {
            Self::Signed(file) | Self::PasswordFile(_, file) => Some(file),
            Self::None | Self::Token(_) | Self::Password(..) => None,
        }
    }

    /// The answer to a server's challenge.
    async fn answer(&self, nonce: &[u8]) -> Result<Auth, String> {
        let mut auth = Auth::new();
        match self {
            Self::None => {}
            Self::Signed(file) => auth = signed(file, nonce).await?,
            Self::Token(token) => auth.token = Some(token.clone()),
            Self::Password(user, password) => {
                auth.username = Some(user.clone());
                auth.password = Some(password.clone());
            }
            Self::PasswordFile(user, file) => {
                let password = tokio::fs::read_to_string(file).await.map_err(|error| error.to_string())?;
                auth.username = Some(user.clone());
                auth.password = Some(password.trim_end_matches(['\r', '\n']).to_owned());
            }
        }
        Ok(auth)
    }
}

/// What a credentials file answers a server's challenge with.
async fn signed(file: &Path, nonce: &[u8]) -> Result<Auth, String> {
    let text = tokio::fs::read_to_string(file).await.map_err(|error| error.to_string())?;
    let held = |what: &str| {
        // The line below the one that says what it is.
        let line = text.lines().skip_while(|line| !line.contains(&format!("BEGIN {what}"))).nth(1);
        line.map(str::trim).filter(|line| !line.is_empty()).ok_or_else(|| format!("it holds no {what}"))
    };
    let (jwt, seed) = (held("NATS USER JWT")?, held("USER NKEY SEED")?);
    let key = nkeys::KeyPair::from_seed(seed).map_err(|error| format!("its seed cannot be used: {error}"))?;
    let mut auth = Auth::new();
    auth.signature = Some(key.sign(nonce).map_err(|error| error.to_string())?);
    auth.jwt = Some(jwt.to_owned());
    Ok(auth)
}

/// Logs what happens to the connection: an outage once, with its cause, however many attempts fail in it; `told` says
/// that it was.
fn report(event: &async_nats::Event, told: &AtomicBool, nats: &str) {
    match event {
        async_nats::Event::Connected => {
            told.store(false, Ordering::Relaxed);
            tracing::info!(nats, "connected to NATS");
        }
        // Without a cause as yet; the first attempt that fails has one.
        async_nats::Event::Disconnected => tracing::info!(nats, "the connection to NATS was lost; trying again"),
        async_nats::Event::ClientError(cause) if told.swap(true, Ordering::Relaxed) => {
            tracing::debug!(nats, %cause, "NATS still cannot be reached");
        }
        async_nats::Event::ClientError(cause) => {
            tracing::warn!(nats, %cause, "NATS cannot be reached; events wait, trying again");
        }
        event => tracing::warn!(nats, %event, "NATS"),
    }
}

/// Shows whether the broker is connected.
pub(crate) fn observe(host: &Host, service: &'static str, client: async_nats::Client) {
    let observe = move |gauge: &dyn AsyncInstrument<u64>| {
        let connected = client.connection_state() == State::Connected;
        gauge.observe(connected.into(), &[KeyValue::new("service", service)]);
    };
    let meter = host.telemetry.meter();
    meter
        .u64_observable_gauge("waymark.nats.connected")
        .with_description("1 while the broker is connected")
        .with_callback(observe)
        .build();
}

#[cfg(test)]
mod tests;
