//! The import itself: rows into batches, batches to the service a few at a time, answers into the report and the state,
//! in the order of the file.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use prost::Message as _;
use waymark_client::Error;
use waymark_proto::metrics::v1::{IngestEventsRequest, ProductEvent};

use super::mapping::Mapping;
use super::options::{EventsArgs, Twice, Vendor};
use super::record::{Broken, Record, Rows};
use super::report::Report;
use super::resource::{Client, begin, client, complete, goes_on};
use super::source;
use super::state::{Progress, State};
use super::vendor::Line;
use crate::Usage;
use crate::settings::Settings;

/// Batches under way at once: the service commits several together.
const AT_ONCE: usize = 4;
/// Rows of a batch, those included that become no event.
const ROWS: u64 = 100_000;
/// Bytes of a batch; the service takes 8 MiB.
const BYTES: usize = 4 << 20;

/// Rows that are dealt with together.
#[derive(Debug, Default)]
struct Batch {
    rows: u64,
    lines: Vec<u64>,
    events: Vec<ProductEvent>,
    broken: Vec<Broken>,
}

/// Takes rows from the file until a batch is full.
struct Batches {
    rows: Rows,
    vendor: Option<Vendor>,
    mapping: Mapping,
    /// How many lines tell who is who, by method.
    identities: BTreeMap<String, u64>,
    skip: u64,
    most: usize,
}

/// What a row is.
enum Taken {
    Event(Box<ProductEvent>),
    Identity,
    Broken(Broken),
}

impl Iterator for Batches {
    type Item = Result<Batch>;
    fn next(&mut self) -> Option<Result<Batch>> {
        let mut batch = Batch::default();
        let mut bytes = 0;
        while batch.events.len() < self.most && batch.rows < ROWS && bytes < BYTES {
            let Some(row) = self.rows.next() else { break };
            match row.map(|row| self.take(row)) {
                Ok((line, event)) => {
                    if self.skip > 0 {
                        // Done by an earlier run; it passed through the mapping so that ids come out the same.
                        self.skip -= 1;
                        continue;
                    }
                    batch.rows += 1;
                    match event {
                        Taken::Event(event) => {
                            bytes += event.encoded_len();
                            batch.lines.push(line);
                            batch.events.push(*event);
                        }
                        Taken::Identity => {}
                        Taken::Broken(broken) => batch.broken.push(broken),
                    }
                }
                // What was read before is not lost: it is sent, and the failure comes next.
                Err(error) if batch.rows > 0 => {
                    self.rows = Box::new(std::iter::once(Err(error)));
                    break;
                }
                Err(error) => {
                    self.rows = Box::new(std::iter::empty());
                    return Some(Err(error));
                }
            }
        }
        (batch.rows > 0).then_some(Ok(batch))
    }
}

impl Batches {
    fn take(&mut self, row: Result<Record, Broken>) -> (u64, Taken) {
        let line = row.as_ref().map_or_else(|broken| broken.line, |record| record.line);
        let translated = row.and_then(|record| match self.vendor {
            Some(vendor) => vendor.line(record).map_err(|reason| Broken { line, reason }),
            None => Ok(Line::Event(record)),
        });
        let taken = match translated {
            Ok(Line::Event(record)) => match self.mapping.event(&record) {
                Ok(event) => Taken::Event(Box::new(event)),
                Err(broken) => Taken::Broken(broken),
            },
            Ok(Line::Identity(method)) => {
                *self.identities.entry(method).or_default() += 1;
                Taken::Identity
            }
            Err(broken) => Taken::Broken(broken),
        };
        (line, taken)
    }
}

/// Imports the file that the options name, and prints what became of it. Says whether all rows were imported.
pub async fn run(args: &EventsArgs, settings: &Settings) -> Result<bool> {
    let parent = settings.parent()?;
    let state = State::new(args, settings.workspace()?, &settings.metrics_address)?;
    let mut client = client(settings)?;
    let stopped = |error: anyhow::Error| {
        // Doing it again helps where the service did not answer, not where the file is at fault.
        if error.chain().any(<dyn std::error::Error>::is::<Error>) {
            let path = state.path().display();
            error.context(format!("the import stopped; give the same command again to go on (state in {path})"))
        } else {
            error
        }
    };
    let mut done = state.read();
    if args.dry_run || done.import.is_empty() || !goes_on(&mut client, &done.import).await.map_err(stopped)? {
        // There is nothing to go on with, or it was undone since.
        done = Progress::default();
    }
    let progress = progress_bar();
    let mut batches = batches(args, done.rows, &progress)?;
    let first = batches.next().transpose().inspect_err(|_| progress.finish_and_clear())?;
    if first.is_some() && done.import.is_empty() && !args.dry_run {
        done.import = begin(&mut client, &parent, args).await.map_err(stopped)?;
        state.write(&done)?;
    }
    let import = done.import.clone();
    let mut report = Report::new(done, args.dry_run, args.rejects.as_deref())?;
    let sent = stream::iter(first.map(Ok).into_iter().chain(batches.by_ref()))
        .map(|batch| {
            let request = IngestEventsRequest {
                parent: parent.clone(),
                import: import.clone(),
                validate_only: args.dry_run,
                ..IngestEventsRequest::default()
            };
            let client = client.clone();
            async move { send(client, request, batch?).await }
        })
        .buffered(AT_ONCE);
    let outcome: Result<()> = sent
        .try_for_each(|(rows, stored, broken)| {
            let step = report.add(rows, stored, broken).and_then(|progress| state.write(progress));
            progress.set_message(format!("{} rejected", report.progress().rejected));
            std::future::ready(step)
        })
        .await;
    progress.finish_and_clear();
    outcome.map_err(stopped)?;
    if report.progress().rows == 0 {
        state.remove();
        bail!(Usage(format!("{} has no rows: nothing was imported", args.input.file.display())));
    }
    let (tally, untold_times) = (batches.mapping.tally(), batches.mapping.untold_times());
    let identities = &batches.identities;
    let import = if args.dry_run {
        None
    } else {
        let completion = report.completion(tally, identities, untold_times);
        Some(complete(&mut client, completion).await.map_err(stopped)?)
    };
    state.remove();
    report.print(import.as_ref(), tally, identities, untold_times, settings.format()?)?;
    Ok(report.progress().rejected == 0)
}

fn batches(args: &EventsArgs, skip: u64, progress: &ProgressBar) -> Result<Batches> {
    let (vendor, most) = (args.from, args.batch as usize);
    let known = vendor.map(|_| Vendor::options(args));
    let args = known.as_ref().unwrap_or(args);
    let file = source::open(&args.input, Twice::Refused, progress)?;
    let mapping = if let Some(vendor) = vendor {
        if file.separated {
            bail!(Usage(format!(
                "an export of {vendor:?} is JSON lines or Parquet, not CSV: name columns instead of --from"
            )));
        }
        // Its lines have our columns when they come there.
        Mapping::new(args, &source::Source::ours())?
    } else {
        let mapping = Mapping::new(args, &file)?;
        if file.columns.is_none() {
            mapping.seek(source::open(&args.input, Twice::Refused, &ProgressBar::hidden())?)?;
        }
        mapping
    };
    Ok(Batches { rows: file.rows, vendor, mapping, identities: BTreeMap::new(), skip, most })
}

async fn send(mut client: Client, request: IngestEventsRequest, batch: Batch) -> Result<(u64, u64, Vec<Broken>)> {
    let Batch { rows, lines, events, mut broken } = batch;
    if events.is_empty() {
        return Ok((rows, 0, broken));
    }
    let request = IngestEventsRequest { events, ..request };
    let answer = client.ingest_events(request).await.map_err(Error::from)?.into_inner();
    let stored = lines.len().saturating_sub(answer.rejected.len()) as u64;
    broken.extend(answer.rejected.into_iter().map(|rejected| {
        let line = usize::try_from(rejected.index).ok().and_then(|index| lines.get(index)).copied().unwrap_or_default();
        Broken { line, reason: format!("{}: {}", rejected.field, rejected.message) }
    }));
    broken.sort_by_key(|broken| broken.line);
    Ok((rows, stored, broken))
}

/// A bar for a file that is read.
pub(super) fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:40} {percent}%  {elapsed} elapsed, {eta} to go  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        events: EventsArgs,
    }

    fn batches(text: &str, skip: u64, most: usize) -> Vec<Batch> {
        let name = format!("waymark-import-{}-{skip}-{most}.csv", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        let line = ["t", path.to_str().unwrap(), "--user", "u", "--event", "e", "--time", "t"];
        let args = Options::parse_from(line).events;
        let batches = Batches { most, ..super::batches(&args, skip, &ProgressBar::hidden()).unwrap() };
        let batches = batches.map(|batch| batch.unwrap()).collect();
        std::fs::remove_file(path).unwrap();
        batches
    }

    const FILE: &str = "u,e,t\na,x,2024-01-01\na,x,2024-01-01\nb,x\nc,x,never\nd,x,2024-01-01\na,x,2024-01-01\n";

    #[test]
    fn broken_rows_are_reported_and_the_rest_is_kept() {
        let all = batches(FILE, 0, 100);
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].rows, all[0].events.len()), (6, 4));
        assert_eq!(all[0].broken.iter().map(|broken| broken.line).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(all[0].lines, [2, 3, 6, 7]);
    }

    #[test]
    fn a_resumed_import_sends_the_same_ids_for_the_rest() {
        let ids =
            |batches: &[Batch]| batches.iter().flat_map(|b| &b.events).map(|e| e.event_id.clone()).collect::<Vec<_>>();
        let whole = ids(&batches(FILE, 0, 2));
        assert_eq!(ids(&batches(FILE, 2, 2)), whole[2..]);
        assert_eq!(ids(&batches(FILE, 5, 2)), whole[3..]);
    }
}
