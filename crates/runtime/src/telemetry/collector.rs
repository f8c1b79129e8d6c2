//! The way to an OpenTelemetry collector: its address, whom it must have its certificate from, and what headers are sent.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry_otlp::WithTonicConfig;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use waymark_tls::{ClientFiles, Connector};

use crate::config::TelemetryArgs;

/// How long the collector may take to be connected to.
const CONNECT: Duration = Duration::from_secs(10);

/// A collector, connected to when telemetry is sent first.
pub(super) struct Collector {
    channel: Channel,
    headers: Option<PathBuf>,
}

impl Collector {
    /// The one that is configured, if one is.
    pub(super) fn configured(args: &TelemetryArgs) -> anyhow::Result<Option<Self>> {
        let Some(address) = &args.otlp_endpoint else { return Ok(None) };
        let uri = address.parse::<http::Uri>().ok().filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
        let scheme = uri.as_ref().and_then(http::Uri::scheme_str);
        let connector = match scheme {
            Some("http") if args.otlp_ca.is_none() => None,
            Some("http") => {
                anyhow::bail!(
                    "--otlp-ca is given, but --otlp-endpoint {address:?} is reached without TLS; write it with https://"
                )
            }
            Some("https") => {
                let files = ClientFiles { ca: args.otlp_ca.clone(), ..ClientFiles::default() };
                Some(Connector::new(files).context("--otlp-ca cannot be used")?)
            }
            _ => anyhow::bail!(
                "--otlp-endpoint {address:?} is not a collector's address; write it like http://localhost:4317 or https://otlp.example.com:4317"
            ),
        };
        if let Some(file) = &args.otlp_headers {
            read(file).map_err(|wrong| anyhow::anyhow!("--otlp-headers {}: {wrong}", file.display()))?;
        }
        let endpoint = Endpoint::from_shared(address.clone())?.connect_timeout(CONNECT);
        let channel = match connector {
            Some(connector) => endpoint.connect_with_connector_lazy(connector),
            None => endpoint.connect_lazy(),
        };
        Ok(Some(Self { channel, headers: args.otlp_headers.clone() }))
    }

    /// An exporter that reaches it.
    pub(super) fn reached_by<E: WithTonicConfig>(&self, exporter: E) -> E {
        let exporter = exporter.with_channel(self.channel.clone());
        match self.headers.clone() {
            Some(file) => exporter.with_interceptor(move |mut request: Request<()>| {
                let headers =
                    read(&file).map_err(|wrong| Status::unauthenticated(format!("{}: {wrong}", file.display())))?;
                request.metadata_mut().as_mut().extend(headers);
                Ok(request)
            }),
            None => exporter,
        }
    }
}

/// The headers in a file, one a line. What is wrong with a line is told by its number: it may hold a secret.
fn read(file: &Path) -> Result<HeaderMap, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let mut headers = HeaderMap::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let header = line.split_once(':').and_then(|(name, value)| {
            let name = name.trim().parse::<HeaderName>().ok()?;
            Some((name, value.trim().parse::<HeaderValue>().ok()?))
        });
        let (name, mut value) =
            header.ok_or_else(|| format!("line {} is no header; write it like name: value", at + 1))?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_cannot_be_one_is_refused_with_the_flag() {
        for wrong in ["localhost:4317", "ftp://collector:4317", "", "http://"] {
            let args = TelemetryArgs { otlp_endpoint: Some(wrong.to_owned()), ..TelemetryArgs::default() };
            let refused = Collector::configured(&args).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(
                refused.contains("--otlp-endpoint") && refused.contains("http://localhost:4317"),
                "{wrong}: {refused}"
            );
        }
        for right in ["http://localhost:4317", "https://otlp.example.com"] {
            let args = TelemetryArgs { otlp_endpoint: Some(right.to_owned()), ..TelemetryArgs::default() };
            assert!(Collector::configured(&args).unwrap().is_some());
        }
    }

    #[test]
    fn headers_are_read_line_by_line_and_a_wrong_one_is_not_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |text: &str| {
            std::fs::write(file.path(), text).unwrap();
            read(file.path())
        };
        let headers = read("authorization: Bearer a:b\n\nX-Tenant:shop\n").unwrap();
        assert_eq!(
            (headers.len(), &headers["authorization"], &headers["x-tenant"]),
            (2, &HeaderValue::from_static("Bearer a:b"), &HeaderValue::from_static("shop"))
        );
        for (wrong, line) in [("hidden", 1), ("a: b\nhid den: x", 2), ("a: hi\u{1}dden", 1)] {
            let refused = read(wrong).unwrap_err();
            assert!(refused.contains(&format!("line {line}")) && !refused.contains("den"), "{wrong}: {refused}");
        }
    }
}
