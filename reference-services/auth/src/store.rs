//! The SQL of accounts. `api` hands it typed values and gets accounts back.

use chassis::{Chassis, Operation, Store};
use contracts::accounts::Account;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

const SELECT: Operation = Operation { name: "SELECT", collection: "accounts" };
const INSERT: Operation = Operation { name: "INSERT", collection: "accounts" };

/// The accounts.
#[derive(Debug, Clone)]
pub(crate) struct Accounts {
    store: Store,
}

/// An account with what proves it.
pub(crate) struct Known {
    pub(crate) account: Account,
    pub(crate) password_hash: String,
}

impl Accounts {
    pub(crate) async fn open(chassis: &Chassis) -> anyhow::Result<Self> {
        Ok(Self { store: Store::open(chassis, &MIGRATIONS).await? })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Writes a new account. False: the address is taken.
    pub(crate) async fn add(&self, known: &Known) -> anyhow::Result<bool> {
        let sql = "INSERT INTO accounts (id, email, password_hash, roles, created_ms)
                   VALUES (?, ?, ?, ?, ?) ON CONFLICT (email) DO NOTHING";
        let insert = sqlx::query(sql)
            .bind(known.account.id.to_string())
            .bind(&known.account.email)
            .bind(&known.password_hash)
            .bind(known.account.roles.join(" "))
            .bind(known.account.created_ms);
        let work = async {
            let mut write = self.store.begin().await?;
            let done = insert.execute(&mut *write).await?;
            write.commit().await?;
            Ok::<_, sqlx::Error>(done.rows_affected() == 1)
        };
        Ok(self.store.run(INSERT, work).await?)
    }

    pub(crate) async fn by_email(&self, email: &str) -> anyhow::Result<Option<Known>> {
        let query = sqlx::query("SELECT * FROM accounts WHERE email = ?").bind(email);
        let row = self.store.run(SELECT, query.fetch_optional(self.store.pool())).await?;
        row.as_ref().map(known).transpose()
    }

    pub(crate) async fn by_id(&self, id: Uuid) -> anyhow::Result<Option<Account>> {
        let query = sqlx::query("SELECT * FROM accounts WHERE id = ?").bind(id.to_string());
        let row = self.store.run(SELECT, query.fetch_optional(self.store.pool())).await?;
        Ok(row.as_ref().map(known).transpose()?.map(|known| known.account))
    }
}

fn known(row: &SqliteRow) -> anyhow::Result<Known> {
    let roles: &str = row.try_get("roles")?;
    let account = Account {
        id: Uuid::parse_str(row.try_get("id")?)?,
        email: row.try_get("email")?,
        roles: roles.split_whitespace().map(str::to_owned).collect(),
        created_ms: row.try_get("created_ms")?,
    };
    Ok(Known { account, password_hash: row.try_get("password_hash")? })
}
