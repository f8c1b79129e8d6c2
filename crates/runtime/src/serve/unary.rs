//! A single RPC beside those of generated servers, with its messages as bytes: what they mean is known to whoever serves
//! it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, UnaryService};
use tower::Service;

/// What an RPC is answered with, when it is.
pub type Answer = Pin<Box<dyn Future<Output = Result<tonic::Response<Vec<u8>>, Status>> + Send>>;

/// What answers an RPC.
type Serve = Arc<dyn Fn(tonic::Request<Bytes>) -> Answer + Send + Sync>;

/// The RPC as a service over HTTP, for messages of at most `limit` bytes.
pub(super) fn unary(
    limit: usize,
    serve: impl Fn(tonic::Request<Bytes>) -> Answer + Send + Sync + 'static,
) -> impl Service<Request<axum::body::Body>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
+ Clone
+ Send
+ Sync
+ 'static {
    let serve: Serve = Arc::new(serve);
    tower::service_fn(move |request: Request<axum::body::Body>| {
        let serve = Unary(serve.clone());
        async move {
            let mut grpc = Grpc::new(Raw).apply_max_message_size_config(Some(limit), None);
            Ok(grpc.unary(serve, request).await)
        }
    })
}

struct Unary(Serve);

impl UnaryService<Bytes> for Unary {
    type Response = Vec<u8>;
    type Future = Answer;
    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        (self.0)(request)
    }
}

/// Messages as they are.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;
    fn encoder(&mut self) -> Self {
        Self
    }
    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;
    fn encode(&mut self, message: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
