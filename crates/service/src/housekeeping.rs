//! What a service's database needs from time to time, whatever the service is about.

use std::time::Duration;

use waymark_runtime::Host;
use waymark_store::Store;

/// How often commits of other processes are looked for.
const POLL: Duration = Duration::from_millis(250);

/// Sees commits of other processes, until shutdown.
pub(crate) async fn run(host: Host, store: Store) {
    loop {
        tokio::select! {
            () = host.shutdown.begun() => return,
            () = tokio::time::sleep(POLL) => {}
        }
        if let Err(error) = store.look().await {
            tracing::debug!(%error, "the database does not answer");
        }
    }
}
