//! Typed pages and evidence to HTML.
//!
//! `document` hands in the book, `evidence` what the telemetry proves about it and `traces` what was
//! seen; `loggia` takes the HTML, the embedded files of the theme ([`Assets`]) and the live values
//! ([`Cells`]) and sends them. No I/O at run time and no clock: `now` is part of [`Site`].
//!
//! Every live value is made once, as a [`Cell`]: the same cells are put into the page when it is
//! rendered and pushed to the open page afterwards, so both can never differ.

mod assets;
mod cells;
mod render;
mod site;
mod view;

pub use assets::{Asset, Assets};
pub use cells::{Cell, Cells, cell_diff};
pub use render::*;
pub use site::Site;
pub use view::{Call, Chart, ChartSeries, Documented, ServiceView, TraceFilters};
