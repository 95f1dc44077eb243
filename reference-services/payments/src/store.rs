//! The SQL of payments. `api` hands it typed values and gets payments back.

use chassis::invariants::Checking;
use chassis::store::{Row, Source, sql};
use chassis::{Chassis, Checks, Message, Messaging, Migrations, Operation, Store, Write};
use contracts::invariants::Invariant;
use contracts::money::{Currency, Money};
use contracts::payments::{Authorise, Payment, PaymentEvent, PaymentState, TOPIC};
use uuid::Uuid;

use crate::domain::{ACCOUNT_RECEIVED, Outcome, Step, advance, booking};

static MIGRATIONS: Migrations = Migrations::new(sqlx::migrate!("./migrations"));

const SELECT_PAYMENT: Operation = Operation { name: "SELECT", collection: "payments" };
const INSERT_PAYMENT: Operation = Operation { name: "INSERT", collection: "payments" };
const UPDATE_PAYMENT: Operation = Operation { name: "UPDATE", collection: "payments" };
const SELECT_LEDGER: Operation = Operation { name: "SELECT", collection: "ledger" };

const BY_ID: &str = "SELECT * FROM payments WHERE id = ?";
const BY_KEY: &str = "SELECT * FROM payments WHERE idempotency_key = ?";

/// The payments and their ledger.
#[derive(Debug, Clone)]
pub(crate) struct Payments {
    store: Store,
    messaging: Messaging,
}

/// What a step did.
#[derive(Debug)]
pub(crate) struct Advanced {
    /// The payment as it is now.
    pub(crate) payment: Payment,
    /// What the rules said.
    pub(crate) outcome: Outcome,
}

impl Payments {
    pub(crate) async fn open(chassis: &Chassis) -> anyhow::Result<Self> {
        let store = Store::open(chassis, &MIGRATIONS).await?;
        let messaging = Messaging::open(chassis, &store).await?;
        Ok(Self { store, messaging })
    }

    pub(crate) fn messaging(&self) -> &Messaging {
        &self.messaging
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The payment with this key, which is written first where there is none.
    /// None: the key stands for another payment. (The key's answer may be gone,
    /// after its time or with a process, and then only this row tells.)
    pub(crate) async fn start(
        &self,
        key: &str,
        request: &Authorise,
        now_ms: i64,
    ) -> anyhow::Result<Option<Payment>> {
        self.find_or_add(key, request, PaymentState::Started, now_ms).await
    }

    /// As [`Payments::start`], but a payment that is new here is voided from the
    /// start: a request to authorise it that comes late finds it so.
    pub(crate) async fn forestall(
        &self,
        key: &str,
        request: &Authorise,
        now_ms: i64,
    ) -> anyhow::Result<Option<Payment>> {
        self.find_or_add(key, request, PaymentState::Voided, now_ms).await
    }

    async fn find_or_add(
        &self,
        key: &str,
        request: &Authorise,
        state: PaymentState,
        now_ms: i64,
    ) -> anyhow::Result<Option<Payment>> {
        let insert = sql("INSERT INTO payments (id, idempotency_key, order_id, customer,
                     amount_minor, currency, state, created_ms, updated_ms)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
                   ON CONFLICT (idempotency_key) DO NOTHING")
        .bind(Uuid::now_v7())
        .bind(key)
        .bind(request.order)
        .bind(request.customer)
        .bind(request.amount.minor)
        .bind(request.amount.currency.code())
        .bind(state.name())
        .bind(now_ms);
        let work = async |write: &mut Write| {
            write.execute(insert).await?;
            write.one(sql(BY_KEY).bind(key), payment).await
        };
        let found = self.store.write(INSERT_PAYMENT, work).await?;
        let Authorise { order, customer, amount } = *request;
        let asked = (order, customer, amount);
        Ok(Some(found).filter(|found| (found.order, found.customer, found.amount) == asked))
    }

    /// Moves a payment on by `step`, in one transaction with what that writes
    /// into the ledger and the outbox; none: there is no such payment.
    pub(crate) async fn advance(
        &self,
        id: Uuid,
        step: Step,
        now_ms: i64,
    ) -> anyhow::Result<Option<Advanced>> {
        let work = async |write: &mut Write| {
            let found = write.optional(sql(BY_ID).bind(id), payment).await?;
            let Some(mut payment) = found else { return Ok(None) };
            let outcome = advance(payment.state, step);
            if let Outcome::Becomes(state) = outcome {
                payment.state = state;
                payment.updated_ms = now_ms;
                change(write, &payment).await?;
                book(write, &payment).await?;
                self.tell(write, &payment).await?;
            }
            Ok(Some(Advanced { payment, outcome }))
        };
        self.store.write(UPDATE_PAYMENT, work).await
    }

    pub(crate) async fn by_id(&self, id: Uuid) -> anyhow::Result<Option<Payment>> {
        self.store.optional(SELECT_PAYMENT, sql(BY_ID).bind(id), payment).await
    }

    pub(crate) async fn by_key(&self, key: &str) -> anyhow::Result<Option<Payment>> {
        self.store.optional(SELECT_PAYMENT, sql(BY_KEY).bind(key), payment).await
    }

    async fn tell(&self, write: &mut Write, payment: &Payment) -> anyhow::Result<()> {
        let Payment { id, order, amount, .. } = *payment;
        let event = match payment.state {
            PaymentState::Captured => PaymentEvent::Captured { payment: id, order, amount },
            PaymentState::Refunded => PaymentEvent::Refunded { payment: id, order, amount },
            _ => return Ok(()),
        };
        self.messaging.publish(write, Message::new(TOPIC, order, &event)).await
    }

    /// What must hold of the ledger, read in one statement and so at one moment.
    async fn ledger(&self) -> anyhow::Result<Vec<Invariant>> {
        let query = sql("SELECT currency, CAST(SUM(entries) AS BIGINT) AS entries,
                     CAST(SUM(total) AS BIGINT) AS total,
                     CAST(SUM(received) AS BIGINT) AS received,
                     CAST(SUM(captured) AS BIGINT) AS captured
                   FROM (SELECT currency, 1 AS entries, amount_minor AS total,
                           CASE account WHEN ? THEN amount_minor ELSE 0 END AS received,
                           0 AS captured FROM ledger
                         UNION ALL
                         SELECT currency, 0, 0, 0, amount_minor FROM payments
                         WHERE state = 'captured') AS sums
                   GROUP BY currency ORDER BY currency")
        .bind(ACCOUNT_RECEIVED);
        let sums = self.store.all(SELECT_LEDGER, query, ledger_sum).await?;
        Ok(judge(&sums))
    }
}

impl Checks for Payments {
    fn check(&self) -> Checking<'_> {
        Box::pin(self.ledger())
    }
}

/// The ledger in one currency.
#[derive(Debug, Clone, Copy)]
struct LedgerSum {
    currency: Currency,
    entries: i64,
    sum_minor: i64,
    captured_minor: i64,
    received_minor: i64,
}

/// What the sums say. The sum of each payment's rows is part of it: what one
/// currency's rows sum up to can be 0 only by chance when that is not.
fn judge(sums: &[LedgerSum]) -> Vec<Invariant> {
    let entries: i64 = sums.iter().map(|sum| sum.entries).sum();
    let wrong = sums.iter().map(|sum| sum.sum_minor.abs()).sum::<i64>();
    let mut figures = vec![("entries".to_owned(), entries), ("off_minor".to_owned(), wrong)];
    let zero = Invariant {
        name: "ledger_sums_to_zero".to_owned(),
        holds: wrong == 0,
        says: format!("the {entries} rows of the ledger are off by {wrong} minor units in all"),
        figures: figures.drain(..).collect(),
    };
    let mut says = Vec::new();
    for &LedgerSum { currency, captured_minor, received_minor, .. } in sums {
        says.push(format!("{received_minor} of {captured_minor} {currency}"));
        figures.push((format!("{currency}_received_minor"), received_minor));
        figures.push((format!("{currency}_captured_minor"), captured_minor));
    }
    let matches = Invariant {
        name: "ledger_matches_payments".to_owned(),
        holds: sums.iter().all(|sum| sum.received_minor == sum.captured_minor),
        says: format!(
            "the ledger has received what captured payments are worth, in minor units: {}",
            says.join(", ")
        ),
        figures: figures.into_iter().collect(),
    };
    vec![zero, matches]
}

async fn change(write: &mut Write, payment: &Payment) -> anyhow::Result<()> {
    let update = sql("UPDATE payments SET state = ?, updated_ms = ? WHERE id = ?")
        .bind(payment.state.name())
        .bind(payment.updated_ms)
        .bind(payment.id);
    write.execute(update).await?;
    Ok(())
}

async fn book(write: &mut Write, payment: &Payment) -> anyhow::Result<()> {
    let Some((booking, entries)) = booking(payment.state, payment.amount) else { return Ok(()) };
    for entry in entries {
        let insert = sql("INSERT INTO ledger
                     (payment, booking, account, amount_minor, currency, created_ms)
                   VALUES (?, ?, ?, ?, ?, ?)")
        .bind(payment.id)
        .bind(booking)
        .bind(entry.account)
        .bind(entry.minor)
        .bind(payment.amount.currency.code())
        .bind(payment.updated_ms);
        write.execute(insert).await?;
    }
    Ok(())
}

fn payment(row: &Row) -> anyhow::Result<Payment> {
    Ok(Payment {
        id: row.get("id")?,
        order: row.get("order_id")?,
        customer: row.get("customer")?,
        amount: Money {
            minor: row.get("amount_minor")?,
            currency: row.word("currency", Currency::from_code)?,
        },
        state: row.word("state", PaymentState::from_name)?,
        created_ms: row.get("created_ms")?,
        updated_ms: row.get("updated_ms")?,
    })
}

fn ledger_sum(row: &Row) -> anyhow::Result<LedgerSum> {
    Ok(LedgerSum {
        currency: row.word("currency", Currency::from_code)?,
        entries: row.get("entries")?,
        sum_minor: row.get("total")?,
        captured_minor: row.get("captured")?,
        received_minor: row.get("received")?,
    })
}
