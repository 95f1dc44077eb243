//! Typed pages and evidence to HTML.
//!
//! `document` hands in the book, `evidence` what the telemetry proves about it and `traces` what was
//! seen; `loggia` takes the HTML, the embedded files of the theme ([`Assets`]) and the live values
//! ([`Cells`]) and sends them. No I/O at run time and no clock: `now` is part of [`Site`].
//!
//! Every live value is made once, as a [`Cell`]: the same cells are put into the page when it is
//! rendered and pushed to the open page afterwards, so both can never differ.

mod alerts;
mod assets;
mod bundle;
mod by_verdict;
mod cells;
mod chart;
mod drift;
mod explore;
mod extras;
mod fault;
mod figure_page;
mod figures;
mod frame;
mod live;
mod log_facets;
mod logs;
mod map;
mod markup;
mod minimap;
mod moment;
mod navigation;
mod objectives;
mod overlay;
mod page;
mod palette;
mod problems;
mod redirect;
mod scatter;
mod search;
mod service;
mod services;
mod site;
mod span;
mod spark;
mod spots;
mod theme;
mod timeline;
mod traces;
mod view;
mod waterfall;
mod whole;

pub use alerts::{OBJECTIVES_FILE, cells_for_alerts, render_alerts};
pub use assets::{Asset, Assets, Slots};
pub use cells::{Cell, Cells, cell_diff};
pub use chart::{
    CHART_SERIES_MAX, Chart, ChartExemplar, ChartKind, ChartMark, ChartSeries, ChartSpan, MarkKind,
    chart_csv, chart_json, m4,
};
pub use drift::{cells_for_drift, render_drift};
pub use explore::{ExploreFault, ExploreView, Explored, render_explore};
pub use extras::{extras, render_extra};
pub use fault::{render_error, render_lost};
pub use figure_page::{
    FigureView, cells_for_figure, cells_for_figures, render_figure, render_figures,
};
pub use figures::date_time;
pub use live::{cells_for_page, cells_for_service, cells_for_services};
pub use logs::{render_log_rows, render_logs};
pub use map::{MapView, cells_for_map, render_map};
pub use minimap::Zoom;
pub use moment::{cells_at, keep_moment};
pub use navigation::Navigation;
pub use objectives::{
    cells_for_objective, cells_for_objectives, objective_chart, render_objective, render_objectives,
};
pub use page::render_page;
pub use problems::render_problems;
pub use redirect::render_redirect;
pub use search::{SEARCH_PATH, SearchGroup, SearchHit, SearchView, render_search};
pub use service::{QUICK_RANGES_S, render_service};
pub use services::render_services;
pub use site::Site;
pub use span::render_span;
pub use timeline::TimelineView;
pub use traces::render_traces;
pub use view::{
    Call, Change, Documented, Golden, Instance, LogFilters, LogSearchView, Problems, RouteFigures,
    ServiceView, TraceAsk, TraceFilters, TraceSearchView, TraceView, Unmeasured,
};
pub use waterfall::render_trace;
