//! Products: what is offered, how it is described, and how it is found.

use chassis::store::{Engine, Row, Source, sql, values};
use chassis::{Message, Operation, Write};
use contracts::catalog::{CatalogEvent, Category, Description, Product, TOPIC};

use crate::assortment::Article;
use crate::domain::words;

use super::Catalog;

const SELECT: Operation = Operation { name: "SELECT", collection: "products" };
const SEARCH: Operation = Operation { name: "SELECT", collection: "product_words" };
const CHANGE: Operation = Operation { name: "UPDATE", collection: "products" };

/// What became of a change.
#[derive(Debug)]
pub(crate) enum Changed {
    New(Product),
    Done(Product),
    /// Somebody else changed it meanwhile; it has this version now.
    Stale(i64),
    /// There is no such product to be changed.
    Missing,
}

impl Catalog {
    /// Adds the articles that are not there yet.
    pub(crate) async fn offer(&self, articles: &[Article], now_ms: i64) -> anyhow::Result<()> {
        let mut write = self.store.begin().await?;
        for article in articles {
            let product =
                sql("INSERT INTO products VALUES (?, ?, ?, ?, ?, 1, ?) ON CONFLICT DO NOTHING")
                    .bind(article.sku)
                    .bind(article.name)
                    .bind(article.description)
                    .bind(article.category)
                    .bind(article.price_minor)
                    .bind(now_ms);
            write.execute(product).await?;
            let stock =
                sql("INSERT INTO stock VALUES (?1, ?2, ?2, 0, 0, ?3) ON CONFLICT DO NOTHING")
                    .bind(article.sku)
                    .bind(article.pieces)
                    .bind(article.refilled);
            write.execute(stock).await?;
        }
        Ok(write.commit().await?)
    }

    pub(crate) async fn product(&self, sku: &str) -> anyhow::Result<Option<Product>> {
        let query = sql("SELECT * FROM products WHERE sku = ?").bind(sku);
        self.store.optional(SELECT, query, product).await
    }

    /// At most `limit` products behind `after`, of a category if one is named.
    pub(crate) async fn list(
        &self,
        category: Option<&str>,
        after: &str,
        limit: u32,
    ) -> anyhow::Result<Vec<Product>> {
        let query = sql("SELECT * FROM products WHERE (?1 IS NULL OR category = ?1) AND sku > ?2
                   ORDER BY sku LIMIT ?3");
        let query = query.bind(category).bind(after).bind(limit);
        self.store.all(SELECT, query, product).await
    }

    /// At most `limit` products with words that begin with all of the given
    /// ones, the best first. Each engine has its own idea of what a word is (in
    /// `USB-C` for example) and of what is best; both know letters without their
    /// accents, and count the name most and the category next.
    pub(crate) async fn search(
        &self,
        wanted: &str,
        category: Option<&str>,
        limit: u32,
    ) -> anyhow::Result<Vec<Product>> {
        let words = words(wanted);
        if words.is_empty() {
            return Ok(Vec::new());
        }
        // Each word is quoted, so nothing in it is an operator.
        let all = |quoted: fn(&&str) -> String, and| {
            words.iter().map(quoted).collect::<Vec<_>>().join(and)
        };
        let (text, words) = match self.store.engine() {
            Engine::Sqlite => (SEARCH_SQLITE, all(|word| format!("\"{word}\"*"), " ")),
            Engine::Postgres => (SEARCH_POSTGRES, all(|word| format!("'{word}':*"), " & ")),
        };
        let query = sql(text).bind(words).bind(category).bind(limit);
        self.store.all(SEARCH, query, product).await
    }

    pub(crate) async fn categories(&self) -> anyhow::Result<Vec<Category>> {
        let query =
            sql("SELECT category, COUNT(*) FROM products GROUP BY category ORDER BY category");
        let category = |row: &Row| Ok(Category { name: row.get(0)?, products: row.get(1)? });
        self.store.all(SELECT, query, category).await
    }

    /// Adds a product (`version` none) or changes the one of this version.
    pub(crate) async fn change(
        &self,
        sku: &str,
        version: Option<i64>,
        wanted: &Description,
        now_ms: i64,
    ) -> anyhow::Result<Changed> {
        let work = async |write: &mut Write| {
            let found = sql("SELECT version FROM products WHERE sku = ?").bind(sku);
            let found: Option<i64> = write.optional(found, values).await?;
            match (found, version) {
                (Some(found), wanted) if wanted != Some(found) => return Ok(Changed::Stale(found)),
                (None, Some(_)) => return Ok(Changed::Missing),
                _ => {}
            }
            let changed = self.write_product(write, sku, wanted, now_ms).await?;
            Ok(if found.is_some() { Changed::Done(changed) } else { Changed::New(changed) })
        };
        self.store.write(CHANGE, work).await
    }

    async fn write_product(
        &self,
        write: &mut Write,
        sku: &str,
        wanted: &Description,
        now_ms: i64,
    ) -> anyhow::Result<Product> {
        let changed = sql("INSERT INTO products VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6)
                   ON CONFLICT (sku) DO UPDATE SET name = ?2, description = ?3, category = ?4,
                     price_minor = ?5, version = products.version + 1, updated_ms = ?6
                   RETURNING *")
        .bind(sku)
        .bind(&wanted.name)
        .bind(&wanted.description)
        .bind(&wanted.category)
        .bind(wanted.price_minor)
        .bind(now_ms);
        let changed = write.one(changed, product).await?;
        let stock = sql("INSERT INTO stock VALUES (?, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING");
        write.execute(stock.bind(sku)).await?;
        let event = CatalogEvent::ProductChanged { sku: sku.to_owned(), version: changed.version };
        self.messaging.publish(write, Message::new(TOPIC, sku, &event)).await?;
        Ok(changed)
    }
}

const SEARCH_SQLITE: &str =
    "SELECT products.* FROM product_words JOIN products ON products.rowid = product_words.rowid
     WHERE product_words MATCH ?1 AND (?2 IS NULL OR products.category = ?2)
     ORDER BY bm25(product_words, 4.0, 1.0, 2.0), products.sku LIMIT ?3";

const SEARCH_POSTGRES: &str =
    "SELECT products.* FROM products, to_tsquery('simple', without_accents(?1)) AS wanted
     WHERE product_words(name, description, category) @@ wanted
       AND (?2 IS NULL OR category = ?2)
     ORDER BY ts_rank('{0.25, 0.25, 0.5, 1}', product_words(name, description, category), wanted)
       DESC, sku LIMIT ?3";

fn product(row: &Row) -> anyhow::Result<Product> {
    Ok(Product {
        sku: row.get("sku")?,
        name: row.get("name")?,
        description: row.get("description")?,
        category: row.get("category")?,
        price_minor: row.get("price_minor")?,
        version: row.get("version")?,
        updated_ms: row.get("updated_ms")?,
    })
}
