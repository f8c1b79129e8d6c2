//! Logs to standard error, traces and metrics to an OpenTelemetry collector when one is configured, metrics to
//! Prometheus always.
//!
//! A process makes one [`Telemetry`] by [`Telemetry::init`], which installs the subscriber; tests make as many as they
//! like by [`Telemetry::local`], which touches nothing global.

mod collector;

use std::io::IsTerminal as _;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::filter::{ParseError, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::audit;
use crate::config::{LogFormat, TelemetryArgs};
use crate::panic;
use collector::Collector;

/// The version of this build, as logs, traces and `/version` give it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the exporter itself runs on.
const EXPORT: [&str; 5] = ["h2", "hyper", "tonic", "tower", "opentelemetry"];

/// Metrics and traces of the process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Telemetry {
    registry: prometheus::Registry,
    meters: SdkMeterProvider,
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Installs logging and, when a collector is configured, export to it, for the process `name` such as
    /// `waymark-roadmap`, told from its other replicas by `instance`. Panics are logged like everything else. Call it
    /// within the async runtime, which the exporters use.
    ///
    /// # Errors
    /// A filter, ratio or endpoint that cannot be used, or a subscriber installed before.
    pub fn init(args: &TelemetryArgs, name: &'static str, instance: String) -> anyhow::Result<Self> {
        // Without an instance a collector would take the counters of all replicas for one series that jumps.
        let attributes = [KeyValue::new("service.version", VERSION), KeyValue::new("service.instance.id", instance)];
        let resource = Resource::builder().with_service_name(name).with_attributes(attributes).build();
        anyhow::ensure!(
            (0.0..=1.0).contains(&args.trace_ratio),
            "--trace-ratio is {}, but must be from 0 to 1",
            args.trace_ratio
        );
        let collector = Collector::configured(args)?;
        let traces =
            collector.as_ref().map(|collector| traces(collector, args.trace_ratio, resource.clone())).transpose()?;
        let telemetry = Self::with(resource, collector.as_ref(), traces)?;

        let filter =
            filter(&args.log).map_err(|error| anyhow::anyhow!("--log {:?} is not a log filter: {error}", args.log))?;
        let lines = match args.log_format {
            // Colours are for people at a terminal, not for files.
            LogFormat::Text => tracing_subscriber::fmt::layer()
                .with_ansi(std::io::stderr().is_terminal())
                .with_writer(std::io::stderr)
                .boxed(),
            LogFormat::Json => {
                tracing_subscriber::fmt::layer().json().with_span_list(false).with_writer(std::io::stderr).boxed()
            }
        };
        let is_audit = |metadata: &tracing::Metadata<'_>| metadata.target() == audit::TARGET;
        let lines = lines.with_filter(filter_fn(move |line| !is_audit(line)));
        let entries = audit_lines(std::io::stderr).with_filter(filter_fn(is_audit));
        let export = telemetry.traces.as_ref().map(|traces| {
            let layer = tracing_opentelemetry::layer().with_tracer(traces.tracer("waymark"));
            // Sending spans makes spans; those must not be sent again.
            layer.with_filter(filter_fn(move |span| {
                !is_audit(span) && !EXPORT.iter().any(|target| span.target().starts_with(target))
            }))
        });
        tracing_subscriber::registry().with(filter).with(lines).with(entries).with(export).try_init()?;
        log_panics();
        Ok(telemetry)
    }

    /// Metrics of its own registry and nothing global: for tests.
    ///
    /// # Errors
    /// Never in practice: a fresh registry takes its first collector.
    pub fn local() -> anyhow::Result<Self> {
        Self::with(Resource::builder_empty().build(), None, None)
    }

    fn with(
        resource: Resource,
        collector: Option<&Collector>,
        traces: Option<SdkTracerProvider>,
    ) -> anyhow::Result<Self> {
        let registry = prometheus::Registry::new();
        let exporter =
            opentelemetry_prometheus::exporter().with_registry(registry.clone()).without_target_info().build()?;
        let mut meters = SdkMeterProvider::builder().with_resource(resource).with_reader(exporter);
        if let Some(collector) = collector {
            meters =
                meters.with_periodic_exporter(collector.reached_by(MetricExporter::builder().with_tonic()).build()?);
        }
        Ok(Self { registry, meters: meters.build(), traces })
    }

    /// Where instruments are made; what they record appears on `/metrics`.
    pub fn meter(&self) -> Meter {
        self.meters.meter("waymark")
    }

    /// The metrics in the Prometheus text format.
    ///
    /// # Errors
    /// When a metric cannot be encoded.
    pub fn prometheus(&self) -> anyhow::Result<String> {
        Ok(prometheus::TextEncoder::new().encode_to_string(&self.registry.gather())?)
    }

    /// Sends what is still held back. Blocks until the collector has it or gives up.
    pub fn flush(&self) {
        let traces = self.traces.as_ref().map_or(Ok(()), SdkTracerProvider::shutdown);
        for error in [traces, self.meters.shutdown()].into_iter().filter_map(Result::err) {
            // The collector may be gone before this process is; that must not make its end a failure.
            tracing::warn!(%error, "telemetry was not sent completely");
        }
    }
}

/// Which lines are kept. What is said later of a target counts, so the audit can be turned off, but not by the way.
fn filter(log: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new(format!("{}=info,{log}", audit::TARGET))
}

/// Entries of the audit, each an object of JSON that says what the entry does and nothing else.
fn audit_lines<S, W>(writer: W) -> impl tracing_subscriber::Layer<S>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + 'static,
{
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(writer);
    lines.without_time().with_level(false).with_current_span(false).with_span_list(false)
}

fn traces(collector: &Collector, ratio: f64, resource: Resource) -> anyhow::Result<SdkTracerProvider> {
    let exporter = collector.reached_by(SpanExporter::builder().with_tonic()).build()?;
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio)));
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_sampler(sampler).with_resource(resource).build())
}

/// Panics become log lines with their place; the one that answers the caller adds the incident.
fn log_panics() {
    std::panic::set_hook(Box::new(|caught| {
        let place = caught.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(panic = panic::message(caught.payload()), place, "panic");
    }));
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use std::time::Duration;

    use chrono::DateTime;
    use waymark_proto::access::v1::{AuditDecision, AuditEntry};
    use waymark_proto::convert::timestamp;

    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_entry_of_the_audit_is_a_line_of_json_with_what_is_known() {
        let written = Written::default();
        let writer = written.clone();
        let lines = audit_lines(move || writer.clone());
        let entry = AuditEntry {
            id: "7".into(),
            time: Some(timestamp(DateTime::UNIX_EPOCH)),
            principal: "users/corp/ada".into(),
            decision: AuditDecision::Refused.into(),
            policies: vec!["a".into(), "b".into()],
            reason: "corp\n\"x\"".into(),
            latency: Some(Duration::from_micros(1_500).into()),
            count: 3,
            ..AuditEntry::default()
        };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            audit::tell("sample", &entry);
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let expected = serde_json::json!({
            "target": "audit", "service": "sample", "id": "7", "time": "1970-01-01T00:00:00.000000Z",
            "principal": "users/corp/ada", "decision": "REFUSED", "policies": "a,b", "reason": "corp\n\"x\"",
            "latency": 0.0015, "count": 3,
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), expected);
    }

    #[test]
    fn lines_of_the_audit_are_left_out_only_where_that_is_said() {
        let shown = |log: &str| {
            let written = Written::default();
            let writer = written.clone();
            let lines = audit_lines(move || writer.clone());
            tracing::subscriber::with_default(
                tracing_subscriber::registry().with(filter(log).unwrap()).with(lines),
                || {
                    tracing::info!(target: audit::TARGET, "an entry");
                },
            );
            let length = written.0.lock().unwrap().len();
            length > 0
        };
        assert!(shown("info") && shown("warn") && shown("off") && shown("error,waymark_store=debug"));
        assert!(!shown("info,audit=off"));
    }

    #[test]
    fn instruments_appear_in_the_prometheus_text() {
        let telemetry = Telemetry::local().unwrap();
        telemetry.meter().u64_counter("waymark.test.things").build().add(3, &[KeyValue::new("kind", "odd")]);
        let text = telemetry.prometheus().unwrap();
        assert!(
            text.lines().any(|line| line.starts_with("waymark_test_things_total{kind=\"odd\"") && line.ends_with(" 3")),
            "{text}"
        );
    }
}
