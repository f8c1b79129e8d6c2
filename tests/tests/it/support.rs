//! What the tests here need beside the services in this process: their real binaries, and calls that no generated
//! client would make.

pub mod process;
pub mod raw;

pub use process::RoadmapProcess;
pub use raw::{Answer, Wire};

use tokio_util::task::AbortOnDropHandle;

/// A task of a test: joined by it, aborted when it fails.
#[expect(clippy::disallowed_methods, reason = "the handle aborts it")]
pub fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> AbortOnDropHandle<T> {
    AbortOnDropHandle::new(tokio::spawn(task))
}
