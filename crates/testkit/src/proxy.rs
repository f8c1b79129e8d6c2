//! A proxy between two parts that can break what runs through it: cut connections, or stall them without a word.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// What the proxy does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    Stall,
    Cut,
}

/// A TCP proxy on a free port; it ends when it is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    target: watch::Sender<SocketAddr>,
    _accepting: AbortOnDropHandle<()>,
}

impl FaultProxy {
    /// Passes connections on to `target`.
    ///
    /// # Errors
    /// When no port can be listened on.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (mode, modes) = watch::channel(Mode::Pass);
        let (target, targets) = watch::channel(target);
        Ok(Self { address, mode, target, _accepting: spawn(accept(listener, targets, modes)) })
    }

    /// Passes new connections on to `target`; those that are open stay where they are, as behind a load balancer.
    pub fn retarget(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }

    /// The address to connect to instead of the target's.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets everything through again.
    pub fn pass(&self) {
        self.mode.send_replace(Mode::Pass);
    }

    /// Lets nothing through, but closes nothing: a network that swallows packets.
    pub fn stall(&self) {
        self.mode.send_replace(Mode::Stall);
    }

    /// Closes every connection, and new ones at once.
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }
}

#[expect(clippy::disallowed_methods, reason = "aborted when the proxy is dropped")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(task))
}

async fn accept(listener: TcpListener, targets: watch::Receiver<SocketAddr>, modes: watch::Receiver<Mode>) {
    let mut open = Vec::new();
    while let Ok((near, _)) = listener.accept().await {
        open.retain(|connection: &AbortOnDropHandle<()>| !connection.is_finished());
        let target = *targets.borrow();
        open.push(spawn(join(near, target, modes.clone())));
    }
}

async fn join(near: TcpStream, target: SocketAddr, modes: watch::Receiver<Mode>) {
    let Ok(far) = TcpStream::connect(target).await else { return };
    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
    let mut cut = modes.clone();
    tokio::select! {
        () = async { tokio::join!(copy(near_read, far_write, modes.clone()), copy(far_read, near_write, modes.clone())); } => {}
        _ = cut.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}

async fn copy(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, mut modes: watch::Receiver<Mode>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if modes.wait_for(|mode| *mode != Mode::Stall).await.is_err() || to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}
