//! Money as it travels: whole minor units and a currency. Whoever adds amounts
//! checks for overflow and for equal currencies.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The currencies that CloudScale trades in. All have two decimal places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// Euro.
    Eur,
    /// United States dollar.
    Usd,
    /// Pound sterling.
    Gbp,
}

impl Currency {
    /// Every currency, in the order of their definition.
    pub const ALL: [Self; 3] = [Self::Eur, Self::Usd, Self::Gbp];

    /// The ISO 4217 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Eur => "EUR",
            Self::Usd => "USD",
            Self::Gbp => "GBP",
        }
    }

    /// The currency with this ISO 4217 code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|currency| currency.code() == code)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Whole minor units: 1250 is 12.50.
    pub minor: i64,
    /// What the units are of.
    pub currency: Currency,
}
