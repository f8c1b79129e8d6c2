//! What the service does by itself: when it starts it enters the workspaces that hold data and that nobody created. In
//! development nobody has to.

use waymark_runtime::Host;
use waymark_store::Store;

use crate::store::enter;

/// Spawns it.
pub(crate) fn spawn(host: &Host, store: &Store) {
    if host.authenticator.is_for_development() {
        return;
    }
    let (shutdown, store) = (host.shutdown.clone(), store.clone());
    host.tasks.spawn("roadmap: workspaces", async move {
        tokio::select! {
            () = shutdown.begun() => {}
            entered = enter(&store) => match entered {
                Ok(0) => {}
                Ok(entered) => tracing::info!(entered, "workspaces were entered that held data"),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "workspaces that hold data could not be entered; the next start tries again");
                }
            }
        }
    });
}
