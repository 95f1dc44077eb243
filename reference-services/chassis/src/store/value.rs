//! A statement with its values, as a service writes it: SQL text that both
//! engines understand, with SQLite's placeholders (`?`, `?2`). `source` hands it
//! to an engine, and there PostgreSQL's placeholders (`$1`) are put in.

use sqlx::AssertSqlSafe;
use sqlx::Sqlite;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use uuid::Uuid;

/// A statement with its values.
#[derive(Debug, Clone)]
#[must_use = "a statement does nothing until it is handed to a store or a transaction"]
pub struct Sql {
    text: &'static str,
    values: Vec<Value>,
}

/// A statement; its values are bound in the order of their numbers.
pub fn sql(text: &'static str) -> Sql {
    Sql { text, values: Vec::new() }
}

impl Sql {
    /// Gives the next placeholder its value.
    pub fn bind(mut self, value: impl Bind) -> Self {
        self.values.push(value.value());
        self
    }

    pub(super) fn sqlite(self) -> Query<'static, Sqlite, SqliteArguments> {
        self.values.into_iter().fold(sqlx::query(self.text), |query, value| match value {
            Value::Whole(value) => query.bind(value),
            Value::Real(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
        })
    }

    pub(super) fn postgres(self) -> Query<'static, Postgres, PgArguments> {
        let query = sqlx::query(AssertSqlSafe(numbered(self.text)));
        self.values.into_iter().fold(query, |query, value| match value {
            Value::Whole(value) => query.bind(value),
            Value::Real(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
        })
    }
}

/// What both engines can keep. A NULL has a type too: PostgreSQL asks for it.
#[derive(Debug, Clone)]
pub enum Value {
    /// `INTEGER` (SQLite), `BIGINT` (PostgreSQL).
    Whole(Option<i64>),
    /// `REAL` (SQLite), `DOUBLE PRECISION` (PostgreSQL).
    Real(Option<f64>),
    /// `TEXT`.
    Text(Option<String>),
    /// `BLOB` (SQLite), `BYTEA` (PostgreSQL).
    Bytes(Option<Vec<u8>>),
}

/// What can be bound: whole numbers of up to 63 bits, truth values (1 or 0),
/// floating point, text, UUIDs (as text), bytes, and options of them.
pub trait Bind {
    /// The value as it is kept.
    fn value(self) -> Value;
    /// The NULL of this type.
    fn null() -> Value;
}

impl<T: Bind> Bind for Option<T> {
    fn value(self) -> Value {
        self.map_or_else(T::null, T::value)
    }

    fn null() -> Value {
        T::null()
    }
}

macro_rules! bind {
    ($($type:ty => $kind:ident, $as:expr;)*) => {$(
        impl Bind for $type {
            fn value(self) -> Value {
                let kept: fn(Self) -> _ = $as;
                Value::$kind(Some(kept(self)))
            }

            fn null() -> Value {
                Value::$kind(None)
            }
        }
    )*};
}

bind! {
    i64 => Whole, |value| value;
    i32 => Whole, i64::from;
    u32 => Whole, i64::from;
    u16 => Whole, i64::from;
    u8 => Whole, i64::from;
    bool => Whole, i64::from;
    f64 => Real, |value| value;
    String => Text, |value| value;
    &String => Text, |value| value.clone();
    &str => Text, str::to_owned;
    Uuid => Text, |value| value.to_string();
    Vec<u8> => Bytes, |value| value;
    &Vec<u8> => Bytes, |value| value.clone();
    &[u8] => Bytes, <[u8]>::to_vec;
}

/// PostgreSQL's placeholders for SQLite's: `?3` becomes `$3`, and a `?` without
/// a number gets the one after the highest before it. What is quoted stays.
pub(super) fn numbered(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let (mut highest, mut quote) = (0_u32, None);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(end), _) => {
                quote = quote.filter(|_| character != end);
                out.push(character);
            }
            (None, '\'' | '"') => {
                quote = Some(character);
                out.push(character);
            }
            (None, '?') => {
                let mut number = String::new();
                while let Some(digit) = characters.next_if(char::is_ascii_digit) {
                    number.push(digit);
                }
                let number = number.parse().unwrap_or(highest + 1);
                highest = highest.max(number);
                out.push_str(&format!("${number}"));
            }
            (None, _) => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_as_sqlite_numbers_them() {
        for (sqlite, postgres) in [
            ("SELECT ?, ?", "SELECT $1, $2"),
            ("VALUES (?1, ?2, ?2, ?)", "VALUES ($1, $2, $2, $3)"),
            ("x = ?12 AND y = ?", "x = $12 AND y = $13"),
            ("x = 'why?' AND \"a?\" = ?", "x = 'why?' AND \"a?\" = $1"),
            ("x = 'it''s ?' OR y = ?", "x = 'it''s ?' OR y = $1"),
        ] {
            assert_eq!(numbered(sqlite), postgres);
        }
    }
}
