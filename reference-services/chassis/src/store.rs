//! A service's own SQLite database. Reads run side by side; writes take turns
//! and hold the write lock from their first statement, so that none ever fails
//! half-way because another one was faster. Every operation is a CLIENT span
//! and a value of `db_client_operation_duration_seconds`.
//!
//! In WAL mode with `synchronous = NORMAL` a committed transaction outlives the
//! process; only a machine that loses power may lose the last ones.

use std::fmt::Display;
use std::fs::DirBuilder;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use opentelemetry::trace::Status;
use prometheus::IntCounter;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard};
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::metrics::Metrics;
use crate::serve::Chassis;
use crate::telemetry::SPANS;

/// Most open connections to the database.
pub const MAX_CONNECTIONS: u32 = 4;

/// How long a statement waits for a lock of another process.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a query waits for a free connection.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// Page cache of each connection, in KiB.
pub const CACHE_KIB: u32 = 512;

/// A service's database. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
    turn: Arc<Mutex<()>>,
    news: Arc<Notify>,
    metrics: Metrics,
    namespace: Arc<str>,
}

/// What an operation does, in the words of the OpenTelemetry conventions.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// The (leading) command, for example `INSERT`.
    pub name: &'static str,
    /// The (leading) table, for example `orders`.
    pub collection: &'static str,
}

/// A transaction that may write. Dropped without [`Write::commit`] it changes nothing.
#[derive(Debug)]
pub struct Write {
    transaction: Transaction<'static, Sqlite>,
    news: Arc<Notify>,
    events: Vec<IntCounter>,
    _turn: OwnedMutexGuard<()>,
}

impl Store {
    /// Opens (or creates) the database of the service in its data folder and
    /// brings its tables up to date. A folder that is made here is its owner's
    /// alone; one that was there keeps its permissions.
    pub async fn open(chassis: &Chassis, migrations: &Migrator) -> anyhow::Result<Self> {
        let config = &chassis.config;
        folder(&config.data_dir)
            .with_context(|| format!("cannot create `{}`", config.data_dir.display()))?;
        let file = config.data_dir.join(format!("{}.sqlite", config.service));
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .pragma("cache_size", format!("-{CACHE_KIB}"))
            .statement_cache_capacity(32);
        let pool = SqlitePoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .min_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .with_context(|| format!("cannot open `{}`", file.display()))?;
        migrations.run(&pool).await.context("cannot bring the database up to date")?;
        chassis.metrics.watch_pool(&format!("{}_db", config.service), pool.clone());
        Ok(Self {
            pool,
            turn: Arc::default(),
            news: Arc::default(),
            metrics: chassis.metrics.clone(),
            namespace: format!("{}_db", config.service).into(),
        })
    }

    /// Where queries that only read are run.
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Starts a transaction that may write, when its turn has come.
    pub async fn begin(&self) -> Result<Write, sqlx::Error> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let news = Arc::clone(&self.news);
        Ok(Write { transaction, news, events: Vec::new(), _turn: turn })
    }

    /// Wakes whoever waits for events that were published.
    pub(crate) fn news(&self) -> Arc<Notify> {
        Arc::clone(&self.news)
    }

    /// Runs `work` (a query, or a whole transaction) as one operation that
    /// traces and metrics show.
    pub async fn run<T, E: Display>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let Operation { name, collection } = operation;
        let summary = format!("{name} {collection}");
        let span = tracing::info_span!(
            target: SPANS, "database", otel.name = summary, otel.kind = "client"
        );
        span.set_attribute("db.system.name", "sqlite");
        span.set_attribute("db.namespace", self.namespace.to_string());
        span.set_attribute("db.operation.name", name);
        span.set_attribute("db.collection.name", collection);
        span.set_attribute("db.query.summary", summary);
        let start = Instant::now();
        let outcome = work.instrument(span.clone()).await;
        if let Err(error) = &outcome {
            span.set_attribute("error.type", "database");
            span.set_status(Status::error(error.to_string()));
        }
        let error = if outcome.is_err() { "database" } else { "" };
        let labels = ["sqlite", &self.namespace, name, collection, error];
        self.metrics.database.with_label_values(&labels).observe(start.elapsed().as_secs_f64());
        outcome
    }

    /// Whether the database answers.
    pub async fn is_ready(&self) -> bool {
        sqlx::query("SELECT 1").execute(&self.pool).await.is_ok()
    }

    /// Closes the connections, after which the file is whole by itself.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

impl Write {
    /// Makes the changes last.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        let Self { transaction, news, events, _turn } = self;
        transaction.commit().await?;
        if !events.is_empty() {
            events.iter().for_each(IntCounter::inc);
            news.notify_waiters();
        }
        Ok(())
    }

    /// Counts an event in `counter`, and wakes those who wait for events, when
    /// the transaction commits.
    pub(crate) fn announce(&mut self, counter: IntCounter) {
        self.events.push(counter);
    }
}

impl Deref for Write {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.transaction
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }
}
