//! The tasks of an audit: one that writes, and one that looks whether the time of repeats is over. Both end when no call is
//! left, and leave nothing behind that was decided on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Audit;
use super::writing::{Counts, Sink, Writing};
use crate::host::Host;

/// How long repeats of a refusal are counted before they are told of.
const WINDOW: Duration = Duration::from_secs(5);
/// How often it is looked at whether that time is over.
const LOOK: Duration = Duration::from_millis(500);

impl Audit {
    /// Records what `service` decides, until no call is left; what the process does is recorded there, too.
    pub fn start(host: &Host, service: &'static str, sink: Arc<dyn Sink>) -> Self {
        let counts = Counts::new(&host.telemetry.meter(), service);
        let (audit, entries) = Self::new(host.clock.clone(), host.ids.clone(), service, counts.clone());
        let closed = CancellationToken::new();
        let writing = Writing { sink, counts, closed: closed.clone() };
        host.tasks.spawn(format!("{service}: audit"), writing.run(entries));
        let (counting, drained) = (audit.clone(), host.shutdown.drained());
        host.tasks.spawn(format!("{service}: repeats of refusals"), async move {
            tokio::pin!(drained);
            loop {
                tokio::select! {
                    () = &mut drained => break,
                    () = tokio::time::sleep(LOOK) => counting.close(Instant::now().checked_sub(WINDOW)),
                }
            }
            counting.close(Some(Instant::now()));
            closed.cancel();
        });
        host.audits.join(&audit);
        audit
    }
}
