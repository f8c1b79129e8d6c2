//! What leaves to callers who have an audience. Each message of an answer is opened and made anew of what the audience sees, here,
//! behind everything that makes answers: a handler that forgets to hide can leave a page short, but tell nothing.
//!
//! Calls without an audience do not pass here.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{HeaderMap, Response};
use http_body::{Body as _, Frame};
use http_body_util::StreamBody;
use tonic::body::Body;
use tonic::{Code, Status};
use waymark_proto::RpcMethod;
use waymark_proto::sight::{Opened, Sight};
use waymark_rpc::status::Reason;

use super::access;
use super::answer::refuse;

/// Bytes in front of a message: whether it is compressed, and how long it is.
const PREFIX: usize = 5;

/// The audiences that a service knows.
pub trait Audiences: Debug + Send + Sync {
    /// What an audience sees as things stand; `None` when there is none of this name.
    fn sight<'a>(&'a self, audience: &'a str) -> BoxFuture<'a, Result<Option<Sight>, Status>>;

    /// Those of resources, by name, that are shown to it as things stand.
    fn shown<'a>(
        &'a self,
        sight: &'a Sight,
        names: BTreeSet<String>,
    ) -> BoxFuture<'a, Result<BTreeSet<String>, Status>>;
}

/// What the audience of a caller sees; refuses one that does not exist.
pub(super) async fn sight(audiences: &dyn Audiences, audience: &str, method: &RpcMethod) -> Result<Sight, Status> {
    audiences.sight(audience).await?.ok_or_else(|| access::no_audience(audience, method))
}

/// An answer, of which only what the audience sees is left.
pub(super) fn hidden(
    answer: Response<Body>,
    method: &'static RpcMethod,
    audiences: Arc<dyn Audiences>,
    audience: String,
) -> Response<Body> {
    answer.map(|inner| {
        let viewer = Viewer { method, audiences, audience };
        let leaving = Leaving { inner, read: BytesMut::new(), ended: false, viewer };
        Body::new(StreamBody::new(futures::stream::unfold(leaving, Leaving::next)))
    })
}

/// The body of an answer on its way out.
struct Leaving {
    inner: Body,
    /// What has been read of it and has not left.
    read: BytesMut,
    ended: bool,
    viewer: Viewer,
}

/// Who looks at answers of which method.
struct Viewer {
    method: &'static RpcMethod,
    audiences: Arc<dyn Audiences>,
    audience: String,
}

type Left = Result<Frame<Bytes>, Status>;

impl Leaving {
    async fn next(mut self) -> Option<(Left, Self)> {
        while !self.ended {
            if let Some(message) = self.message() {
                let seen = match message {
                    Ok(message) => self.viewer.seen(&message).await,
                    Err(refused) => Err(refused),
                };
                return Some(match seen {
                    Ok(seen) => (Ok(Frame::data(seen)), self),
                    Err(status) => self.end(&status),
                });
            }
            match std::future::poll_fn(|context| Pin::new(&mut self.inner).poll_frame(context)).await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.read.extend_from_slice(&data),
                    Err(trailers) => return Some((Ok(trailers), self)),
                },
                Some(Err(status)) => {
                    self.ended = true;
                    return Some((Err(status), self));
                }
                None => self.ended = true,
            }
        }
        None
    }

    /// The next message, once it is read whole.
    fn message(&mut self) -> Option<Result<Bytes, Status>> {
        let mut prefix = self.read.get(..PREFIX)?;
        let (compressed, length) = (prefix.get_u8(), prefix.get_u32() as usize);
        if compressed != 0 {
            return Some(Err(unseen("an answer is compressed before it is looked at")));
        }
        if self.read.len() < PREFIX + length {
            return None;
        }
        self.read.advance(PREFIX);
        Some(Ok(self.read.split_to(length).freeze()))
    }

    /// Ends the answer with a status.
    fn end(mut self, status: &Status) -> (Left, Self) {
        self.ended = true;
        let mut trailers = HeaderMap::new();
        let left = status.add_header(&mut trailers).map(|()| Frame::trailers(trailers));
        (left, self)
    }
}

impl Viewer {
    /// A message as the audience sees it by now, framed.
    async fn seen(&self, message: &[u8]) -> Result<Bytes, Status> {
        let answer = Opened::answer(self.method, message).ok_or_else(|| unseen("an answer is not of the contract"))?;
        // A stream may go on for long: what it may tell is asked anew.
        let sight = sight(&*self.audiences, &self.audience, self.method).await?;
        let shown = self.audiences.shown(&sight, answer.names()).await?;
        let seen = sight
            .of_answer(&answer, &shown)
            .ok_or_else(|| refuse(Code::NotFound, Reason::ResourceNotFound, "not found"))?;
        let mut framed = BytesMut::with_capacity(PREFIX + seen.len());
        framed.put_u8(0);
        // Shorter than what was read, whose length was one of these.
        framed.put_u32(u32::try_from(seen.len()).unwrap_or(u32::MAX));
        framed.extend_from_slice(&seen);
        Ok(framed.freeze())
    }
}

/// What cannot be looked at does not leave.
fn unseen(why: &'static str) -> Status {
    tracing::error!(why, "an answer is kept from an audience");
    refuse(Code::Internal, Reason::Internal, "the answer cannot be shown")
}
