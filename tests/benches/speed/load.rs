//! Load: workers that each wait for an answer before they ask again, and calls at a fixed rate that wait for nobody.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::task::JoinSet;

use crate::processor;

/// Long enough to open connections and fill caches.
const WARM_UP: Duration = Duration::from_secs(1);
const MEASURED: Duration = Duration::from_secs(5);

/// What a load met.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Answers a second.
    pub rate: f64,
    /// Half of the answers came within this time.
    pub p50: Duration,
    /// All but one of a hundred came within this time.
    pub p99: Duration,
    /// Processor time of an answer, of all who took part in it, where it was measured.
    pub processor: Option<Duration>,
}

impl Load {
    /// From the times that answers took.
    pub fn of(mut times: Vec<Duration>, during: Duration) -> Result<Self> {
        ensure!(!times.is_empty(), "nothing was measured");
        times.sort_unstable();
        let share = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        Ok(Self { rate: times.len() as f64 / during.as_secs_f64(), p50: share(0.5), p99: share(0.99), processor: None })
    }
}

/// Keeps `workers` calls in flight. `call` is given the worker, and the number of the worker's call. `server` is the
/// process of the database, if it is another.
pub async fn closed<C, F>(workers: usize, server: Option<i32>, call: C) -> Result<Load>
where
    C: Fn(usize, u64) -> F + Clone + Send + 'static,
    F: Future<Output = Result<()>> + Send,
{
    let (start, before) = (Instant::now(), processor::spent(server)?);
    let mut running = JoinSet::new();
    for worker in 0..workers {
        let call = call.clone();
        running.spawn(async move {
            let (mut times, mut answers) = (Vec::new(), 0);
            loop {
                let began = Instant::now();
                if began.duration_since(start) > WARM_UP + MEASURED {
                    break;
                }
                call(worker, answers).await?;
                answers += 1;
                if began.duration_since(start) > WARM_UP {
                    times.push(began.elapsed());
                }
            }
            Ok::<_, anyhow::Error>((times, answers))
        });
    }
    let (mut times, mut answers) = (Vec::new(), 0);
    while let Some(worker) = running.join_next().await {
        let (its, count) = worker??;
        times.extend(its);
        answers += count;
    }
    let spent = processor::since(before, server)?;
    Ok(Load { processor: Some(spent.div_f64(answers as f64)), ..Load::of(times, MEASURED)? })
}

/// Makes `count` calls, `rate` of them a second, however long each takes.
pub async fn open<C, F>(rate: u32, count: u64, call: C) -> Result<()>
where
    C: Fn(u64) -> F,
    F: Future<Output = Result<()>> + Send + 'static,
{
    let mut running = JoinSet::new();
    let mut beat = tokio::time::interval(Duration::from_secs(1) / rate);
    for number in 0..count {
        beat.tick().await;
        running.spawn(call(number));
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(())
}
