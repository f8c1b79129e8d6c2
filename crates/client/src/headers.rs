//! Metadata that goes with every call: who asks, and the trace it belongs to.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::global;
use opentelemetry::propagation::Injector;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

struct Headers<'a>(&'a mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(key), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(key, value);
        }
    }
}

/// Adds the W3C trace context of the current span. Does nothing when the process installed no propagator or no span is
/// open.
pub(crate) fn inject_trace(headers: &mut HeaderMap) {
    let context = tracing::Span::current().context();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut Headers(headers)));
}

/// Adds what the options say unless the call itself said it.
pub(crate) fn add_fixed(headers: &mut HeaderMap, fixed: &HeaderMap) {
    for (key, value) in fixed {
        headers.entry(key).or_insert_with(|| value.clone());
    }
}
