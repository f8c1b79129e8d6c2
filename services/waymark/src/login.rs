//! `waymark login` and `logout`: a person's own login, got once and kept in a file.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use waymark_client::{Browser, Device, Issuer, Login as Kept};

use crate::settings::Settings;
use crate::signed_in;

/// Sign in at the issuer whose tokens the servers take.
#[derive(Debug, Args)]
pub struct Login {
    /// URL of the issuer, as the servers' authentication file has it
    #[arg(long, env = "WAYMARK_ISSUER", value_name = "URL")]
    issuer: String,
    /// Id by which this program is known to the issuer: of a public client, which may redirect to http://127.0.0.1 or use
    /// the device flow
    #[arg(long, env = "WAYMARK_CLIENT_ID", value_name = "ID", default_value = "waymark")]
    client_id: String,
    /// Sign in on another device, by a code, where no browser of this machine can be used
    #[arg(long)]
    device: bool,
    /// What to ask the issuer for; offline_access is what has logins renewed
    #[arg(long = "scope", env = "WAYMARK_SCOPES", value_name = "SCOPE", value_delimiter = ',', default_values = ["openid", "offline_access"])]
    scopes: Vec<String>,
    /// Further parameters by which issuers are told whom the token is for, such as audience=waymark or
    /// resource=https://waymark.example.com
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Authorities, in PEM, that the issuer must have its certificate from; those this machine trusts when not given
    #[arg(long, env = "WAYMARK_ISSUER_CA", value_name = "FILE")]
    issuer_ca: Option<PathBuf>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("{text:?} is no parameter; write NAME=VALUE, such as audience=waymark"))
}

/// Signs in, and keeps the login for the servers that the settings name.
pub async fn login(options: &Login, settings: &Settings) -> Result<()> {
    let path = signed_in::file(settings.login_file.as_deref())?;
    // What could not be used afterwards is told before anybody signs in.
    settings.check_readable()?;
    let issuer = Issuer::discover(&options.issuer, options.issuer_ca.as_deref()).await?;
    let Login { client_id, scopes, parameters, .. } = options;
    let signed = if options.device {
        let device = Device::begin(&issuer, client_id, scopes, parameters).await?;
        eprintln!("Open {} on any device, and see that it shows the code {}.", device.url(), device.code());
        device.finish().await?
    } else {
        let browser = Browser::begin(&issuer, client_id, scopes, parameters).await?;
        eprintln!("Open this in a browser on this machine:\n\n  {}\n", browser.url());
        browser.finish().await?
    };
    let servers = settings.addresses().map(str::to_owned).to_vec();
    signed.keep(&path, &options.issuer, options.issuer_ca.as_deref(), servers)?;
    eprintln!("Signed in. `waymark whoami` tells what the servers make of it; `waymark logout` ends it.");
    Ok(())
}

/// Forgets the login.
pub async fn logout(settings: &Settings) -> Result<()> {
    let path = signed_in::file(settings.login_file.as_deref())?;
    let told = if Kept::forget(&path).await? { "Signed out." } else { "Nobody is signed in." };
    eprintln!("{told}");
    Ok(())
}
