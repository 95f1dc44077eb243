//! The SQL of the audit log: each row goes after the one before, in the transaction of
//! what it tells of. Transactions that write take turns, so there is one order.

use chassis::store::{Row, Source, sql};
use chassis::{Operation, Write};
use contracts::accounts::AuditRow;

use super::Accounts;
use crate::audit::{Event, Head, follow};

const SELECT: Operation = Operation { name: "SELECT", collection: "audit" };

impl Accounts {
    /// Writes down what happened.
    pub(super) async fn note(
        &self,
        write: &mut Write,
        event: Event,
        now_ms: i64,
    ) -> anyhow::Result<()> {
        let head = self.head(write).await?.map_or_else(Head::empty, |(head, _)| head);
        let row = follow(&self.pepper, head.number + 1, &head.seal, &event, now_ms);
        let head = Head { number: row.number, seal: row.seal.clone() };
        let insert = sql("INSERT INTO audit (number, at_ms, kind, account, actor, session, detail,
                            seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
        let insert = insert.bind(row.number).bind(row.at_ms).bind(row.kind).bind(row.account);
        let insert = insert.bind(row.actor).bind(row.session).bind(row.detail).bind(row.seal);
        write.execute(insert).await?;
        let update = sql("INSERT INTO audit_head (one, number, seal, head_seal)
                          VALUES (1, ?1, ?2, ?3)
                          ON CONFLICT (one) DO UPDATE SET number = excluded.number,
                            seal = excluded.seal, head_seal = excluded.head_seal");
        let sealed = head.expected(&self.pepper);
        write.execute(update.bind(head.number).bind(head.seal).bind(sealed)).await?;
        self.crash.at("audit.written");
        Ok(())
    }

    /// Where the log ends, with the keyed hash that it has.
    pub(super) async fn head(
        &self,
        from: &mut impl Source,
    ) -> anyhow::Result<Option<(Head, String)>> {
        let query = sql("SELECT number, seal, head_seal FROM audit_head WHERE one = 1");
        let read = |row: &Row| {
            let head = Head { number: row.get("number")?, seal: row.get("seal")? };
            Ok((head, row.get("head_seal")?))
        };
        from.optional(query, read).await
    }

    /// Rows behind a place, at most so many.
    pub(crate) async fn audit_rows(&self, after: i64, limit: u32) -> anyhow::Result<Vec<AuditRow>> {
        let query = sql("SELECT * FROM audit WHERE number > ? ORDER BY number LIMIT ?");
        self.store.all(SELECT, query.bind(after).bind(limit), row).await
    }
}

pub(super) fn row(row: &Row) -> anyhow::Result<AuditRow> {
    Ok(AuditRow {
        number: row.get("number")?,
        at_ms: row.get("at_ms")?,
        kind: row.get("kind")?,
        account: row.get("account")?,
        actor: row.get("actor")?,
        session: row.get("session")?,
        detail: row.get("detail")?,
        seal: row.get("seal")?,
    })
}
