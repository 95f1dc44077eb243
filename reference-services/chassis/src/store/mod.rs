//! A service's own database: SQLite in its folder (embedded), or a schema in
//! PostgreSQL (servers). The service writes its SQL once ([`sql()`], in what both
//! understand) and does not know which of them answers.
//!
//! Reads run side by side; writes take turns from their first statement on, so
//! that none fails half-way because another one was faster. Every operation is
//! a CLIENT span and a value of `db_client_operation_duration_seconds`.
//!
//! ```no_run
//! use chassis::store::{Source, sql, values};
//! # use chassis::{Operation, Store};
//! # const SELECT: Operation = Operation { name: "SELECT", collection: "notes" };
//! # const INSERT: Operation = Operation { name: "INSERT", collection: "notes" };
//!
//! async fn add(store: &Store, text: &str) -> anyhow::Result<i64> {
//!     let write = async |write: &mut chassis::Write| {
//!         let insert = sql("INSERT INTO notes (text) VALUES (?) ON CONFLICT DO NOTHING");
//!         write.execute(insert.bind(text)).await?;
//!         write.one(sql("SELECT id FROM notes WHERE text = ?").bind(text), values).await
//!     };
//!     store.write(INSERT, write).await
//! }
//!
//! async fn texts(store: &Store) -> anyhow::Result<Vec<String>> {
//!     store.all(SELECT, sql("SELECT text FROM notes ORDER BY id"), values).await
//! }
//! ```
//!
//! What both engines understand, as far as services need it:
//! - Tables in SQLite's words, `INTEGER`, `TEXT`, `BLOB`, `REAL`, `STRICT`
//!   (see [`Migrations`]); truth values are `INTEGER`, UUIDs and JSON are `TEXT`.
//! - `INSERT ... ON CONFLICT ... DO`, `RETURNING`, `UPDATE ... FROM`, CTEs,
//!   `COUNT(*) FILTER (WHERE ...)`; in `DO UPDATE SET` an old value is named with
//!   its table.
//! - `CAST(SUM(x) AS BIGINT)`: PostgreSQL's sums are wider than what they sum.
//! - A subquery in `FROM` has a name. No scalar `MIN(a, b)`, no truth values as
//!   numbers, no `rowid`, no functions of JSON.

use std::fmt::Display;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use opentelemetry::trace::Status;
use prometheus::IntCounter;
use sqlx::postgres::{PgPool, Postgres};
use sqlx::sqlite::SqlitePool;
use sqlx::{AssertSqlSafe, Sqlite, Transaction};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard};
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::config::Engines;
use crate::metrics::Metrics;
use crate::serve::Chassis;
use crate::telemetry::SPANS;

mod outage;
mod postgres;
mod row;
mod schema;
mod source;
mod sqlite;
mod value;

pub(crate) use outage::{Outage, outage};
pub use row::{Column, Get, Row, Values, values};
pub use schema::Migrations;
pub use source::Source;
pub use value::{Bind, Sql, Value, sql};

/// Most open connections to the database.
pub const MAX_CONNECTIONS: u32 = 4;

/// How long a statement waits for a lock of another process.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a query waits for a free connection to SQLite.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// Page cache of each connection to SQLite, in KiB.
pub const CACHE_KIB: u32 = 512;

/// A service's database. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool,
    turn: Arc<Mutex<()>>,
    news: Arc<Notify>,
    metrics: Metrics,
    namespace: Arc<str>,
}

/// Connections to the one engine or the other.
#[derive(Debug, Clone)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Which database answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file in the service's folder.
    Sqlite,
    /// A schema on a server.
    Postgres,
}

/// What an operation does, in the words of the OpenTelemetry conventions.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// The (leading) command, for example `INSERT`.
    pub name: &'static str,
    /// The (leading) table, for example `orders`.
    pub collection: &'static str,
}

/// Reads outside of a transaction, each statement on its own.
#[derive(Debug, Clone)]
pub struct Reader(Pool);

/// A transaction that may write. Dropped without [`Write::commit`] it changes nothing.
#[derive(Debug)]
pub struct Write {
    transaction: Begun,
    news: Arc<Notify>,
    events: Vec<IntCounter>,
    undone: bool,
    _turn: OwnedMutexGuard<()>,
}

#[derive(Debug)]
enum Begun {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Whether the servers can be used, with what was tried and how to mend it when
/// they cannot. Nothing is changed there.
pub async fn reach(engines: &Engines) -> anyhow::Result<()> {
    match engines {
        Engines::Embedded => Ok(()),
        Engines::Servers(servers) => postgres::reach(&servers.postgres).await,
    }
}

impl Store {
    /// Opens (or creates) the database of the service, with the engine that its
    /// settings name, and brings its tables up to date. A data folder that is
    /// made here is its owner's alone; one that was there keeps its permissions.
    pub async fn open(chassis: &Chassis, migrations: &Migrations) -> anyhow::Result<Self> {
        let config = &chassis.config;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&config.data_dir)
            .with_context(|| format!("cannot create `{}`", config.data_dir.display()))?;
        let namespace = format!("{}_db", config.service);
        let pool = match &config.engines {
            Engines::Embedded => Pool::Sqlite(sqlite::open(config, migrations).await?),
            Engines::Servers(servers) => Pool::Postgres(
                postgres::open(config, &servers.postgres, &namespace, migrations).await?,
            ),
        };
        chassis.metrics.watch_pool(&namespace, pool.clone());
        Ok(Self {
            pool,
            turn: Arc::default(),
            news: Arc::default(),
            metrics: chassis.metrics.clone(),
            namespace: namespace.into(),
        })
    }

    /// Which database answers.
    pub fn engine(&self) -> Engine {
        match self.pool {
            Pool::Sqlite(_) => Engine::Sqlite,
            Pool::Postgres(_) => Engine::Postgres,
        }
    }

    /// Where statements that only read are run without a trace: those that look
    /// in vain nearly every time.
    pub fn reader(&self) -> Reader {
        Reader(self.pool.clone())
    }

    /// Starts a transaction that may write, when its turn has come.
    pub async fn begin(&self) -> Result<Write, sqlx::Error> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let (transaction, turn) = match &self.pool {
            Pool::Sqlite(pool) => (Begun::Sqlite(pool.begin_with(sqlite::BEGIN).await?), turn),
            Pool::Postgres(pool) => {
                let (transaction, turn) = postgres::begin(pool, &self.namespace, turn).await?;
                (Begun::Postgres(transaction), turn)
            }
        };
        let news = Arc::clone(&self.news);
        Ok(Write { transaction, news, events: Vec::new(), undone: false, _turn: turn })
    }

    /// Runs `work` in one transaction, which lasts when `work` succeeds (and did
    /// not say [`Write::undo`]), as one operation that traces and metrics show.
    pub async fn write<T>(
        &self,
        operation: Operation,
        work: impl AsyncFnOnce(&mut Write) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let transaction = async {
            let mut write = self.begin().await?;
            let done = work(&mut write).await?;
            if !write.undone {
                write.commit().await?;
            }
            Ok(done)
        };
        self.run(operation, transaction).await
    }

    /// As [`Source::all`], as one operation that traces and metrics show.
    pub async fn all<T: Send>(
        &self,
        operation: Operation,
        sql: Sql,
        read: impl Fn(&Row) -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<Vec<T>> {
        self.run(operation, self.reader().all(sql, read)).await
    }

    /// As [`Source::optional`], as one operation that traces and metrics show.
    pub async fn optional<T: Send>(
        &self,
        operation: Operation,
        sql: Sql,
        read: impl Fn(&Row) -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<Option<T>> {
        self.run(operation, self.reader().optional(sql, read)).await
    }

    /// Makes tables where there are none. They are written as in migrations.
    pub async fn prepare(&self, tables: &[&'static str]) -> anyhow::Result<()> {
        let mut write = self.begin().await?;
        for table in tables {
            match &mut write.transaction {
                Begun::Sqlite(transaction) => {
                    sqlx::raw_sql(*table).execute(&mut **transaction).await?;
                }
                Begun::Postgres(transaction) => {
                    let table = AssertSqlSafe(schema::for_postgres(table));
                    sqlx::raw_sql(table).execute(&mut **transaction).await?;
                }
            }
        }
        Ok(write.commit().await?)
    }

    /// Wakes whoever waits for events that were published.
    pub(crate) fn news(&self) -> Arc<Notify> {
        Arc::clone(&self.news)
    }

    /// Runs `work` (a query, or a whole transaction) as one operation that
    /// metrics show, and traces where it is part of one: what is looked up
    /// again and again in the background would fill the list of traces.
    pub async fn run<T, E: Display>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let Operation { name, collection } = operation;
        let system = self.engine().system();
        let summary = format!("{name} {collection}");
        let span = match Span::current().is_none() {
            true => Span::none(),
            false => tracing::info_span!(
                target: SPANS, "database", otel.name = summary, otel.kind = "client"
            ),
        };
        span.set_attribute("db.system.name", system);
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
        let labels = [system, &self.namespace, name, collection, error];
        self.metrics.database.with_label_values(&labels).observe(start.elapsed().as_secs_f64());
        outcome
    }

    /// Whether the database answers.
    pub async fn is_ready(&self) -> bool {
        self.reader().rows(sql("SELECT 1")).await.is_ok()
    }

    /// Closes the connections, after which an embedded file is whole by itself.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

impl Engine {
    /// Its name in telemetry, after the OpenTelemetry conventions.
    pub fn system(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgresql",
        }
    }
}

impl Pool {
    /// Connections that are open, and those of them that do nothing.
    pub(crate) fn counts(&self) -> (u32, usize) {
        match self {
            Self::Sqlite(pool) => (pool.size(), pool.num_idle()),
            Self::Postgres(pool) => (pool.size(), pool.num_idle()),
        }
    }
}

impl Source for Reader {
    async fn rows(&mut self, sql: Sql) -> anyhow::Result<Vec<Row>> {
        Ok(match &self.0 {
            Pool::Sqlite(pool) => {
                sql.sqlite().fetch_all(pool).await?.into_iter().map(Row::Sqlite).collect()
            }
            Pool::Postgres(pool) => {
                sql.postgres().fetch_all(pool).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    async fn execute(&mut self, sql: Sql) -> anyhow::Result<u64> {
        Ok(match &self.0 {
            Pool::Sqlite(pool) => sql.sqlite().execute(pool).await?.rows_affected(),
            Pool::Postgres(pool) => sql.postgres().execute(pool).await?.rows_affected(),
        })
    }
}

impl Source for Write {
    async fn rows(&mut self, sql: Sql) -> anyhow::Result<Vec<Row>> {
        Ok(match &mut self.transaction {
            Begun::Sqlite(on) => {
                sql.sqlite().fetch_all(&mut **on).await?.into_iter().map(Row::Sqlite).collect()
            }
            Begun::Postgres(on) => {
                sql.postgres().fetch_all(&mut **on).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    async fn execute(&mut self, sql: Sql) -> anyhow::Result<u64> {
        Ok(match &mut self.transaction {
            Begun::Sqlite(on) => sql.sqlite().execute(&mut **on).await?.rows_affected(),
            Begun::Postgres(on) => sql.postgres().execute(&mut **on).await?.rows_affected(),
        })
    }
}

impl Write {
    /// Makes the changes last.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        let Self { transaction, news, events, undone: _, _turn } = self;
        match transaction {
            Begun::Sqlite(transaction) => transaction.commit().await?,
            Begun::Postgres(transaction) => transaction.commit().await?,
        }
        if !events.is_empty() {
            events.iter().for_each(IntCounter::inc);
            news.notify_waiters();
        }
        Ok(())
    }

    /// Lets [`Store::write`] roll back although its work succeeded: what it
    /// found out is wanted, and what it changed is not.
    pub fn undo(&mut self) {
        self.undone = true;
    }

    /// Counts an event in `counter`, and wakes those who wait for events, when
    /// the transaction commits.
    pub(crate) fn announce(&mut self, counter: IntCounter) {
        self.events.push(counter);
    }
}
