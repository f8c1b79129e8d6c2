//! What a service's database needs from time to time, whatever the service is about.

use std::time::Duration;

use waymark_runtime::Host;
use waymark_store::Store;

/// How often commits of other processes are looked for.
const POLL: Duration = Duration::from_millis(250);
/// Answers to request ids are kept this long (AIP-155).
const REQUESTS: chrono::Duration = chrono::Duration::hours(24);
/// Rounds between two purges of old answers: about ten minutes.
const PURGE: u64 = 2_400;

/// Sees commits of other processes and forgets old answers, until shutdown.
pub(crate) async fn run(host: Host, store: Store) {
    let mut rounds: u64 = 0;
    loop {
        tokio::select! {
            () = host.shutdown.begun() => return,
            () = tokio::time::sleep(POLL) => {}
        }
        if let Err(error) = store.look().await {
            tracing::debug!(%error, "the database does not answer");
        }
        if rounds.is_multiple_of(PURGE) {
            match store.purge_requests(store.now() - REQUESTS).await {
                Ok(purged) => tracing::debug!(purged, "old answers forgotten"),
                Err(error) => {
                    let error = anyhow::Error::new(error);
                    tracing::warn!(error = %format_args!("{error:#}"), "old answers are not forgotten");
                }
            }
        }
        rounds += 1;
    }
}
