//! A call of any method with messages that are known only by their descriptors.

use http::uri::PathAndQuery;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder, Streaming};
use tonic::{Request, Status};
use waymark_client::{Channel, Error};

use super::contract::Method;

/// Response metadata that names what a write refers to without being looked up.
const UNVERIFIED: &str = "waymark-unverified";

/// Largest answer read: a page of the largest resources there are.
const MOST: usize = 64 << 20;

#[derive(Debug, Clone)]
struct Dynamic(MessageDescriptor);

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;
    fn encoder(&mut self) -> Self {
        self.clone()
    }
    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

impl Encoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;
    fn encode(&mut self, item: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer).map_err(|e| Status::internal(e.to_string()))
    }
}

impl Decoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;
    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        DynamicMessage::decode(self.0.clone(), buffer).map(Some).map_err(|e| Status::internal(e.to_string()))
    }
}

fn path(method: &Method) -> Result<PathAndQuery, Error> {
    PathAndQuery::try_from(method.path()).map_err(|e| Status::internal(e.to_string()).into())
}

/// Calls a method that answers once.
pub async fn unary(channel: &Channel, method: &Method, request: DynamicMessage) -> Result<DynamicMessage, Error> {
    let mut client = tonic::client::Grpc::new(channel.clone()).max_decoding_message_size(MOST);
    let codec = Dynamic(method.descriptor.output());
    let answer = client.unary(Request::new(request), path(method)?, codec).await?;
    if let Some(names) = answer.metadata().get(UNVERIFIED).and_then(|names| names.to_str().ok()) {
        eprintln!("note: the service knows nothing of {names} yet, and has not looked whether it exists");
    }
    Ok(answer.into_inner())
}

/// Calls a method that answers with a stream.
pub async fn streaming(
    channel: &Channel,
    method: &Method,
    request: DynamicMessage,
) -> Result<Streaming<DynamicMessage>, Error> {
    let mut client = tonic::client::Grpc::new(channel.clone()).max_decoding_message_size(MOST);
    let codec = Dynamic(method.descriptor.output());
    Ok(client.server_streaming(Request::new(request), path(method)?, codec).await?.into_inner())
}
