//! Where statements are run: a transaction ([`super::Write`]), or the store
//! itself for reading ([`super::Reader`]). Both give the same answers.

use anyhow::Context as _;

use super::row::Row;
use super::value::Sql;

/// Runs statements.
pub trait Source: Send {
    /// Every row that a query finds.
    fn rows(&mut self, sql: Sql) -> impl Future<Output = anyhow::Result<Vec<Row>>> + Send;

    /// Runs a statement, and says how many rows it changed.
    fn execute(&mut self, sql: Sql) -> impl Future<Output = anyhow::Result<u64>> + Send;

    /// Every row, read by `read`.
    fn all<T: Send>(
        &mut self,
        sql: Sql,
        read: impl Fn(&Row) -> anyhow::Result<T> + Send,
    ) -> impl Future<Output = anyhow::Result<Vec<T>>> + Send {
        async move { self.rows(sql).await?.iter().map(read).collect() }
    }

    /// The first row, if there is one.
    fn optional<T: Send>(
        &mut self,
        sql: Sql,
        read: impl Fn(&Row) -> anyhow::Result<T> + Send,
    ) -> impl Future<Output = anyhow::Result<Option<T>>> + Send {
        async move { self.rows(sql).await?.first().map(read).transpose() }
    }

    /// The row that there must be.
    fn one<T: Send>(
        &mut self,
        sql: Sql,
        read: impl Fn(&Row) -> anyhow::Result<T> + Send,
    ) -> impl Future<Output = anyhow::Result<T>> + Send {
        async move {
            let rows = self.rows(sql).await?;
            read(rows.first().context("the query found no row")?)
        }
    }
}
