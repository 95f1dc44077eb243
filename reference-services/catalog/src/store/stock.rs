//! Stock: what came in, and where each piece of it is.

use chassis::store::{Row, Source, sql, values};
use chassis::{Message, Operation, Write};
use contracts::catalog::{CatalogEvent, Stock, TOPIC};
use contracts::invariants::Invariant;

use crate::domain::{REFILL_BELOW, REFILL_PIECES};

use super::Catalog;

const SELECT: Operation = Operation { name: "SELECT", collection: "stock" };
const RECEIVE: Operation = Operation { name: "UPDATE", collection: "stock" };

impl Catalog {
    pub(crate) async fn stock(&self, sku: &str) -> anyhow::Result<Option<Stock>> {
        let query = sql("SELECT * FROM stock WHERE sku = ?").bind(sku);
        self.store.optional(SELECT, query, stock).await
    }

    /// Notes that pieces came in. None: there is no such product.
    pub(crate) async fn receive(&self, sku: &str, pieces: i64) -> anyhow::Result<Option<Stock>> {
        self.receive_below(sku, pieces, i64::MAX).await
    }

    /// As [`Catalog::receive`], unless there are as many as `below` by now.
    async fn receive_below(
        &self,
        sku: &str,
        pieces: i64,
        below: i64,
    ) -> anyhow::Result<Option<Stock>> {
        let work = async |write: &mut Write| {
            let update = sql("UPDATE stock SET received = received + ?2, on_hand = on_hand + ?2
                       WHERE sku = ?1 AND on_hand < ?3 RETURNING *");
            let update = update.bind(sku).bind(pieces).bind(below);
            let stock = write.optional(update, stock).await?;
            if stock.is_some() {
                let event = CatalogEvent::StockReceived { sku: sku.to_owned(), pieces };
                self.messaging.publish(write, Message::new(TOPIC, sku, &event)).await?;
            }
            Ok(stock)
        };
        self.store.write(RECEIVE, work).await
    }

    /// Lets more of what runs low come in.
    pub(crate) async fn refill(&self) -> anyhow::Result<()> {
        let low = sql("SELECT sku FROM stock WHERE refilled = 1 AND on_hand < ?");
        let low: Vec<String> = self.store.reader().all(low.bind(REFILL_BELOW), values).await?;
        for sku in low {
            // Another replica's supplier may have been there meanwhile.
            self.receive_below(&sku, REFILL_PIECES, REFILL_BELOW).await?;
        }
        Ok(())
    }

    /// All pieces, by where they are.
    pub(crate) async fn pieces(&self) -> anyhow::Result<[(&'static str, i64); 4]> {
        let sums = sql("SELECT CAST(COALESCE(SUM(received), 0) AS BIGINT),
                     CAST(COALESCE(SUM(on_hand), 0) AS BIGINT),
                     CAST(COALESCE(SUM(reserved), 0) AS BIGINT),
                     CAST(COALESCE(SUM(shipped), 0) AS BIGINT) FROM stock");
        let sums: (i64, i64, i64, i64) = self.store.reader().one(sums, values).await?;
        let (received, on_hand, reserved, shipped) = sums;
        Ok([
            ("received", received),
            ("on_hand", on_hand),
            ("reserved", reserved),
            ("shipped", shipped),
        ])
    }

    pub(super) async fn stock_adds_up(&self) -> anyhow::Result<Vec<Invariant>> {
        let mut reader = self.store.reader();
        let wrong = sql("SELECT COUNT(*) FROM stock
                   WHERE received <> on_hand + reserved + shipped
                     OR on_hand < 0 OR reserved < 0 OR shipped < 0");
        let wrong: i64 = reader.one(wrong, values).await?;
        let [received, on_hand, reserved, shipped] = self.pieces().await?;
        let sums = [received, on_hand, reserved, shipped];
        let adds_up = Invariant::new(
            "stock_adds_up",
            wrong == 0,
            format!(
                "{} on hand, {} reserved and {} shipped of {} received; {wrong} products are off",
                on_hand.1, reserved.1, shipped.1, received.1
            ),
            &sums.iter().copied().chain([("wrong", wrong)]).collect::<Vec<_>>(),
        );
        // In one statement, so at one moment.
        let apart = sql("SELECT COUNT(*) FROM stock LEFT JOIN (
                     SELECT sku,
                       SUM(CASE WHEN state IN ('held', 'confirmed') THEN pieces END) AS held,
                       SUM(CASE WHEN state = 'shipped' THEN pieces END) AS gone
                     FROM reservation_lines JOIN reservations USING (order_id) GROUP BY sku
                   ) AS moved USING (sku)
                   WHERE reserved <> COALESCE(held, 0) OR shipped <> COALESCE(gone, 0)");
        let apart: i64 = reader.one(apart, values).await?;
        let matches = Invariant::new(
            "stock_matches_reservations",
            apart == 0,
            format!(
                "what is reserved and shipped is what the reservations say; {apart} products are \
                 off"
            ),
            &[("wrong", apart)],
        );
        Ok(vec![adds_up, matches])
    }
}

fn stock(row: &Row) -> anyhow::Result<Stock> {
    Ok(Stock {
        sku: row.get("sku")?,
        received: row.get("received")?,
        on_hand: row.get("on_hand")?,
        reserved: row.get("reserved")?,
        shipped: row.get("shipped")?,
    })
}
