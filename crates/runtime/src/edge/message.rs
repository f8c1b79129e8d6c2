//! The message of a call, read whole before the call is taken on: who sends slowly takes no place from others, and what a
//! call is for is found in it. It is handed on as it came.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Request;
use http_body::{Body as _, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::body::Body;
use tonic::{Code, Status};
use waymark_rpc::status::Reason;

use super::answer::{overloaded, refuse};
use super::limits::BULK_MESSAGE_BYTES;

/// Bytes in front of a message: whether it is compressed, and how long it is.
const PREFIX: usize = 5;
/// How messages are compressed.
const ENCODING: &str = "grpc-encoding";
/// Bytes that are kept of messages that have not come whole, in all.
const COMING: usize = 16 * BULK_MESSAGE_BYTES;

/// Reads the first message of each call.
#[derive(Debug)]
pub(super) struct Messages {
    /// How long one may take.
    time: Duration,
    coming: Arc<Semaphore>,
}

impl Messages {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, coming: Arc::new(Semaphore::new(COMING)) }
    }

    /// The message of a request, and the request as it was.
    pub(super) async fn first(&self, request: Request<Body>) -> Result<(Bytes, Request<Body>), Status> {
        let (head, body) = request.into_parts();
        if head.headers.get(ENCODING).is_some_and(|encoding| encoding != "identity") {
            let message = "the message is compressed; send it uncompressed";
            return Err(refuse(Code::Unimplemented, Reason::Unimplemented, message));
        }
        let (message, body) = tokio::time::timeout(self.time, self.read(body)).await.map_err(|_| {
            let message = format!(
                "the message of the call did not come whole within {:?}; send it faster, or a smaller one",
                self.time
            );
            refuse(Code::DeadlineExceeded, Reason::DeadlineExceeded, message)
        })??;
        Ok((message, Request::from_parts(head, body)))
    }

    async fn read(&self, mut body: Body) -> Result<(Bytes, Body), Status> {
        let mut read = Vec::new();
        let (mut length, mut held) = (0, None);
        loop {
            if let Some(message) = message_in(&read, length)? {
                return Ok((message, Body::new(Again { read: read.into(), rest: body })));
            }
            match std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                Some(Ok(frame)) => {
                    // Trailers before a message is whole: there will be none.
                    let Ok(data) = frame.into_data() else { return Err(incomplete()) };
                    if length > 0 {
                        self.hold(&mut held, data.len())?;
                    }
                    length += data.len();
                    read.push(data);
                }
                Some(Err(status)) => return Err(status),
                None => return Err(incomplete()),
            }
        }
    }

    /// Room for what came beyond the first part, which most messages consist of.
    fn hold(&self, held: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Result<(), Status> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let more = Arc::clone(&self.coming).try_acquire_many_owned(bytes).map_err(|_| {
            let message =
                "as many messages are on their way to the server as it has room for; try again after the delay given";
            overloaded(Reason::Overloaded, message, Duration::from_millis(200))
        })?;
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }
}

/// The message that stands in what was read so far, once all of it does.
fn message_in(read: &[Bytes], length: usize) -> Result<Option<Bytes>, Status> {
    if length < PREFIX {
        return Ok(None);
    }
    let mut prefix = [0; PREFIX];
    for (to, from) in prefix.iter_mut().zip(read.iter().flat_map(|data| data.iter())) {
        *to = *from;
    }
    let [compressed, wanted @ ..] = prefix;
    if compressed != 0 {
        let message =
            "the request is not a valid message: its frame says that it is compressed, and its headers do not say how";
        return Err(refuse(Code::InvalidArgument, Reason::InvalidField, message));
    }
    let wanted = u32::from_be_bytes(wanted) as usize;
    if wanted > BULK_MESSAGE_BYTES {
        let message =
            format!("a message of {wanted} bytes is over the limit of {BULK_MESSAGE_BYTES}; send less at a time");
        return Err(refuse(Code::ResourceExhausted, Reason::TooLarge, message));
    }
    if length < PREFIX + wanted {
        return Ok(None);
    }
    if let [one] = read {
        return Ok(Some(one.slice(PREFIX..PREFIX + wanted)));
    }
    let mut all = BytesMut::with_capacity(length);
    for data in read {
        all.extend_from_slice(data);
    }
    Ok(Some(all.freeze().slice(PREFIX..PREFIX + wanted)))
}

fn incomplete() -> Status {
    refuse(Code::InvalidArgument, Reason::InvalidField, "the request has no whole message")
}

/// A body of which something was read, from its beginning.
struct Again {
    read: VecDeque<Bytes>,
    rest: Body,
}

impl http_body::Body for Again {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.read.pop_front() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    const MESSAGE: &[u8] = b"what is sent";

    fn framed(message: &[u8]) -> Vec<u8> {
        [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat()
    }

    /// A message as it comes, in pieces of so many bytes.
    fn body(message: &[u8], piece: usize) -> Request<Body> {
        let pieces: Vec<_> = framed(message)
            .chunks(piece)
            .map(|piece| Ok::<_, Status>(Frame::data(Bytes::copy_from_slice(piece))))
            .collect();
        Request::new(Body::new(StreamBody::new(futures::stream::iter(pieces))))
    }

    fn messages() -> Messages {
        Messages::new(Duration::from_secs(10))
    }

    #[tokio::test]
    async fn a_message_is_read_however_it_comes_and_handed_on_as_it_was() {
        for piece in [1, 3, 5, 7, 1_000] {
            let (message, request) = messages().first(body(MESSAGE, piece)).await.unwrap();
            assert_eq!(message, MESSAGE);
            let all = request.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(all, framed(MESSAGE), "{piece}");
        }
    }

    #[tokio::test]
    async fn what_is_no_message_is_refused() {
        for (bytes, code) in [
            (&[][..], Code::InvalidArgument),
            (&[0, 0, 0], Code::InvalidArgument),
            (&[0, 0, 0, 0, 9, 1], Code::InvalidArgument),
            (&[1, 0, 0, 0, 0], Code::InvalidArgument),
            (&[9, 0, 0, 0, 0], Code::InvalidArgument),
            (&[0, 255, 255, 255, 255], Code::ResourceExhausted),
        ] {
            let body = http_body_util::Full::new(Bytes::copy_from_slice(bytes)).map_err(|never| match never {});
            let refused = messages().first(Request::new(Body::new(body))).await.unwrap_err();
            assert_eq!(refused.code(), code, "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn what_is_compressed_is_refused() {
        for (encoding, code) in [("gzip", Some(Code::Unimplemented)), ("identity", None)] {
            let mut request = body(MESSAGE, 100);
            request.headers_mut().insert(ENCODING, encoding.parse().unwrap());
            assert_eq!(messages().first(request).await.err().map(|refused| refused.code()), code, "{encoding}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_come_is_not_waited_for_without_end() {
        let never = Body::new(StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, Status>>()));
        let refused = messages().first(Request::new(never)).await.unwrap_err();
        assert_eq!(refused.code(), Code::DeadlineExceeded);
    }

    #[tokio::test]
    async fn what_is_kept_of_messages_on_their_way_is_bounded_and_given_back() {
        let messages = Messages { time: Duration::from_secs(10), coming: Arc::new(Semaphore::new(10)) };
        let refused = messages.first(body(MESSAGE, 5)).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        for _ in 0..3 {
            messages.first(body(MESSAGE, 10)).await.unwrap();
        }
        assert_eq!(messages.coming.available_permits(), 10);
    }
}
