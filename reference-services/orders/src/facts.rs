//! The SQL of facts: what happened to an order is written once and read again
//! from its newest snapshot on. `store` calls this within its transactions and
//! gets whole orders.
//!
//! A snapshot saves reading what came before it and nothing else: one of another
//! form is passed over, and without any the facts give the same order.

use anyhow::Context as _;
use chassis::Write;
use chassis::store::{Row, Source, sql, values};
use contracts::orders::Happened;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::aggregate::{Aggregate, FORM, Fact, SNAPSHOT_FORM, upcast};

/// An order as its facts alone say it is.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) saga: Aggregate,
    /// Whether its snapshot, if it has one, was what the facts up to it say.
    pub(crate) snapshot_was_right: bool,
}

/// An order, read within a transaction or without.
pub(crate) async fn load(source: &mut impl Source, id: Uuid) -> anyhow::Result<Option<Aggregate>> {
    let begun = snapshot(source, id).await?;
    let after = begun.as_ref().map_or(0, |saga| saga.version);
    let facts = facts_after(source, id, after).await?;
    Ok(facts.iter().fold(begun, |saga, (fact, at_ms)| follow(saga, id, fact, *at_ms)))
}

/// An order from all of its facts.
pub(crate) async fn replay(source: &mut impl Source, id: Uuid) -> anyhow::Result<Option<Replayed>> {
    let snapshot = snapshot(source, id).await?;
    let mut snapshot_was_right = snapshot.is_none();
    let mut saga = None;
    for (fact, at_ms) in facts_after(source, id, 0).await? {
        saga = follow(saga, id, &fact, at_ms);
        snapshot_was_right |= saga == snapshot;
    }
    Ok(saga.map(|saga| Replayed { saga, snapshot_was_right }))
}

/// What happened to an order, as others may see it: at most `limit` facts after
/// the one with the number `after`.
pub(crate) async fn history(
    source: &mut impl Source,
    id: Uuid,
    after: i64,
    limit: u32,
) -> anyhow::Result<Vec<Happened>> {
    let facts = sql("SELECT version, kind, form, body, at_ms FROM order_facts
               WHERE order_id = ? AND version > ? ORDER BY version LIMIT ?");
    let read = |row: &Row| {
        let (version, at_ms): (i64, i64) = (row.get("version")?, row.get("at_ms")?);
        Ok(fact(row)?.told(version, at_ms))
    };
    let facts = source.all(facts.bind(id).bind(after).bind(limit), read).await;
    facts.with_context(|| format!("the history of order `{id}` cannot be read"))
}

/// False: the order has a fact with this number already.
pub(crate) async fn write_fact(
    write: &mut Write,
    after: &Aggregate,
    fact: &Fact,
    now_ms: i64,
) -> anyhow::Result<bool> {
    let tagged = serde_json::to_value(fact)?;
    let kind = tagged["kind"].as_str().context("a fact says its kind")?;
    let insert = sql("INSERT INTO order_facts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")
        .bind(after.order.id)
        .bind(after.version)
        .bind(kind)
        .bind(FORM)
        .bind(tagged["body"].to_string())
        .bind(now_ms);
    Ok(write.execute(insert).await? == 1)
}

/// Writes an order's snapshot in place of the one before.
pub(crate) async fn write_snapshot(write: &mut Write, saga: &Aggregate) -> anyhow::Result<()> {
    let insert = sql("INSERT INTO order_snapshots (order_id, version, form, body)
               VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (order_id) DO UPDATE SET version = ?2, form = ?3, body = ?4")
    .bind(saga.order.id)
    .bind(saga.version)
    .bind(SNAPSHOT_FORM)
    .bind(serde_json::to_string(saga)?);
    write.execute(insert).await?;
    Ok(())
}

async fn snapshot(source: &mut impl Source, id: Uuid) -> anyhow::Result<Option<Aggregate>> {
    let snapshot = sql("SELECT body FROM order_snapshots WHERE order_id = ? AND form = ?");
    let found: Option<String> =
        source.optional(snapshot.bind(id).bind(SNAPSHOT_FORM), values).await?;
    let Some(body) = found else { return Ok(None) };
    // One that cannot be read is none: the facts are there.
    let read = serde_json::from_str(&body);
    Ok(read
        .inspect_err(|error| tracing::warn!(order = %id, %error, "a snapshot cannot be read"))
        .ok())
}

async fn facts_after(
    source: &mut impl Source,
    id: Uuid,
    after: i64,
) -> anyhow::Result<Vec<(Fact, i64)>> {
    let facts = sql("SELECT kind, form, body, at_ms FROM order_facts
               WHERE order_id = ? AND version > ? ORDER BY version");
    let read = |row: &Row| Ok((fact(row)?, row.get("at_ms")?));
    let facts = source.all(facts.bind(id).bind(after), read).await;
    facts.with_context(|| format!("the facts of order `{id}` cannot be read"))
}

fn follow(saga: Option<Aggregate>, id: Uuid, fact: &Fact, at_ms: i64) -> Option<Aggregate> {
    match saga {
        None => Aggregate::begin(id, fact, at_ms),
        Some(saga) => Some(saga.apply(fact, at_ms)),
    }
}

fn fact(row: &Row) -> anyhow::Result<Fact> {
    let (kind, form): (&str, i64) = (row.get("kind")?, row.get("form")?);
    let body = upcast(kind, form, row.json("body")?);
    let tagged = match body {
        Value::Null => json!({ "kind": kind }),
        body => json!({ "kind": kind, "body": body }),
    };
    Ok(serde_json::from_value(tagged)?)
}
