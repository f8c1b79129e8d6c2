//! W3C trace context across gRPC metadata, the event log and NATS headers.
//!
//! A span that serves a request is the child of the caller's; a span that consumes an event only *links* to the span
//! that caused it, as the two may be hours apart.

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{TraceContextExt as _, TraceId};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Name of the header that carries the trace.
pub const TRACEPARENT: &str = "traceparent";

/// Makes `span` the child of the span the headers name, if they name one.
pub fn adopt(span: &Span, headers: &HeaderMap) {
    if headers.contains_key(TRACEPARENT) {
        let parent = TraceContextPropagator::new().extract(&Headers(headers));
        // Without an OpenTelemetry layer the span has no context to set; there is then nothing to adopt.
        let _ = span.set_parent(parent);
    }
}

/// The `traceparent` of the current span, to be stored beside what it causes. None when tracing is off.
pub fn current_traceparent() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8()))
}

/// The trace that `span` belongs to; without tracing the one that `traceparent` names. For log lines, so that they are
/// found by it.
pub fn trace_id(span: &Span, traceparent: Option<&str>) -> Option<String> {
    let own = span.context().span().span_context().trace_id();
    let given = || Some(TraceContextPropagator::new().extract(&Single(traceparent?)).span().span_context().trace_id());
    Some(own)
        .filter(|id| *id != TraceId::INVALID)
        .or_else(given)
        .filter(|id| *id != TraceId::INVALID)
        .map(|id| id.to_string())
}

/// Links `span` to the span a stored or received `traceparent` names; a malformed one is ignored, as it must never stop
/// an event.
pub fn link(span: &Span, traceparent: &str) {
    let context = TraceContextPropagator::new().extract(&Single(traceparent));
    let cause = context.span().span_context().clone();
    if cause.is_valid() {
        span.add_link(cause);
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }
    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

struct Single<'a>(&'a str);

impl Extractor for Single<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }
    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const CAUSE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[derive(Debug, Clone, Default)]
    struct Kept(Arc<Mutex<Vec<SpanData>>>);

    impl SpanExporter for Kept {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().extend(batch);
            Ok(())
        }
    }

    fn traced(work: impl FnOnce()) -> Vec<SpanData> {
        let kept = Kept::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        std::mem::take(&mut *kept.0.lock().unwrap())
    }

    #[test]
    fn a_request_is_the_child_of_its_caller_and_hands_its_own_span_on() {
        let mut onward = None;
        let spans = traced(|| {
            let span = tracing::info_span!("rpc");
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, CAUSE.parse().unwrap());
            adopt(&span, &headers);
            span.in_scope(|| onward = current_traceparent());
        });
        assert_eq!(spans[0].parent_span_id.to_string(), "b7ad6b7169203331");
        let expected = format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", spans[0].span_context.span_id());
        assert_eq!(onward, Some(expected));
    }

    #[test]
    fn a_consumer_links_to_the_cause_and_ignores_nonsense() {
        let spans = traced(|| {
            link(&tracing::info_span!("consume"), CAUSE);
            link(&tracing::info_span!("consume"), "nonsense");
        });
        assert_eq!(spans[0].links.len(), 1);
        assert_eq!(spans[0].links[0].span_context.span_id().to_string(), "b7ad6b7169203331");
        assert_eq!(spans[1].links.len(), 0);
        assert_ne!(spans[0].span_context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
    }

    #[test]
    fn without_tracing_there_is_no_traceparent_and_the_trace_is_the_callers() {
        assert_eq!(current_traceparent(), None);
        assert_eq!(trace_id(&Span::none(), Some(CAUSE)).as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
        assert_eq!(trace_id(&Span::none(), Some("nonsense")), None);
        assert_eq!(trace_id(&Span::none(), None), None);
    }
}
