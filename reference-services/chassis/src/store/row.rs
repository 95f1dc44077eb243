//! A row that a query found, whatever engine found it. Services turn rows into
//! typed values with it.

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use sqlx::postgres::{PgRow, Postgres};
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row as _, Sqlite, Type, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

/// A row.
pub enum Row {
    #[doc(hidden)]
    Sqlite(SqliteRow),
    #[doc(hidden)]
    Postgres(PgRow),
}

/// A column, by its name or its place (from 0).
#[derive(Debug, Clone, Copy)]
pub enum Column<'a> {
    /// By its name.
    Named(&'a str),
    /// By its place.
    At(usize),
}

impl<'a> From<&'a str> for Column<'a> {
    fn from(name: &'a str) -> Self {
        Self::Named(name)
    }
}

impl From<usize> for Column<'_> {
    fn from(place: usize) -> Self {
        Self::At(place)
    }
}

impl Row {
    /// A column's value.
    pub fn get<'r, T: Get<'r>>(&'r self, column: impl Into<Column<'r>>) -> anyhow::Result<T> {
        T::get(self, column.into())
    }

    /// A column that holds one of a few words; `known` knows them.
    pub fn word<T>(&self, column: &str, known: impl Fn(&str) -> Option<T>) -> anyhow::Result<T> {
        let word: &str = self.get(column)?;
        known(word).with_context(|| format!("`{word}` is no known `{column}`"))
    }

    /// A column that holds JSON.
    pub fn json<T: DeserializeOwned>(&self, column: &str) -> anyhow::Result<T> {
        let text: &str = self.get(column)?;
        serde_json::from_str(text).with_context(|| format!("`{column}` cannot be read"))
    }

    fn native<'r, T>(&'r self, column: Column<'r>) -> Result<T, sqlx::Error>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>,
    {
        match (self, column) {
            (Self::Sqlite(row), Column::Named(name)) => row.try_get(name),
            (Self::Sqlite(row), Column::At(place)) => row.try_get(place),
            (Self::Postgres(row), Column::Named(name)) => row.try_get(name),
            (Self::Postgres(row), Column::At(place)) => row.try_get(place),
        }
    }

    /// A whole number. PostgreSQL has several widths, of which literals take the
    /// narrower ones.
    fn whole(&self, column: Column<'_>) -> Result<Option<i64>, sqlx::Error> {
        let Self::Postgres(row) = self else { return self.native(column) };
        let found = match column {
            Column::Named(name) => row.try_get_raw(name)?,
            Column::At(place) => row.try_get_raw(place)?,
        };
        let narrow = found.type_info().name() == "INT4";
        match (narrow, column) {
            (false, _) => self.native(column),
            (true, Column::Named(name)) => Ok(row.try_get::<Option<i32>, _>(name)?.map(i64::from)),
            (true, Column::At(at)) => Ok(row.try_get::<Option<i32>, _>(at)?.map(i64::from)),
        }
    }
}

/// What can be read from a column; an option where it may be NULL.
pub trait Get<'r>: Sized {
    /// Reads it.
    fn get(row: &'r Row, column: Column<'r>) -> anyhow::Result<Self>;
}

macro_rules! native {
    ($($type:ty),*) => {$(
        impl<'r> Get<'r> for $type {
            fn get(row: &'r Row, column: Column<'r>) -> anyhow::Result<Self> {
                Ok(row.native(column)?)
            }
        }

        impl<'r> Get<'r> for Option<$type> {
            fn get(row: &'r Row, column: Column<'r>) -> anyhow::Result<Self> {
                Ok(row.native(column)?)
            }
        }
    )*};
}

/// Those that are kept as something else: what that is, and how it is read.
macro_rules! derived {
    ($($type:ty, $kept:ty, $from:expr;)*) => {$(
        impl<'r> Get<'r> for $type {
            fn get(row: &'r Row, column: Column<'r>) -> anyhow::Result<Self> {
                let kept: Option<$type> = row.get(column)?;
                kept.with_context(|| format!("there is nothing in `{column:?}`"))
            }
        }

        impl<'r> Get<'r> for Option<$type> {
            fn get(row: &'r Row, column: Column<'r>) -> anyhow::Result<Self> {
                let from: fn($kept) -> anyhow::Result<$type> = $from;
                let kept: Option<$kept> = row.get(column)?;
                kept.map(from).transpose()
            }
        }
    )*};
}

native!(f64, String, &'r str, Vec<u8>);

derived! {
    bool, i64, |kept| Ok(kept != 0);
    u16, i64, |kept| Ok(u16::try_from(kept)?);
    u32, i64, |kept| Ok(u32::try_from(kept)?);
    Uuid, String, |kept| Uuid::parse_str(&kept).with_context(|| format!("`{kept}` is no UUID"));
}

impl<'r> Get<'r> for i64 {
    fn get(row: &'r Row, column: Column<'r>) -> anyhow::Result<Self> {
        row.whole(column)?.with_context(|| format!("there is nothing in `{column:?}`"))
    }
}

impl<'r> Get<'r> for Option<i64> {
    fn get(row: &'r Row, column: Column<'r>) -> anyhow::Result<Self> {
        Ok(row.whole(column)?)
    }
}

/// A row as its first column, or as a tuple of its first columns: what queries
/// for a count or a sum hand to `one`, `optional` and `all`.
pub fn values<T: Values>(row: &Row) -> anyhow::Result<T> {
    T::values(row)
}

/// See [`values`].
pub trait Values: Sized {
    /// Reads the first columns.
    fn values(row: &Row) -> anyhow::Result<Self>;
}

impl<T: for<'r> Get<'r>> Values for (T,) {
    fn values(row: &Row) -> anyhow::Result<Self> {
        Ok((row.get(0)?,))
    }
}

macro_rules! single {
    ($($type:ty),*) => {$(
        impl Values for $type {
            fn values(row: &Row) -> anyhow::Result<Self> {
                row.get(0)
            }
        }

        impl Values for Option<$type> {
            fn values(row: &Row) -> anyhow::Result<Self> {
                row.get(0)
            }
        }
    )*};
}

macro_rules! tuple {
    ($($type:ident $place:literal),*) => {
        impl<$($type: for<'r> Get<'r>),*> Values for ($($type,)*) {
            fn values(row: &Row) -> anyhow::Result<Self> {
                Ok(($(row.get($place)?,)*))
            }
        }
    };
}

single!(i64, u32, f64, bool, String, Uuid, Vec<u8>);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
