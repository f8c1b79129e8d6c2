//! The metrics service as its clients meet it: a real server on a socket, both databases, Delta tables on disk, time
//! held still.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::float_cmp, reason = "counts and sums of a few decimals are exact")]

mod doubles;
mod events_in;
mod frictions;
mod funnels;
mod imports;
mod late;
mod loop_closed;
mod metrics;
mod readings;
mod returning;
mod tracking;
mod unusual;
mod world;

use waymark_testkit::Engine;
use world::World;

/// Runs a story on both databases.
async fn on_both(story: impl AsyncFn(World)) {
    for engine in Engine::each() {
        story(World::open(engine).await).await;
    }
}
