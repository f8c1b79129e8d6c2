//! A connection whose first bytes have come, and are read as if nobody had.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// Bytes that tell how a peer speaks: the preface of an HTTP/2 connection (RFC 9113, section 3.4); no request of
/// HTTP/1.1 that we answer is shorter.
const GREETING: usize = 24;

/// A connection that was greeted on.
pub(super) struct Greeted<S> {
    greeting: [u8; GREETING],
    /// How much of it was read again.
    read: usize,
    stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Greeted<S> {
    /// Waits for the greeting, for as long as it takes: whoever calls bounds the time.
    pub(super) async fn by(mut stream: S) -> Result<Self> {
        let mut greeting = [0; GREETING];
        stream.read_exact(&mut greeting).await?;
        Ok(Self { greeting, read: 0, stream })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Greeted<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let left = self.greeting.get(self.read..).unwrap_or_default();
        if left.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, into);
        }
        let fits = left.len().min(into.remaining());
        into.put_slice(left.get(..fits).unwrap_or_default());
        self.read += fits;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Greeted<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }
}
