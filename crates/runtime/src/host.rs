//! What the services of a process share, and how all of it ends together. Knows nothing of what is served.

use std::sync::Arc;
use std::time::{Duration, Instant};

use waymark_access::{Limits, Policies};
use waymark_clock::{Clock, Ids};

use crate::audit::Audits;
use crate::authenticator::Authenticator;
use crate::proxies::Proxies;
use crate::readiness::Readiness;
use crate::running::Running;
use crate::shutdown::Shutdown;
use crate::tasks::Tasks;
use crate::telemetry::Telemetry;

/// What tasks get when the servers used up the time to drain.
const LAST_CALL: Duration = Duration::from_millis(500);

/// What the services of a process share. Cheap to clone; several services may run on one host.
#[derive(Debug, Clone)]
pub struct Host {
    /// Name of the process, such as `waymark-roadmap`.
    pub name: &'static str,
    /// The time.
    pub clock: Clock,
    /// New identifiers.
    pub ids: Ids,
    /// Metrics and traces.
    pub telemetry: Telemetry,
    /// What has to be in place before traffic may come.
    pub readiness: Readiness,
    /// The end of the process.
    pub shutdown: Shutdown,
    /// Background tasks.
    pub tasks: Tasks,
    /// Finds out who calls; the development authenticator unless it is another.
    pub authenticator: Authenticator,
    /// What callers may do in which workspace, where policies decide; else their role does.
    pub policies: Option<Arc<Policies>>,
    /// How much principals and workspaces may ask, where a file says so.
    pub limits: Option<Arc<Limits>>,
    /// Proxies that are believed when they say for whom they call.
    pub proxies: Proxies,
    /// Where it is recorded what the process does to what it decides by.
    pub audits: Audits,
    /// How long work in flight may take to finish once shutdown has begun.
    pub drain_timeout: Duration,
}

impl Host {
    /// A host with the given sources and telemetry, serving nothing yet.
    pub fn new(name: &'static str, clock: Clock, ids: Ids, telemetry: Telemetry, drain_timeout: Duration) -> Self {
        let (readiness, shutdown, tasks) = (Readiness::new(), Shutdown::new(), Tasks::new());
        Self {
            name,
            clock,
            ids,
            telemetry,
            readiness,
            shutdown,
            tasks,
            authenticator: Authenticator::default(),
            policies: None,
            limits: None,
            proxies: Proxies::default(),
            audits: Audits::default(),
            drain_timeout,
        }
    }

    /// A host for services in a test's own process: telemetry of its own, nothing global.
    ///
    /// # Errors
    /// Those of [`Telemetry::local`].
    pub fn local(clock: Clock, ids: Ids) -> anyhow::Result<Self> {
        Ok(Self::new("local", clock, ids, Telemetry::local()?, Duration::from_secs(5)))
    }

    /// Begins shutdown and waits until servers and tasks have ended.
    pub async fn stop(&self, servers: Vec<Running>) {
        self.shutdown.begin();
        self.drain(servers).await;
    }

    /// Waits until servers and tasks have ended; shutdown has begun.
    pub(crate) async fn drain(&self, servers: Vec<Running>) {
        let began = Instant::now();
        for server in servers {
            server.stopped().await;
        }
        self.shutdown.drain();
        // Servers and tasks share one limit; what supervises the process kills it after its own.
        let left = self.tasks.finish(self.drain_timeout.saturating_sub(began.elapsed()).max(LAST_CALL)).await;
        if left > 0 {
            tracing::warn!(left, "background tasks did not end in time and are cut");
        }
    }
}
