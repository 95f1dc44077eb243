//! The embedded engine: one SQLite file in the service's data folder.
//!
//! In WAL mode with `synchronous = NORMAL` a committed transaction outlives the
//! process; only a machine that loses power may lose the last ones.

use anyhow::Context as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::config::Config;

use super::schema::Migrations;
use super::{ACQUIRE_TIMEOUT, BUSY_TIMEOUT, CACHE_KIB, MAX_CONNECTIONS};

/// How a transaction begins that may write: with the lock, so that it never
/// fails half-way because another one was faster.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

/// Opens (or creates) the database and brings its tables up to date.
pub(super) async fn open(config: &Config, migrations: &Migrations) -> anyhow::Result<SqlitePool> {
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
    let migrated = migrations.sqlite().run(&pool).await;
    migrated.context("cannot bring the database up to date")?;
    Ok(pool)
}
