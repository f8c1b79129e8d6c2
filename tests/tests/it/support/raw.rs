//! Calls below the generated clients: any bytes to any path, with any role, and what came back.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;

/// How long an answer may take; a stream that is still open then counts as answered.
const PATIENCE: Duration = Duration::from_secs(20);
const STREAM: Duration = Duration::from_millis(100);

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status, OK included.
    pub status: Status,
    /// The first message, without its frame.
    pub message: Bytes,
}

impl Answer {
    /// Its code.
    pub fn code(&self) -> Code {
        self.status.code()
    }

    /// The documented reason of a refusal; empty when it has none.
    pub fn reason(&self) -> String {
        self.status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
    }
}

/// A connection to one server.
#[derive(Debug, Clone)]
pub struct Wire(Channel);

impl Wire {
    /// A connection to `address`, opened when it is first used.
    pub fn new(address: std::net::SocketAddr) -> Self {
        Self(Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy())
    }

    /// Calls `path` with one message.
    pub async fn call(&self, path: &str, role: Option<&str>, message: &[u8]) -> Answer {
        self.send(path, role, frame(message)).await
    }

    /// All that comes back on a call with this metadata: code, and bytes of headers, body and trailers, in which what is encoded as base64
    /// or for headers is read, too.
    pub async fn everything(&self, path: &str, metadata: &[(&str, &str)], message: &[u8]) -> (Code, Vec<u8>) {
        let mut request = http::Request::post(path).header("content-type", "application/grpc").header("te", "trailers");
        for (key, value) in metadata {
            request = request.header(*key, *value);
        }
        let request = request.body(Body::new(Full::new(frame(message)))).unwrap();
        let response = tokio::time::timeout(PATIENCE, self.0.clone().oneshot(request)).await.unwrap().unwrap();
        let (parts, mut body) = response.into_parts();
        let (mut status, mut bytes) = (Status::from_header_map(&parts.headers), Vec::new());
        read_headers(&parts.headers, &mut bytes);
        while let Ok(Some(frame)) = tokio::time::timeout(STREAM, body.frame()).await {
            match frame.unwrap().into_data() {
                Ok(data) => bytes.extend_from_slice(&data),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap();
                    status = Status::from_header_map(&trailers);
                    read_headers(&trailers, &mut bytes);
                }
            }
        }
        // A stream that has nothing more to say yet has said OK.
        (status.map_or(Code::Ok, |status| status.code()), bytes)
    }

    /// The first message of the answer to a call with this metadata.
    pub async fn call_as(&self, path: &str, metadata: &[(&str, &str)], message: &[u8]) -> Bytes {
        self.answer_as(path, metadata, message).await.message
    }

    /// The answer to a call with this metadata.
    pub async fn answer_as(&self, path: &str, metadata: &[(&str, &str)], message: &[u8]) -> Answer {
        let mut request = http::Request::post(path).header("content-type", "application/grpc").header("te", "trailers");
        for (key, value) in metadata {
            request = request.header(*key, *value);
        }
        self.answer(request.body(Body::new(Full::new(frame(message)))).unwrap()).await
    }

    /// Calls `path` with a body that need not be made of frames.
    pub async fn send(&self, path: &str, role: Option<&str>, body: Bytes) -> Answer {
        let mut request = http::Request::post(path).header("content-type", "application/grpc").header("te", "trailers");
        if let Some(role) = role {
            request = request.header("waymark-role", role);
        }
        let request = request.body(Body::new(Full::new(body))).unwrap();
        match tokio::time::timeout(PATIENCE, self.answer(request)).await {
            Ok(answer) => answer,
            Err(_) => {
                Answer { status: Status::unknown(format!("no answer within {PATIENCE:?}")), message: Bytes::new() }
            }
        }
    }

    async fn answer(&self, request: http::Request<Body>) -> Answer {
        let response = match self.0.clone().oneshot(request).await {
            Ok(response) => response,
            Err(error) => {
                return Answer { status: Status::unknown(format!("no answer: {error:?}")), message: Bytes::new() };
            }
        };
        let (parts, mut body) = response.into_parts();
        if let Some(status) = Status::from_header_map(&parts.headers) {
            return Answer { status, message: Bytes::new() };
        }
        let mut data = BytesMut::new();
        loop {
            // A stream that has nothing more to say yet has said OK.
            let Ok(next) = tokio::time::timeout(if data.is_empty() { PATIENCE } else { STREAM }, body.frame()).await
            else {
                return Answer { status: Status::ok(""), message: unframe(&data.freeze()) };
            };
            match next {
                None => {
                    let status = Status::unknown("the answer ended without a status");
                    return Answer { status, message: unframe(&data.freeze()) };
                }
                Some(Err(status)) => return Answer { status, message: Bytes::new() },
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => data.put(bytes),
                    Err(frame) => {
                        let trailers = frame.into_trailers().unwrap_or_default();
                        let status = Status::from_header_map(&trailers)
                            .unwrap_or_else(|| Status::unknown("trailers without a status"));
                        return Answer { status, message: unframe(&data.freeze()) };
                    }
                },
            }
        }
    }
}

/// Headers as they came, and what they say.
fn read_headers(headers: &http::HeaderMap, bytes: &mut Vec<u8>) {
    for (key, value) in headers.iter().filter(|(key, _)| !["date", "content-length"].contains(&key.as_str())) {
        bytes.extend_from_slice(key.as_str().as_bytes());
        bytes.extend_from_slice(value.as_bytes());
    }
    if let Some(status) = Status::from_header_map(headers) {
        bytes.extend_from_slice(status.message().as_bytes());
        bytes.extend_from_slice(status.details());
    }
}

/// A message as it travels: a byte for compression, four for the length.
pub fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(message);
    framed.freeze()
}

fn unframe(body: &Bytes) -> Bytes {
    let length = body.get(1..5).map_or(0, |l| u32::from_be_bytes(l.try_into().unwrap()) as usize);
    if body.len() >= 5 + length { body.slice(5..5 + length) } else { Bytes::new() }
}
