//! The engine for several machines: PostgreSQL. All services may share one
//! database there; each has a schema of its own, `orders_db` for example.
//!
//! Writers of a service take turns here too, also those of several replicas: a
//! transaction that may write begins with a lock that stands for the schema and
//! ends with the transaction. So places in the outbox become visible in their
//! order, and what a transaction has read is still so when it writes.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, Postgres};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Transaction};
use tokio::sync::OwnedMutexGuard;
use tracing::Instrument as _;

use crate::config::{Config, Secret, variables};

use super::schema::Migrations;
use super::{BUSY_TIMEOUT, MAX_CONNECTIONS};

/// How long a query waits for a connection: less than the services' callers
/// wait, so that they are told that the server is away.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the server ends by itself, for a process that was halted in the middle
/// of a transaction holds the lock of all writers.
const LIMITS: [(&str, &str); 2] =
    [("idle_in_transaction_session_timeout", "5000"), ("statement_timeout", "30000")];

/// The oldest version that knows what migrations ask for, as the server says it.
const OLDEST: i32 = 140_000;

/// Opens the schema `namespace`, which is made where there is none, and brings
/// its tables up to date.
pub(super) async fn open(
    config: &Config,
    url: &Secret,
    namespace: &str,
    migrations: &Migrations,
) -> anyhow::Result<PgPool> {
    let options = options(url)?.application_name(&config.instance);
    let connection = connect(&options).await?;
    prepare(connection, namespace, &migrations.postgres())
        .await
        .with_context(|| format!("cannot bring the schema `{namespace}` up to date"))?;
    let lock_timeout = BUSY_TIMEOUT.as_millis().to_string();
    let own = [("search_path", namespace), ("lock_timeout", lock_timeout.as_str())];
    let pool = PgPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options.clone().options(own).options(LIMITS))
        .await;
    pool.map_err(|error| away(&options, error))
}

/// Whether the server can be used, without changing anything there.
pub(super) async fn reach(url: &Secret) -> anyhow::Result<()> {
    let options = options(url)?;
    let mut connection = connect(&options).await?;
    let version = sqlx::query_scalar("SELECT current_setting('server_version_num')::INT");
    let version: i32 =
        version.fetch_one(&mut connection).await.map_err(|error| away(&options, error))?;
    anyhow::ensure!(
        version >= OLDEST,
        "PostgreSQL {} at `{}:{}` is too old\nhelp: version {} or later is needed",
        version / 10_000,
        options.get_host(),
        options.get_port(),
        OLDEST / 10_000
    );
    Ok(connection.close().await?)
}

async fn connect(options: &PgConnectOptions) -> anyhow::Result<PgConnection> {
    let connecting = PgConnection::connect_with(options);
    match tokio::time::timeout(ACQUIRE_TIMEOUT, connecting).await {
        Ok(made) => made.map_err(|error| away(options, error)),
        Err(_) => Err(away(options, format!("no answer within {ACQUIRE_TIMEOUT:?}"))),
    }
}

/// What was tried, and how to mend it.
fn away(options: &PgConnectOptions, error: impl Display) -> anyhow::Error {
    let database = options.get_database().unwrap_or(options.get_username());
    anyhow::anyhow!(
        "cannot use the database `{database}` of PostgreSQL at `{}:{}` as `{}`: {error}\nhelp: start the \
         server and make the database, or say in `{}` which it is",
        options.get_host(),
        options.get_port(),
        options.get_username(),
        variables::POSTGRES
    )
}

fn options(url: &Secret) -> anyhow::Result<PgConnectOptions> {
    // The parser's own words may quote the URL, and with it the password.
    PgConnectOptions::from_str(url.expose()).ok().with_context(|| {
        format!(
            "`{0}` is no URL of a PostgreSQL database\nhelp: for example \
             `{0}=postgres://USER:PASSWORD@127.0.0.1:5432/cloudscale`",
            variables::POSTGRES
        )
    })
}

/// Makes the schema and its tables, one process at a time.
async fn prepare(
    mut connection: PgConnection,
    namespace: &str,
    migrations: &Migrator,
) -> anyhow::Result<()> {
    let lock = lock(namespace);
    connection.execute(AssertSqlSafe(format!("SELECT pg_advisory_lock({lock})"))).await?;
    connection
        .execute(AssertSqlSafe(format!(
            "CREATE SCHEMA IF NOT EXISTS \"{namespace}\"; SET search_path = \"{namespace}\""
        )))
        .await?;
    migrations.run(&mut connection).await?;
    // Its end frees the lock.
    Ok(connection.close().await?)
}

/// Starts a transaction that may write, with the turn of its schema.
///
/// This is a task of its own, so it comes to its end also when nobody waits for
/// it any more (the client of a request has gone): a connection that went back
/// to the pool half-way would have a transaction open that nobody knows of, and
/// the turn of all writers with it. `turn` is the one of this process.
pub(super) async fn begin(
    pool: &PgPool,
    namespace: &str,
    turn: OwnedMutexGuard<()>,
) -> Result<(Transaction<'static, Postgres>, OwnedMutexGuard<()>), sqlx::Error> {
    let (pool, lock) = (pool.clone(), lock(namespace));
    let begin = async move {
        let mut transaction = pool.begin().await?;
        // If that fails, the transaction is dropped and so rolled back.
        let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(lock);
        lock.execute(&mut *transaction).await?;
        Ok((transaction, turn))
    };
    let begun = tokio::spawn(begin.in_current_span()).await;
    begun.unwrap_or_else(|_| Err(sqlx::Error::WorkerCrashed))
}

/// A lock's number, from its schema's name (FNV-1a, 64 bits).
fn lock(namespace: &str) -> i64 {
    let hash = namespace.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}
