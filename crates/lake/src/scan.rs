//! Reading a snapshot as streams of distinct rows in user order, by DataFusion's Parquet source. Never aggregates.
//!
//! Files whose ranges of users do not overlap share neither a user nor a duplicate, so each is streamed as it lies.
//! Files that overlap are merged by (user, time, received), which brings duplicates side by side. Hence the promise
//! every stream keeps: a user's events are all in one stream, one after the other, in order of time, each once, and
//! only those that stand.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{SortOptions, max};
use arrow::datatypes::{Schema, TimestampMicrosecondType};
use datafusion_common::ScalarValue;
use datafusion_datasource::PartitionedFile;
use datafusion_datasource::file_groups::FileGroup;
use datafusion_datasource::file_scan_config::FileScanConfigBuilder;
use datafusion_datasource::source::DataSourceExec;
use datafusion_datasource_parquet::CachedParquetFileReaderFactory;
use datafusion_datasource_parquet::source::ParquetSource;
use datafusion_execution::config::SessionConfig;
use datafusion_execution::memory_pool::MemoryConsumer;
use datafusion_execution::object_store::ObjectStoreUrl;
use datafusion_execution::runtime_env::RuntimeEnvBuilder;
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_expr::Operator;
use datafusion_physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion_physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::common::spawn_buffered;
use datafusion_physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion_physical_plan::sorts::streaming_merge::StreamingMergeBuilder;
use futures::StreamExt;
use tokio::task::JoinSet;

use crate::answer::Watermark;
use crate::dedupe::Distinct;
use crate::delivery::standing;
use crate::error::{LakeError, Result};
use crate::file::{DataFile, Span};
use crate::options::LakeOptions;
use crate::schema::{Columns, SORT_ORDER, column};
use crate::snapshot::Snapshot;
use crate::storage::Root;
use crate::table::EventTable;

/// Parquet footers of immutable files, kept so that a query does not read them again.
const FOOTER_CACHE_BYTES: usize = 64 << 20;
const BATCH_ROWS: usize = 8192;

/// What a query reads.
pub(crate) enum Source {
    /// A workspace that never had an event.
    Empty,
    /// A table at one version, and when the newest of its events was received (microseconds).
    Table { table: Arc<EventTable>, snapshot: Arc<Snapshot>, received: Option<i64> },
}

impl Source {
    /// The columns of what is read.
    pub(crate) fn columns(&self) -> Arc<Columns> {
        match self {
            Self::Empty => Arc::new(Columns::new([])),
            Self::Table { snapshot, .. } => snapshot.columns.clone(),
        }
    }

    pub(crate) fn watermark(&self) -> Watermark {
        match self {
            Self::Empty => Watermark { version: 0, received: None },
            Self::Table { snapshot, received, .. } => Watermark {
                version: snapshot.version,
                received: received.and_then(chrono::DateTime::from_timestamp_micros),
            },
        }
    }
}

/// Which rows and columns are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scan {
    /// Names of columns that every table has, but the remainder; the rows handed out begin with these, in this order.
    pub columns: Vec<&'static str>,
    /// Properties whose values are read, where rows have them: `Property::values` finds them.
    pub properties: Vec<String>,
    /// Microseconds, both ends included. Files without such rows are skipped; others may still hand out rows outside.
    pub times: Option<Span>,
}

impl Scan {
    /// Whether the columns of a file tell all that is asked of properties, so that no remainder need be read.
    fn is_told(&self, file: &DataFile, columns: &Columns) -> bool {
        self.properties.iter().all(|name| columns.of(name).is_some_and(|promoted| file.is_whole(&promoted.column)))
    }

    /// The columns that rows are handed out with, of files all of which tell what is asked or not.
    fn names<'a>(&self, columns: &'a Columns, told: bool) -> Vec<&'a str> {
        let mut names: Vec<&'a str> = self.columns.clone();
        let promoted = self.properties.iter().filter_map(|name| columns.of(name));
        with(&mut names, promoted.map(|promoted| promoted.column.as_str()));
        if !told {
            with(&mut names, [column::PROPERTIES]);
        }
        names
    }
}

/// DataFusion as this crate uses it.
pub(crate) struct Engine {
    context: Arc<TaskContext>,
    store: ObjectStoreUrl,
    readers: Arc<CachedParquetFileReaderFactory>,
    parallelism: usize,
}

impl Engine {
    pub(crate) fn new(root: &Root, options: &LakeOptions) -> Result<Self> {
        let failed = || LakeError::failed("start the query engine");
        let runtime =
            RuntimeEnvBuilder::new().with_metadata_cache_limit(FOOTER_CACHE_BYTES).build_arc().map_err(failed())?;
        let store = ObjectStoreUrl::parse("lake://files").map_err(failed())?;
        runtime.register_object_store(store.as_ref(), root.store.clone());
        let footers = runtime.cache_manager.get_file_metadata_cache();
        let settings = SessionConfig::new().with_batch_size(BATCH_ROWS);
        Ok(Self {
            context: Arc::new(TaskContext::default().with_session_config(settings).with_runtime(runtime)),
            store,
            readers: Arc::new(CachedParquetFileReaderFactory::new(root.store.clone(), footers)),
            parallelism: options.parallelism.max(1),
        })
    }

    /// Feeds every row of the scan to a state per stream and returns the states. Rows of one user reach one state only.
    pub(crate) async fn fold<S, I, F>(&self, source: &Source, scan: &Scan, init: I, step: F) -> Result<Vec<S>>
    where
        S: Send + 'static,
        I: Fn() -> S,
        F: Fn(&mut S, &RecordBatch) -> Result<()> + Clone + Send + 'static,
    {
        let Source::Table { table, snapshot, .. } = source else { return Ok(Vec::new()) };
        let files = snapshot.files.iter().filter(|file| in_range(file, scan.times)).cloned().collect();
        self.fold_files((table, snapshot), files, scan, init, step).await
    }

    /// The latest of a column's times in the rows of files that stand (microseconds).
    pub(crate) async fn latest(
        &self,
        of: (&EventTable, &Snapshot),
        files: Vec<Arc<DataFile>>,
        column: &'static str,
        times: Option<Span>,
    ) -> Result<Option<i64>> {
        let scan = Scan { columns: vec![column], times, ..Scan::default() };
        let step = |latest: &mut Option<i64>, batch: &RecordBatch| {
            *latest = (*latest).max(max(batch.column(0).as_primitive::<TimestampMicrosecondType>()));
            Ok(())
        };
        Ok(self.fold_files(of, files, &scan, || None, step).await?.into_iter().flatten().max())
    }

    async fn fold_files<S, I, F>(
        &self,
        of: (&EventTable, &Snapshot),
        files: Vec<Arc<DataFile>>,
        scan: &Scan,
        init: I,
        step: F,
    ) -> Result<Vec<S>>
    where
        S: Send + 'static,
        I: Fn() -> S,
        F: Fn(&mut S, &RecordBatch) -> Result<()> + Clone + Send + 'static,
    {
        // Dropping the set when a caller gives up, or on the first error, stops the other streams too.
        let mut tasks = JoinSet::new();
        for share in share_out(overlapping(files), self.parallelism) {
            let mut streams = Vec::new();
            for stream in self.open(of, share, scan)? {
                streams.push(stream);
            }
            let (mut state, step) = (init(), step.clone());
            tasks.spawn(async move {
                for mut stream in streams {
                    while let Some(batch) = stream.next().await {
                        step(&mut state, &batch?)?;
                    }
                }
                Ok::<S, LakeError>(state)
            });
        }
        let mut states = Vec::new();
        while let Some(finished) = tasks.join_next().await {
            states.push(finished.map_err(LakeError::failed("run a query"))??);
        }
        Ok(states)
    }

    /// The rows of groups of overlapping files: one stream for all files that can be read as they lie, one for those of
    /// them whose remainders are read, too, one for those of which only rows that may fall need be looked for, and one
    /// for each merged group.
    fn open(
        &self,
        (table, snapshot): (&EventTable, &Snapshot),
        groups: Vec<Vec<Arc<DataFile>>>,
        scan: &Scan,
    ) -> Result<Vec<Rows>> {
        let (undone, columns) = (&snapshot.undone, &*snapshot.columns);
        let is_alone = |group: &Vec<Arc<DataFile>>| group.len() == 1 && group.iter().all(|file| !file.repeats);
        let (alone, merged): (Vec<_>, Vec<_>) = groups.into_iter().partition(is_alone);
        let (falling, firm): (Vec<_>, Vec<_>) = alone.into_iter().flatten().partition(|file| file.may_fall(undone));
        let (told, untold): (Vec<_>, Vec<_>) = firm.into_iter().partition(|file| scan.is_told(file, columns));
        let mut streams = Vec::new();
        for (files, told) in [(told, true), (untold, false)] {
            if !files.is_empty() {
                let stream = self.read((table, columns), &files, &scan.names(columns, told), scan.times)?;
                streams.push(stream.map(|batch| batch.map_err(LakeError::failed("read events"))).boxed());
            }
        }
        if !falling.is_empty() {
            let mut names = scan.names(columns, falling.iter().all(|file| scan.is_told(file, columns)));
            let wanted: Vec<usize> = (0..names.len()).collect();
            with(&mut names, [column::IMPORTS]);
            let undone = undone.clone();
            let stream = self.read((table, columns), &falling, &names, scan.times)?.map(move |batch| {
                let batch = standing(batch.map_err(LakeError::failed("read events"))?, &undone)?;
                batch.project(&wanted).map_err(LakeError::failed("read events"))
            });
            streams.push(stream.boxed());
        }
        for group in merged {
            streams.push(self.distinct((table, snapshot), &group, scan)?);
        }
        Ok(streams)
    }

    /// One stream of the distinct rows of overlapping files that stand, in sort order.
    fn distinct(
        &self,
        (table, snapshot): (&EventTable, &Snapshot),
        files: &[Arc<DataFile>],
        scan: &Scan,
    ) -> Result<Rows> {
        let (undone, columns) = (&snapshot.undone, &*snapshot.columns);
        let undone = files.iter().any(|file| file.may_fall(undone)).then(|| undone.clone());
        let mut names = scan.names(columns, files.iter().all(|file| scan.is_told(file, columns)));
        let wanted: Vec<usize> = (0..names.len()).collect();
        with(&mut names, SORT_ORDER.into_iter().chain([column::EVENT_ID]));
        if undone.is_some() {
            with(&mut names, [column::IMPORTS]);
        }
        let mut distinct = Distinct::default();
        let rows = self.merged((table, columns), files, &names, scan.times)?.map(move |batch| {
            let batch = match &undone {
                Some(undone) => standing(batch?, undone)?,
                None => batch?,
            };
            distinct.first_of_each(&batch)?.project(&wanted).map_err(LakeError::failed("merge files"))
        });
        Ok(rows.boxed())
    }

    /// One stream of all rows of overlapping files, in sort order: repetitions are in it, and what does not stand.
    /// The columns must be among those that are sorted by.
    pub(crate) fn merged(
        &self,
        of: (&EventTable, &Columns),
        files: &[Arc<DataFile>],
        names: &[&str],
        times: Option<Span>,
    ) -> Result<Rows> {
        let schema = of.1.arrow();
        let schema = Arc::new(schema.project(&places(schema, names)?).map_err(LakeError::failed("choose columns"))?);
        let mut streams = Vec::with_capacity(files.len());
        for file in files {
            // Each file is decoded by a task of its own, a batch ahead of the merge.
            streams.push(spawn_buffered(self.read(of, std::slice::from_ref(file), names, times)?, 1));
        }
        let failed = || LakeError::failed("merge files");
        let mut order = Vec::with_capacity(SORT_ORDER.len());
        for name in SORT_ORDER {
            let expr = Arc::new(Column::new_with_schema(name, &schema).map_err(failed())?);
            order.push(PhysicalSortExpr::new(expr, SortOptions { descending: false, nulls_first: false }));
        }
        let order = LexOrdering::new(order).ok_or_else(|| LakeError::told("merge files", "no sort order"))?;
        let merged = StreamingMergeBuilder::new()
            .with_streams(streams)
            .with_schema(schema)
            .with_expressions(&order)
            .with_metrics(BaselineMetrics::new(&ExecutionPlanMetricsSet::new(), 0))
            .with_batch_size(BATCH_ROWS)
            .with_reservation(MemoryConsumer::new("lake merge").register(self.context.memory_pool()))
            .with_round_robin_tie_breaker(false)
            .build()
            .map_err(failed())?;
        Ok(merged.map(|batch| batch.map_err(LakeError::failed("merge files"))).boxed())
    }

    /// The rows of files, one file after the other.
    fn read(
        &self,
        (table, columns): (&EventTable, &Columns),
        files: &[Arc<DataFile>],
        names: &[&str],
        times: Option<Span>,
    ) -> Result<SendableRecordBatchStream> {
        let schema = columns.arrow().clone();
        let indices = places(&schema, names)?;
        let failed = || LakeError::failed("open data files");
        let mut source = ParquetSource::new(schema).with_parquet_file_reader_factory(self.readers.clone());
        if let Some(times) =
            times.filter(|times| files.iter().any(|file| file.times.min < times.min || file.times.max > times.max))
        {
            source = source.with_predicate(time_predicate(times));
        }
        let files = files.iter().map(|file| PartitionedFile::new(table.location(file), file.bytes)).collect();
        let config = FileScanConfigBuilder::new(self.store.clone(), Arc::new(source))
            .with_file_group(FileGroup::new(files))
            .with_projection_indices(Some(indices))
            .map_err(failed())?
            .build();
        DataSourceExec::from_data_source(config).execute(0, self.context.clone()).map_err(failed())
    }
}

/// When the newest event that stands was received (microseconds). The log tells it, but of files with rows that do not
/// stand.
pub(crate) async fn received(engine: &Engine, table: &EventTable, snapshot: &Snapshot) -> Result<Option<i64>> {
    let (falling, firm): (Vec<_>, Vec<_>) =
        snapshot.files.iter().cloned().partition(|file| file.names_undone(&snapshot.undone));
    let known = firm.iter().map(|file| file.received.max).max();
    Ok(known.max(engine.latest((table, snapshot), falling, column::RECEIVED, None).await?))
}

/// Adds those of `more` that are not among the names.
fn with<'a>(names: &mut Vec<&'a str>, more: impl IntoIterator<Item = &'a str>) {
    for name in more {
        if !names.contains(&name) {
            names.push(name);
        }
    }
}

/// Where columns are in a schema.
fn places(schema: &Schema, names: &[&str]) -> Result<Vec<usize>> {
    let places = names.iter().map(|name| schema.index_of(name)).collect::<std::result::Result<_, _>>();
    places.map_err(LakeError::failed("choose columns"))
}

/// Rows in order of user and time.
pub(crate) type Rows = futures::stream::BoxStream<'static, Result<RecordBatch>>;

/// Lets DataFusion skip row groups and pages by their statistics.
fn time_predicate(times: Span) -> Arc<dyn PhysicalExpr> {
    // The column's place in the table's schema, where `time` is the second.
    let time: Arc<dyn PhysicalExpr> = Arc::new(Column::new(column::TIME, 1));
    let bound = |operator, value| -> Arc<dyn PhysicalExpr> {
        let literal = Literal::new(ScalarValue::TimestampMicrosecond(Some(value), Some("UTC".into())));
        Arc::new(BinaryExpr::new(time.clone(), operator, Arc::new(literal)))
    };
    Arc::new(BinaryExpr::new(bound(Operator::GtEq, times.min), Operator::And, bound(Operator::LtEq, times.max)))
}

pub(crate) fn in_range(file: &DataFile, times: Option<Span>) -> bool {
    times.is_none_or(|times| file.times.min <= times.max && times.min <= file.times.max)
}

/// Groups files so that files of different groups share no user, in order of users. Within a group older commits come
/// first.
pub(crate) fn overlapping(files: Vec<Arc<DataFile>>) -> Vec<Vec<Arc<DataFile>>> {
    let mut files: Vec<_> = files.into_iter().enumerate().collect();
    files.sort_by_key(|(_, file)| file.users.min);
    let mut groups: Vec<Vec<(usize, Arc<DataFile>)>> = Vec::new();
    let mut reach = None;
    for (age, file) in files {
        let joins = reach.is_some_and(|reach| file.users.min <= reach);
        reach = Some(reach.filter(|_| joins).map_or(file.users.max, |reach: i64| reach.max(file.users.max)));
        match groups.last_mut().filter(|_| joins) {
            Some(group) => group.push((age, file)),
            None => groups.push(vec![(age, file)]),
        }
    }
    for group in &mut groups {
        group.sort_by_key(|(age, _)| *age);
    }
    groups.into_iter().map(|group| group.into_iter().map(|(_, file)| file).collect()).collect()
}

/// Deals groups out to at most `shares` shares of similar size, the largest first.
fn share_out(mut groups: Vec<Vec<Arc<DataFile>>>, shares: usize) -> Vec<Vec<Vec<Arc<DataFile>>>> {
    let rows = |group: &[Arc<DataFile>]| group.iter().map(|file| file.rows).sum::<u64>();
    groups.sort_by_key(|group| std::cmp::Reverse(rows(group)));
    let mut dealt: Vec<(u64, Vec<_>)> = (0..shares.min(groups.len())).map(|_| (0, Vec::new())).collect();
    for group in groups {
        if let Some(least) = dealt.iter_mut().min_by_key(|(rows, _)| *rows) {
            least.0 += rows(&group);
            least.1.push(group);
        }
    }
    dealt.into_iter().map(|(_, share)| share).collect()
}
