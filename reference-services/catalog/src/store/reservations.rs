//! Reservations: pieces that are set aside for an order until they are shipped
//! or go back.

use anyhow::Context as _;
use chassis::store::{Row, Source, sql, values};
use chassis::{Operation, Write};
use contracts::catalog::{Reservation, ReservationState, Reserve};
use uuid::Uuid;

use crate::domain::{HELD_FOR_MS, Outcome, Pieces, Step, advance};

use super::Catalog;

const RESERVE: Operation = Operation { name: "INSERT", collection: "reservations" };
const MOVE: Operation = Operation { name: "UPDATE", collection: "reservations" };

/// Most reservations that expire in one round.
const MAX_EXPIRED_AT_ONCE: u32 = 100;

/// What became of a request to reserve.
#[derive(Debug)]
pub(crate) enum Reserved {
    /// It is there, now or since an earlier request.
    Held(Reservation),
    /// The same order reserved something else before.
    Other,
    /// A line cannot be had; its number, and why.
    Refused(usize, Refusal),
}

/// Why a line cannot be reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Unknown,
    Price(i64),
    OutOfStock(i64),
}

impl Catalog {
    /// Sets the pieces of an order aside, all of them or none.
    pub(crate) async fn reserve(&self, request: &Reserve, now_ms: i64) -> anyhow::Result<Reserved> {
        let work = async |write: &mut Write| {
            let order = request.order;
            if let Some(found) = find(write, order).await? {
                let same =
                    found.state == ReservationState::Released || same_lines(write, request).await?;
                return Ok(if same { Reserved::Held(found) } else { Reserved::Other });
            }
            let expires_ms = now_ms + HELD_FOR_MS;
            let insert = sql("INSERT INTO reservations VALUES (?, 'held', ?, ?)");
            write.execute(insert.bind(order).bind(expires_ms).bind(now_ms)).await?;
            for (at, line) in request.lines.iter().enumerate() {
                let pieces = i64::from(line.quantity);
                let refused = take(write, order, &line.sku, pieces, line.unit_price_minor).await?;
                if let Some(refusal) = refused {
                    write.undo();
                    return Ok(Reserved::Refused(at, refusal));
                }
            }
            Ok(Reserved::Held(Reservation { order, state: ReservationState::Held, expires_ms }))
        };
        self.store.write(RESERVE, work).await
    }

    /// Moves a reservation on. None: there is none.
    pub(crate) async fn step(
        &self,
        order: Uuid,
        step: Step,
    ) -> anyhow::Result<Option<(Reservation, Outcome)>> {
        let work = async |write: &mut Write| {
            let Some((_, outcome)) = self.advance(write, order, step).await? else {
                return Ok(None);
            };
            Ok(find(write, order).await?.map(|now| (now, outcome)))
        };
        self.store.write(MOVE, work).await
    }

    /// Gives the pieces of an order back. Where nothing is reserved, that is
    /// noted: a request to reserve that comes late finds it so.
    pub(crate) async fn release(
        &self,
        order: Uuid,
        now_ms: i64,
    ) -> anyhow::Result<(Reservation, Outcome)> {
        let work = async |write: &mut Write| {
            let insert = sql("INSERT INTO reservations VALUES (?1, 'released', ?2, ?2)
                       ON CONFLICT DO NOTHING");
            write.execute(insert.bind(order).bind(now_ms)).await?;
            let moved = self.advance(write, order, Step::Release).await?;
            let (_, outcome) = moved.context("the row was just written")?;
            let now = find(write, order).await?.context("the row was just read")?;
            Ok((now, outcome))
        };
        self.store.write(MOVE, work).await
    }

    /// Moves a reservation and its pieces within a transaction. It was in the
    /// state that is returned; none: there is no reservation.
    pub(crate) async fn advance(
        &self,
        write: &mut Write,
        order: Uuid,
        step: Step,
    ) -> anyhow::Result<Option<(ReservationState, Outcome)>> {
        let Some(found) = find(write, order).await? else { return Ok(None) };
        let outcome = advance(found.state, step);
        if let Outcome::Becomes(state, pieces) = outcome {
            let update =
                sql("UPDATE reservations SET state = ?, updated_ms = ? WHERE order_id = ?")
                    .bind(state.name())
                    .bind(chassis::clock::now_ms())
                    .bind(order);
            write.execute(update).await?;
            move_pieces(write, order, pieces).await?;
        }
        Ok(Some((found.state, outcome)))
    }

    /// Ends reservations whose time is over, and says how many.
    pub(crate) async fn expire(&self, now_ms: i64) -> anyhow::Result<u64> {
        let late = sql("SELECT order_id FROM reservations
                   WHERE state = 'held' AND expires_ms < ? ORDER BY expires_ms LIMIT ?");
        let late = late.bind(now_ms).bind(MAX_EXPIRED_AT_ONCE);
        let late: Vec<Uuid> = self.store.reader().all(late, values).await?;
        let mut expired = 0;
        for order in late {
            self.step(order, Step::Expire).await?;
            expired += 1;
        }
        Ok(expired)
    }
}

/// Takes pieces off the stock for an order, if there are so many at this price.
async fn take(
    write: &mut Write,
    order: Uuid,
    sku: &str,
    pieces: i64,
    price_minor: i64,
) -> anyhow::Result<Option<Refusal>> {
    let price = sql("SELECT price_minor FROM products WHERE sku = ?").bind(sku);
    match write.optional(price, values).await? {
        None => return Ok(Some(Refusal::Unknown)),
        Some(price) if price != price_minor => return Ok(Some(Refusal::Price(price))),
        Some(_) => {}
    }
    let update = sql("UPDATE stock SET on_hand = on_hand - ?2, reserved = reserved + ?2
               WHERE sku = ?1 AND on_hand >= ?2");
    if write.execute(update.bind(sku).bind(pieces)).await? == 0 {
        let left = sql("SELECT on_hand FROM stock WHERE sku = ?").bind(sku);
        return Ok(Some(Refusal::OutOfStock(write.one(left, values).await?)));
    }
    let line = sql("INSERT INTO reservation_lines VALUES (?1, ?2, ?3)
               ON CONFLICT (order_id, sku) DO UPDATE SET
                 pieces = reservation_lines.pieces + ?3");
    write.execute(line.bind(order).bind(sku).bind(pieces)).await?;
    Ok(None)
}

async fn move_pieces(write: &mut Write, order: Uuid, pieces: Pieces) -> anyhow::Result<()> {
    let update = match pieces {
        Pieces::Stay => return Ok(()),
        Pieces::Return => {
            "UPDATE stock SET reserved = reserved - lines.pieces, on_hand = on_hand + lines.pieces
             FROM (SELECT sku, pieces FROM reservation_lines WHERE order_id = ?) AS lines
             WHERE lines.sku = stock.sku"
        }
        Pieces::Leave => {
            "UPDATE stock SET reserved = reserved - lines.pieces, shipped = shipped + lines.pieces
             FROM (SELECT sku, pieces FROM reservation_lines WHERE order_id = ?) AS lines
             WHERE lines.sku = stock.sku"
        }
    };
    write.execute(sql(update).bind(order)).await?;
    Ok(())
}

async fn find(write: &mut Write, order: Uuid) -> anyhow::Result<Option<Reservation>> {
    let query = sql("SELECT * FROM reservations WHERE order_id = ?").bind(order);
    write.optional(query, reservation).await
}

/// Whether an order reserved just these pieces before.
async fn same_lines(write: &mut Write, request: &Reserve) -> anyhow::Result<bool> {
    let query = sql("SELECT sku, pieces FROM reservation_lines WHERE order_id = ? ORDER BY sku");
    let found: Vec<(String, i64)> = write.all(query.bind(request.order), values).await?;
    let mut wanted = std::collections::BTreeMap::new();
    for line in &request.lines {
        *wanted.entry(line.sku.clone()).or_default() += i64::from(line.quantity);
    }
    Ok(found.into_iter().eq(wanted))
}

fn reservation(row: &Row) -> anyhow::Result<Reservation> {
    Ok(Reservation {
        order: row.get("order_id")?,
        state: row.word("state", ReservationState::from_name)?,
        expires_ms: row.get("expires_ms")?,
    })
}
