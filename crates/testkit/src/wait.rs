//! Waiting for a state instead of sleeping for a time.

use std::time::Duration;

use tokio::time::timeout;

/// How often a state is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until `condition` holds.
///
/// # Panics
/// With `what`, when it does not hold within `limit`.
pub async fn wait_until(what: &str, limit: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let met = async || condition().await.then_some(());
    wait_for(what, limit, met).await;
}

/// Waits until `look` finds something, and returns it.
///
/// # Panics
/// With `what`, when nothing is found within `limit`, also because a look takes so long.
pub async fn wait_for<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = timeout(limit, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("{what}: not within {limit:?}"))
}
