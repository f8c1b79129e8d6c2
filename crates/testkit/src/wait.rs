//! Waiting for a state instead of sleeping for a time.

use std::time::{Duration, Instant};

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
/// With `what`, when nothing is found within `limit`.
pub async fn wait_for<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {limit:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
