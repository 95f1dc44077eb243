//! Products that were read lately, so that most reads ask no database (the
//! pattern is called cache-aside). An entry goes when the event comes that tells
//! of the product's change, and after [`KEPT_FOR`] in any case.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::Metrics;
use contracts::catalog::Product;
use prometheus::IntCounterVec;
use quick_cache::sync::Cache;

use crate::store::Catalog;

/// Most products that are kept.
pub(crate) const MAX_PRODUCTS: usize = 1_000;

/// Longest time that a product is kept: the bound on how old an answer can be
/// when no event comes through.
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(30);

/// Reads products. Clones share what is kept.
#[derive(Debug, Clone)]
pub(crate) struct Products {
    catalog: Catalog,
    kept: Arc<Cache<String, (Instant, Arc<Product>)>>,
    lookups: IntCounterVec,
}

impl Products {
    pub(crate) fn new(catalog: Catalog, metrics: &Metrics) -> Self {
        let lookups = metrics.counter(
            "catalog_cache_lookups_total",
            "Products that were looked for in the cache.",
            &["outcome"],
        );
        Self { catalog, kept: Arc::new(Cache::new(MAX_PRODUCTS)), lookups }
    }

    pub(crate) async fn by_sku(&self, sku: &str) -> anyhow::Result<Option<Arc<Product>>> {
        if let Some((at, product)) = self.kept.get(sku)
            && at.elapsed() < KEPT_FOR
        {
            self.lookups.with_label_values(&["hit"]).inc();
            return Ok(Some(product));
        }
        self.lookups.with_label_values(&["miss"]).inc();
        let Some(product) = self.catalog.product(sku).await? else { return Ok(None) };
        let product = Arc::new(product);
        self.kept.insert(sku.to_owned(), (Instant::now(), Arc::clone(&product)));
        Ok(Some(product))
    }

    /// Forgets a product, unless it is at least of this version.
    pub(crate) fn forget(&self, sku: &str, version: i64) {
        if self.kept.peek(sku).is_some_and(|(_, product)| product.version < version) {
            self.kept.remove(sku);
        }
    }
}
