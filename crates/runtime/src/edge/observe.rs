//! Sees how each RPC ends: its span, its duration by service, method and code, and the end of its stream.
//!
//! A unary answer's code is known when the handler returns; a stream's only with its trailers. [`Watched`] is the body
//! that waits for them.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Frame, SizeHint};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter, UpDownCounter};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tracing::Span;
use waymark_access::Watching;

use super::record::Record;
use super::route::Route;

/// Instruments of the edge, after OpenTelemetry's semantic conventions for RPC.
#[derive(Debug, Clone)]
pub(super) struct RpcMetrics {
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
}

impl RpcMetrics {
    pub(super) fn new(meter: &Meter) -> Self {
        const SECONDS: [f64; 14] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
        let duration = meter.f64_histogram("rpc.server.duration").with_unit("s").with_boundaries(SECONDS.to_vec());
        let active = meter.i64_up_down_counter("rpc.server.active").with_unit("{call}");
        Self {
            duration: duration.with_description("Time from a call's arrival to its last byte, by outcome").build(),
            active: active.with_description("Calls and streams open now").build(),
        }
    }

    /// Starts observing a call.
    pub(super) fn start(&self, route: Route, span: Span) -> Completion {
        let (service, method) = route.names();
        let labels = [KeyValue::new("rpc.service", service), KeyValue::new("rpc.method", method)];
        self.active.add(1, &labels);
        Completion {
            metrics: self.clone(),
            labels,
            started: Instant::now(),
            code: None,
            reason: None,
            watching: None,
            record: None,
            span,
        }
    }
}

/// The span of an RPC; probes have none, as they would bury everything else.
pub(super) fn span(route: Route) -> Span {
    let (service, method) = route.names();
    match route {
        Route::Open(..) => Span::none(),
        Route::Rpc(_) | Route::NoRule | Route::Unknown => tracing::info_span!(
            "rpc",
            otel.name = format_args!("{service}/{method}"),
            otel.kind = "server",
            rpc.system = "grpc",
            rpc.service = service,
            rpc.method = method,
            rpc.grpc.status_code = tracing::field::Empty,
            actor = tracing::field::Empty,
            trace_id = tracing::field::Empty,
        ),
    }
}

/// Records how a call ended when it is dropped, hence exactly once; a call dropped before its end was cancelled by the
/// caller.
#[derive(Debug)]
pub(super) struct Completion {
    metrics: RpcMetrics,
    labels: [KeyValue; 2],
    started: Instant,
    code: Option<Code>,
    /// Why it failed, as `google.rpc.ErrorInfo` says.
    reason: Option<String>,
    /// The place of the stream that it opens, which is free when the call has ended.
    pub(super) watching: Option<Watching>,
    /// What is recorded of it, if anything is.
    pub(super) record: Option<Box<Record>>,
    span: Span,
}

impl Completion {
    fn ended(&mut self, headers: &HeaderMap) {
        let Some(code) = headers.get("grpc-status").map(|code| Code::from_bytes(code.as_bytes())) else { return };
        self.code = Some(code);
        if code != Code::Ok {
            let info = Status::from_header_map(headers).and_then(|status| status.get_details_error_info());
            if let (Some(record), Some(info)) = (&mut self.record, &info) {
                record.told(info);
            }
            self.reason = info.map(|info| info.reason);
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        let code = self.code.unwrap_or(Code::Cancelled);
        let elapsed = self.started.elapsed();
        let [service, method] = self.labels.clone();
        self.metrics.active.add(-1, &self.labels);
        if let Some(record) = self.record.take() {
            record.end(code, self.reason.as_deref(), elapsed);
        }
        let code_label = KeyValue::new("rpc.grpc.status_code", i64::from(code as i32));
        match self.reason.take() {
            None => self.metrics.duration.record(elapsed.as_secs_f64(), &[service, method, code_label]),
            Some(reason) => {
                let labels = [service, method, code_label, KeyValue::new("error.type", reason)];
                self.metrics.duration.record(elapsed.as_secs_f64(), &labels);
            }
        }
        self.span.record("rpc.grpc.status_code", code as i32);
        let _entered = self.span.enter();
        match code {
            Code::Internal | Code::Unknown | Code::DataLoss => tracing::warn!(?code, ?elapsed, "call failed"),
            _ => tracing::debug!(?code, ?elapsed, "call ended"),
        }
    }
}

/// Ends a stream from outside: the caller's deadline, or shutdown for streams of health and reflection.
pub(super) type Ending = Pin<Box<dyn Future<Output = Status> + Send>>;

/// The answer's body, watched to its end.
pub(super) struct Watched {
    inner: Body,
    /// Taken when the end has been seen.
    completion: Option<Completion>,
    ending: Option<Ending>,
    panicked: fn(&(dyn std::any::Any + Send)) -> Status,
}

impl Watched {
    /// Watches `response` to its end.
    pub(super) fn over(
        response: Response<Body>,
        mut completion: Completion,
        ending: Option<Ending>,
        panicked: fn(&(dyn std::any::Any + Send)) -> Status,
    ) -> Response<Body> {
        completion.ended(response.headers());
        response.map(|inner| Body::new(Self { inner, completion: Some(completion), ending, panicked }))
    }

    fn end_with(&mut self, status: &Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.inner = Body::empty();
        let mut trailers = HeaderMap::new();
        if let Err(status) = status.add_header(&mut trailers) {
            return Poll::Ready(Some(Err(status)));
        }
        self.finish(&trailers);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn finish(&mut self, trailers: &HeaderMap) {
        if let Some(mut completion) = self.completion.take() {
            completion.ended(trailers);
        }
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let span = this.completion.as_ref().map_or_else(Span::none, |completion| completion.span.clone());
        let _entered = span.enter();
        if this.completion.is_some()
            && let Some(ending) = &mut this.ending
            && let Poll::Ready(status) = ending.as_mut().poll(context)
        {
            return this.end_with(&status);
        }
        let inner = &mut this.inner;
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll_frame(context)));
        let frame = match polled {
            Ok(frame) => std::task::ready!(frame),
            Err(panic) => {
                let status = (this.panicked)(&*panic);
                return this.end_with(&status);
            }
        };
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            let trailers = trailers.clone();
            this.finish(&trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
