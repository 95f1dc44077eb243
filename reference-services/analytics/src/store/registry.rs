//! Versions of schemas. A new one is taken when it takes all that every older one
//! took; what it is asked about is then always read with the newest.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use chassis::store::{Row, Source as _, Store, sql, values};
use chassis::{Operation, Write};
use contracts::analytics::RegisteredSchema;
use serde_json::Value;

use crate::domain::Source;
use crate::schema::{self, Schema};

use super::Desk;

const REGISTER: Operation = Operation { name: "INSERT", collection: "schemas" };
const LIST: Operation = Operation { name: "SELECT", collection: "schemas" };

/// Most subjects.
pub(crate) const MAX_SUBJECTS: i64 = 200;

/// Most versions of one.
pub(crate) const MAX_VERSIONS: u32 = 50;

/// Longest subject.
pub(crate) const MAX_SUBJECT_BYTES: usize = 64;

/// The schemas that analytics begins with.
const FIRST: &str = include_str!("../../schemas.json");

/// Every version of every subject, in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry(Arc<BTreeMap<String, BTreeMap<u32, Schema>>>);

/// What became of a registration.
#[derive(Debug)]
pub(crate) enum Registered {
    /// It is this version now.
    New(RegisteredSchema),
    /// It was the newest version already.
    Known(RegisteredSchema),
    /// It breaks older versions, and why.
    Breaks(Vec<String>),
    /// There are as many as there may be.
    Full(&'static str),
}

impl Registry {
    /// Why an event is not taken; nothing: it keeps to its schema.
    pub(crate) fn fault(
        &self,
        subject: &str,
        version: Option<u32>,
        body: &Value,
    ) -> Option<String> {
        let Some(versions) = self.0.get(subject) else {
            return Some(format!("no schema is registered for `{subject}`"));
        };
        let schema = match version {
            Some(version) => versions.get(&version),
            None => versions.values().next_back(),
        };
        let Some(schema) = schema else {
            let version = version.unwrap_or_default();
            return Some(format!("`{subject}` has no version {version}"));
        };
        let faults = schema.faults(body);
        (!faults.is_empty()).then(|| faults.join(", "))
    }
}

/// Whether a subject may be named so: a source, a dot, and a kind.
pub(crate) fn is_subject(text: &str) -> bool {
    let Some((source, kind)) = text.split_once('.') else { return false };
    let known = Source::ALL.iter().any(|known| known.name() == source);
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    known && !kind.is_empty() && kind.bytes().all(plain) && text.len() <= MAX_SUBJECT_BYTES
}

/// Every schema that there is.
pub(crate) async fn load(store: &Store) -> anyhow::Result<Registry> {
    let all = store.reader().all(sql("SELECT * FROM schemas"), row).await?;
    let mut subjects: BTreeMap<String, BTreeMap<u32, Schema>> = BTreeMap::new();
    for one in all {
        let parsed = schema::parse(&one.schema).map_err(anyhow::Error::msg)?;
        subjects.entry(one.subject).or_default().insert(one.version, parsed);
    }
    Ok(Registry(Arc::new(subjects)))
}

impl Desk {
    /// Registers the schemas that analytics begins with, where there are none.
    pub(crate) async fn register_first(&self, now_ms: i64) -> anyhow::Result<()> {
        let first: BTreeMap<String, Value> = serde_json::from_str(FIRST)?;
        let mut write = self.store.begin().await?;
        for (subject, schema) in first {
            let insert = sql("INSERT INTO schemas (subject, version, schema, registered_ms)
                              VALUES (?1, 1, ?2, ?3) ON CONFLICT (subject, version) DO NOTHING");
            let insert = insert.bind(&subject).bind(schema.to_string()).bind(now_ms);
            write.execute(insert).await?;
        }
        Ok(write.commit().await?)
    }

    /// Registers a version, after comparing it with all older ones.
    pub(crate) async fn register(
        &self,
        subject: &str,
        json: &Value,
        schema: &Schema,
        now_ms: i64,
    ) -> anyhow::Result<Registered> {
        let work = async |write: &mut Write| {
            let older = sql("SELECT * FROM schemas WHERE subject = ?1 ORDER BY version");
            let older = write.all(older.bind(subject), row).await?;
            if let Some(newest) = older.last().filter(|newest| newest.schema == *json) {
                return Ok(Registered::Known(newest.clone()));
            }
            let mut reasons = Vec::new();
            for one in &older {
                let before = schema::parse(&one.schema).map_err(anyhow::Error::msg)?;
                let found = schema.breaks(&before).into_iter();
                reasons.extend(found.map(|reason| format!("version {}: {reason}", one.version)));
            }
            if !reasons.is_empty() {
                return Ok(Registered::Breaks(reasons));
            }
            let version = older.last().map_or(1, |newest| newest.version + 1);
            let subjects = sql("SELECT COUNT(DISTINCT subject) FROM schemas");
            let subjects: i64 = write.one(subjects, values).await?;
            if older.is_empty() && subjects >= MAX_SUBJECTS {
                return Ok(Registered::Full("there are as many subjects as there may be"));
            }
            if version > MAX_VERSIONS {
                return Ok(Registered::Full("the subject has as many versions as it may have"));
            }
            let insert = sql("INSERT INTO schemas (subject, version, schema, registered_ms)
                              VALUES (?1, ?2, ?3, ?4)");
            let insert = insert.bind(subject).bind(version).bind(json.to_string()).bind(now_ms);
            write.execute(insert).await?;
            let (subject, schema) = (subject.to_owned(), json.clone());
            Ok(Registered::New(RegisteredSchema {
                subject,
                version,
                schema,
                registered_ms: now_ms,
            }))
        };
        self.store.write(REGISTER, work).await
    }

    /// Versions behind a subject and version, in their order.
    pub(crate) async fn schemas(
        &self,
        after: (&str, u32),
        limit: u32,
    ) -> anyhow::Result<Vec<RegisteredSchema>> {
        let list = sql("SELECT * FROM schemas
                        WHERE subject > ?1 OR (subject = ?1 AND version > ?2)
                        ORDER BY subject, version LIMIT ?3");
        self.store.all(LIST, list.bind(after.0).bind(after.1).bind(limit), row).await
    }
}

fn row(row: &Row) -> anyhow::Result<RegisteredSchema> {
    let subject: String = row.get("subject")?;
    let schema = row.json("schema").with_context(|| format!("the schema of `{subject}`"))?;
    let (version, registered_ms) = (row.get("version")?, row.get("registered_ms")?);
    Ok(RegisteredSchema { subject, version, schema, registered_ms })
}
