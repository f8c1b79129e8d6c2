//! The import itself: rows into batches, batches to the service, what becomes of them into the report.
//!
//! A row may refer to one further down, so rows that refer to what is not there are taken up again when the file was read to
//! its end, as long as that made something. Of all rows a hash of their ids is kept meanwhile; of such rows what is wrong
//! with them; and in a dry run the names that would be made.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use anyhow::Result;
use indicatif::ProgressBar;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use waymark_proto::options;

use super::super::record::{Broken, Rows};
use super::batch::{Fate, Service};
use super::mapping::{Fault, Mapping, Row, Taken};
use super::report::Report;
use super::writing::Outcome;
use crate::settings::Settings;

/// Bytes of a batch; the services take 1 MiB.
const BYTES: usize = 512 << 10;

/// Rows that are dealt with together.
#[derive(Default)]
struct Batch {
    rows: Vec<Row>,
    /// Rows that are wrong by themselves, with their keys.
    refused: Vec<(u64, String, Vec<Fault>)>,
}

/// An import under way.
pub struct Import {
    mapping: Mapping,
    service: Service,
    report: Report,
    /// Rows of a batch at most.
    most: usize,
    /// The line of each id, by its hash.
    lines: HashMap<u64, u64>,
    /// Rows that refer to what is not there, by line.
    waiting: BTreeMap<u64, Waiting>,
    /// Names of what a dry run would leave, and whether that is there already.
    would_be: HashMap<String, bool>,
}

/// A row that refers to what is not there.
struct Waiting {
    key: String,
    /// The name of its resource.
    name: String,
    /// What is to be said of it should that stay so.
    faults: Vec<Fault>,
    /// What is not there, where that is all that is wrong.
    missing: Option<Vec<String>>,
    /// What becomes of the row where it comes to be there.
    otherwise: Vec<(&'static str, Outcome)>,
}

impl Import {
    pub fn new(mapping: Mapping, settings: &Settings, dry_run: bool, report: Report) -> Result<Self> {
        let requests = mapping.kind.create.descriptor.input().get_field_by_name("requests");
        let most =
            requests.and_then(|requests| options().entries(&requests)).map_or(1, |entries| entries.most as usize);
        let kind = mapping.kind;
        let (channel, parent) = (settings.channel(kind.resource.area)?, settings.parent()?);
        let service = Service { kind, channel, parent, dry_run };
        let (lines, waiting, would_be) = (HashMap::new(), BTreeMap::new(), HashMap::new());
        Ok(Self { mapping, service, report, most, lines, waiting, would_be })
    }

    /// Imports the rows that `open` gives, which it is asked for again where rows wait for others.
    pub async fn all(&mut self, open: impl Fn() -> Result<Rows>, progress: &ProgressBar) -> Result<()> {
        let mut made = self.pass(open()?, None, progress).await?;
        while made > 0 && !self.waiting.is_empty() && !self.service.dry_run {
            let again = std::mem::take(&mut self.waiting).into_keys().collect();
            made = self.pass(open()?, Some(&again), progress).await?;
        }
        self.settle()?;
        let left = std::mem::take(&mut self.waiting);
        left.into_iter().try_for_each(|(line, Waiting { key, faults, .. })| self.report.refuse(line, &key, faults))?;
        if self.mapping.has_links() { self.link(open()?).await } else { Ok(()) }
    }

    /// Adds what rows name once all are there.
    async fn link(&mut self, rows: Rows) -> Result<()> {
        let mut batch = Vec::new();
        for row in rows {
            let Ok(record) = row? else { continue };
            let Ok(Some(row)) = self.mapping.row(&record) else { continue };
            if !row.links.is_empty() && self.lines.get(&hash(&row.id)) == Some(&row.line) {
                batch.push(row);
            }
            if batch.len() >= self.most {
                self.link_batch(std::mem::take(&mut batch)).await?;
            }
        }
        self.link_batch(batch).await
    }

    async fn link_batch(&mut self, rows: Vec<Row>) -> Result<()> {
        let linked = self.service.link(&rows, |name| self.would_be.get(name).copied()).await?;
        for (row, linked) in rows.iter().zip(linked) {
            for (field, became) in linked {
                let fault = |reason| self.mapping.fault(field.clone(), reason);
                self.report.link(row.line, &row.key, &field, &became, fault)?;
            }
        }
        Ok(())
    }

    /// Lets the rows of a dry run be that refer to what the others would have made.
    fn settle(&mut self) -> Result<()> {
        loop {
            let would_be = |waiting: &Waiting| {
                waiting.missing.as_ref().is_some_and(|all| all.iter().all(|name| self.would_be.contains_key(name)))
            };
            let ready = self.waiting.extract_if(.., |_, waiting| would_be(waiting)).collect::<Vec<_>>();
            if ready.is_empty() {
                return Ok(());
            }
            for (line, Waiting { key, name, otherwise, .. }) in ready {
                self.report.add(line, &key, &otherwise)?;
                self.would_be.insert(name, is_there(&otherwise));
            }
        }
    }

    /// The report, whole.
    pub fn finish(mut self) -> Result<Report> {
        self.report.finish()?;
        Ok(self.report)
    }

    /// Takes all rows, or those of the lines; gives how many resources that made.
    async fn pass(&mut self, rows: Rows, only: Option<&HashSet<u64>>, progress: &ProgressBar) -> Result<u64> {
        let (mut batch, mut bytes, mut made) = (Batch::default(), 0, 0);
        for row in rows {
            let record = match row? {
                Ok(record) if only.is_none_or(|lines| lines.contains(&record.line)) => record,
                Err(Broken { line, reason }) if only.is_none() => {
                    batch.refused.push((line, String::new(), vec![Fault { reason, ..Fault::default() }]));
                    continue;
                }
                _ => continue,
            };
            match self.mapping.row(&record).and_then(|row| self.only_once(row)) {
                Ok(Some(row)) => {
                    bytes += row.messages.iter().flatten().map(DynamicMessage::encoded_len).sum::<usize>();
                    batch.rows.push(row);
                }
                Ok(None) => self.report.pass_over(),
                Err((key, faults)) => batch.refused.push((record.line, key, faults)),
            }
            if batch.rows.len() + batch.refused.len() >= self.most || bytes >= BYTES {
                made += self.write(std::mem::take(&mut batch)).await?;
                bytes = 0;
                progress.set_message(format!("{} rows, {} refused", self.report.rows, self.report.refused));
            }
        }
        Ok(made + self.write(batch).await?)
    }

    /// Refuses a row whose id one before it has.
    fn only_once(&mut self, row: Option<Row>) -> Taken {
        let Some(row) = row else { return Ok(None) };
        let line = *self.lines.entry(hash(&row.id)).or_insert(row.line);
        if line == row.line {
            return Ok(Some(row));
        }
        let reason = format!("its key is that of line {line}, too");
        Err((row.key, vec![Fault { reason, ..Fault::default() }]))
    }

    /// Writes a batch; gives how many resources that made.
    async fn write(&mut self, Batch { rows, refused: mut told }: Batch) -> Result<u64> {
        let mut made = 0;
        for fate in self.service.deal(rows).await? {
            let (missing, otherwise) = (fate.missing(), fate.otherwise(self.service.kind));
            let Fate { row, refused, outcomes, .. } = fate;
            made += outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Made).count() as u64;
            let name = self.service.name(&row.id);
            if refused.is_empty() {
                self.report.add(row.line, &row.key, &outcomes)?;
                if self.service.dry_run {
                    self.would_be.insert(name, is_there(&outcomes));
                }
                continue;
            }
            let waits = refused.iter().any(|(_, refusal)| refusal.missing.is_some());
            let faults = refused.into_iter().flat_map(|(part, refusal)| {
                let within = part.map(|part| format!("{}.", part.resource.singular)).unwrap_or_default();
                let mapping = &self.mapping;
                refusal.faults.into_iter().map(move |(field, reason)| mapping.fault(format!("{within}{field}"), reason))
            });
            let faults: Vec<Fault> = faults.collect();
            if waits {
                self.waiting.insert(row.line, Waiting { key: row.key, name, faults, missing, otherwise });
            } else {
                told.push((row.line, row.key, faults));
            }
        }
        told.sort_by_key(|(line, ..)| *line);
        told.into_iter().try_for_each(|(line, key, faults)| self.report.refuse(line, &key, faults))?;
        Ok(made)
    }
}

/// Whether the resource of a row is not made by it.
fn is_there(outcomes: &[(&'static str, Outcome)]) -> bool {
    outcomes.first().is_some_and(|(_, own)| *own != Outcome::Made)
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}
