//! The SQL of roles: who gave and took them is in the audit log, in the same transaction.

use chassis::store::{Source, sql, values};
use chassis::{Operation, Write};
use contracts::accounts::{Account, ROLE_ADMINISTRATOR, ROLE_CUSTOMER};
use uuid::Uuid;

use super::Accounts;
use crate::audit::{Event, kinds};

const UPDATE: Operation = Operation { name: "UPDATE", collection: "accounts" };

/// What became of a change of roles.
pub(crate) enum Roles {
    /// It is so now, or was before.
    Done(Account),
    /// There is no such account.
    Missing,
    /// Every account is a customer's, and there must be an administrator.
    Needed(&'static str),
}

impl Accounts {
    /// Gives a role.
    pub(crate) async fn grant(
        &self,
        account: Uuid,
        role: &str,
        by: Uuid,
        now_ms: i64,
    ) -> anyhow::Result<Roles> {
        let work = async |write: &mut Write| {
            let Some(found) = self.load(write, account).await? else { return Ok(Roles::Missing) };
            if found.roles.iter().any(|has| has == role) {
                return Ok(Roles::Done(found));
            }
            let roles = [found.roles.clone(), vec![role.to_owned()]].concat();
            let kind = kinds::ROLE_GRANTED;
            self.set_roles(write, found, roles, (kind, role, by), now_ms).await.map(Roles::Done)
        };
        self.store.write(UPDATE, work).await
    }

    /// Takes a role, and ends the account's sessions: their tokens say that it has it.
    pub(crate) async fn take(
        &self,
        account: Uuid,
        role: &str,
        by: Uuid,
        now_ms: i64,
    ) -> anyhow::Result<Roles> {
        if role == ROLE_CUSTOMER {
            return Ok(Roles::Needed("every account has the role `customer`"));
        }
        let work = async |write: &mut Write| {
            let Some(found) = self.load(write, account).await? else { return Ok(Roles::Missing) };
            if found.roles.iter().all(|has| has != role) {
                return Ok(Roles::Done(found));
            }
            if role == ROLE_ADMINISTRATOR && self.administrators(write).await? < 2 {
                return Ok(Roles::Needed("there must be an administrator"));
            }
            let roles: Vec<_> = found.roles.iter().filter(|has| *has != role).cloned().collect();
            let kind = kinds::ROLE_TAKEN;
            let changed = self.set_roles(write, found, roles, (kind, role, by), now_ms).await?;
            self.revoke_all(write, account, None, "a role was taken", now_ms).await?;
            Ok(Roles::Done(changed))
        };
        self.store.write(UPDATE, work).await
    }

    /// Makes an account the first administrator. None: there is one.
    pub(crate) async fn first_administrator(
        &self,
        account: Uuid,
        now_ms: i64,
    ) -> anyhow::Result<Option<Account>> {
        let work = async |write: &mut Write| {
            let found = self.load(write, account).await?;
            let Some(found) = found else { return Ok(None) };
            if self.administrators(write).await? > 0 {
                return Ok(None);
            }
            let role = ROLE_ADMINISTRATOR;
            let roles = [found.roles.clone(), vec![role.to_owned()]].concat();
            let how = (kinds::ROLE_GRANTED, role, account);
            self.set_roles(write, found, roles, how, now_ms).await.map(Some)
        };
        self.store.write(UPDATE, work).await
    }

    /// Whether there is an administrator.
    pub(crate) async fn is_administered(&self) -> anyhow::Result<bool> {
        Ok(self.administrators(&mut self.store.reader()).await? > 0)
    }

    async fn administrators(&self, from: &mut impl Source) -> anyhow::Result<i64> {
        let query = sql("SELECT COUNT(*) FROM accounts WHERE ' ' || roles || ' ' LIKE ?");
        from.one(query.bind(format!("% {ROLE_ADMINISTRATOR} %")), values).await
    }

    async fn load(&self, write: &mut Write, account: Uuid) -> anyhow::Result<Option<Account>> {
        let query = sql("SELECT * FROM accounts WHERE id = ?").bind(account);
        write.optional(query, super::account).await
    }

    async fn set_roles(
        &self,
        write: &mut Write,
        account: Account,
        roles: Vec<String>,
        (kind, role, by): (&'static str, &str, Uuid),
        now_ms: i64,
    ) -> anyhow::Result<Account> {
        let update = sql("UPDATE accounts SET roles = ? WHERE id = ?");
        write.execute(update.bind(roles.join(" ")).bind(account.id)).await?;
        let event = Event {
            kind,
            account: Some(account.id),
            actor: Some(by),
            detail: role.to_owned(),
            ..Event::default()
        };
        self.note(write, event, now_ms).await?;
        Ok(Account { roles, ..account })
    }
}
