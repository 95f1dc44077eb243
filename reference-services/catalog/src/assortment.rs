//! What the shop sells when it opens for the first time.

/// A product on its first day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Article {
    pub(crate) sku: &'static str,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) category: &'static str,
    /// In minor units.
    pub(crate) price_minor: i64,
    /// Pieces in stock.
    pub(crate) pieces: i64,
    /// Whether more comes in when it runs low.
    pub(crate) refilled: bool,
}

const fn article(
    sku: &'static str,
    name: &'static str,
    description: &'static str,
    category: &'static str,
    price_minor: i64,
) -> Article {
    let (pieces, refilled) = (20_000, true);
    Article { sku, name, description, category, price_minor, pieces, refilled }
}

/// Every product.
pub(crate) const ASSORTMENT: &[Article] = &[
    article("espresso-beans", "Espresso beans", "Dark roast, 1 kg, whole beans", "coffee", 1_290),
    article("filter-papers", "Filter papers", "Unbleached, size 4, 100 pieces", "coffee", 350),
    article("hand-grinder", "Hand grinder", "Steel burrs, 20 g, for the journey", "coffee", 7_900),
    article("kettle", "Kettle", "Gooseneck spout, 0.9 l, keeps its temperature", "kitchen", 5_450),
    article("mug", "Mug", "Stoneware, 300 ml, fits the dishwasher", "kitchen", 890),
    article("oat-drink", "Oat drink", "For froth, 1 l, without added sugar", "groceries", 240),
    article("scale", "Scale", "To a tenth of a gram, with a timer", "kitchen", 3_200),
    article("sugar", "Sugar", "Raw cane sugar, 1 kg", "groceries", 195),
    article("tea", "Tea", "First flush Darjeeling, 100 g", "tea", 450),
    article("bag", "Paper bag", "For what you buy here", "kitchen", 1),
    Article {
        sku: "anniversary-mug",
        name: "Anniversary mug",
        description: "Numbered stoneware of a single firing; when it is gone, it is gone",
        category: "kitchen",
        price_minor: 2_490,
        pieces: 40,
        refilled: false,
    },
];
