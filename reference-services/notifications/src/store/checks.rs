//! What must hold of notifications while they are made and sent, each sentence in one
//! statement.

use chassis::Checks;
use chassis::invariants::Checking;
use chassis::store::{Row, Source, sql, values};
use contracts::invariants::Invariant;
use contracts::notifications::Channel;

use super::Desk;

impl Desk {
    async fn every_event_is_told(&self) -> anyhow::Result<Invariant> {
        let query = sql("SELECT (SELECT value FROM counters WHERE name = 'events'),
                           (SELECT value FROM counters WHERE name = 'forgotten'),
                           COUNT(*) FILTER (WHERE state = 'planned'),
                           COUNT(*) FILTER (WHERE state = 'new' AND customer IS NOT NULL),
                           COUNT(*) FILTER (WHERE state = 'new' AND customer IS NULL)
                         FROM notifications");
        let (events, forgotten, planned, new, unknown): (i64, i64, i64, i64, i64) =
            self.store.reader().one(query, values).await?;
        let says = format!(
            "{events} events are to be told: for {planned} the channels are chosen, {new} wait \
             for that, {unknown} wait to know their customer, {forgotten} are old and forgotten"
        );
        let figures = [
            ("events", events),
            ("planned", planned),
            ("new", new),
            ("without_customer", unknown),
            ("forgotten", forgotten),
        ];
        let holds = events == planned + new + unknown + forgotten;
        Ok(Invariant::new("every_event_is_told", holds, says, &figures))
    }

    async fn every_delivery_is_somewhere(&self) -> anyhow::Result<Invariant> {
        let query = sql("SELECT (SELECT COUNT(*) FROM notifications WHERE state = 'planned'),
                           COUNT(*),
                           COUNT(*) FILTER (WHERE state = 'sent'),
                           COUNT(*) FILTER (WHERE state = 'suppressed'),
                           COUNT(*) FILTER (WHERE state = 'waiting'),
                           COUNT(*) FILTER (WHERE state = 'dead')
                         FROM deliveries");
        let read = |row: &Row| {
            let mut found = [0_i64; 6];
            for (place, found) in found.iter_mut().enumerate() {
                *found = row.get(place)?;
            }
            Ok(found)
        };
        let [planned, all, sent, suppressed, waiting, dead] =
            self.store.reader().one(query, read).await?;
        let channels = Channel::ALL.len() as i64;
        let says = format!(
            "{planned} notifications make {all} deliveries on {channels} channels: {sent} are \
             sent, {suppressed} suppressed, {waiting} wait, {dead} are dead"
        );
        let figures = [
            ("notifications", planned),
            ("deliveries", all),
            ("sent", sent),
            ("suppressed", suppressed),
            ("waiting", waiting),
            ("dead", dead),
        ];
        let holds = all == planned * channels && all == sent + suppressed + waiting + dead;
        Ok(Invariant::new("every_delivery_is_somewhere", holds, says, &figures))
    }

    async fn nothing_is_sent_twice(&self) -> anyhow::Result<Invariant> {
        let query = sql("SELECT COUNT(*) FILTER (WHERE state = 'sent' AND channel = 'in_app'),
                           (SELECT COUNT(*) FROM messages),
                           COUNT(*) FILTER (WHERE times_sent > 1),
                           COUNT(*) FILTER (WHERE (state = 'sent') <> (times_sent = 1))
                         FROM deliveries");
        let (in_app, messages, twice, wrong): (i64, i64, i64, i64) =
            self.store.reader().one(query, values).await?;
        let says = format!(
            "{twice} deliveries are noted as sent more than once, {wrong} as sent and not so; \
             {in_app} were sent in the app, and the stream has {messages}"
        );
        let figures =
            [("in_app", in_app), ("stream", messages), ("twice", twice), ("wrong", wrong)];
        let holds = twice == 0 && wrong == 0 && in_app == messages;
        Ok(Invariant::new("nothing_is_sent_twice", holds, says, &figures))
    }
}

impl Checks for Desk {
    fn check(&self) -> Checking<'_> {
        Box::pin(async {
            Ok(vec![
                self.every_event_is_told().await?,
                self.every_delivery_is_somewhere().await?,
                self.nothing_is_sent_twice().await?,
            ])
        })
    }
}
