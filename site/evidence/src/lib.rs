//! What the telemetry proves about the documents: binding, claims and verdicts, strips, overlays.
//!
//! Takes the book, answers to the queries that it asked for, a service graph and `now`; gives typed
//! evidence that `pages` renders. No I/O, no clock.
//!
//! Three steps: [`plan`] says what to ask, the caller asks it, [`evaluate`] reads the answers.
//!
//! ```
//! use evidence::{Window, evaluate, plan};
//! let book = document::Book::assemble(document::Config::default(), Vec::new(), None);
//! let plan = plan(&book, Window::covering(Some(0), 40_000), 40);
//! assert_eq!(plan.window.seconds(), 30);
//! let answers: Vec<_> = plan.questions.iter().map(|_| Err("no backend".to_owned())).collect();
//! let graph = traces::TraceStore::new(traces::StoreLimits::default()).graph(30_000, 40_000);
//! assert!(evaluate(&book, &plan, &answers, &graph, &graph, 40_000).services.is_empty());
//! ```

mod evaluate;
mod model;
mod plan;
mod window;

mod answers;
mod claim;
mod kpis;
mod objective;
mod objective_rules;
mod objectives;
mod services;
mod stated;
mod units;
mod verdict;

mod alerts;

mod binding;
mod calls;
mod drift;
mod map;
mod overlay;
mod strips;
mod timeline;
mod walk;

mod figures;
mod words;

pub use alerts::{
    AlertRule, AlertSeen, AlertState, Alerts, Receiver, RecordingRule, UndeliveredNotice,
    service_of,
};
pub use binding::{Names, Suggestion, bind, bind_drawing, suggestions};
pub use claim::{Claim, Comparison, parse_claim};
pub use drift::{
    CallsSeen, DRIFT_WINDOW_S, DiagramDrift, DrawnCall, Drift, Observation, PageDrift,
    UndocumentedCall,
};
pub use evaluate::{evaluate, evaluate_aged};
pub use map::{MapEdge, MapNode, ServiceMap};
pub use model::*;
pub use objective::Severity;
pub use objective_rules::objective_rules;
pub use plan::{Plan, Question, QuestionShape, failed_rate, plan, put_window};
pub use services::{DEGRADED_ERROR_SHARE, DOWN_ERROR_SHARE, JUDGED_REQUESTS_MIN, RESTART_SHOWN_S};
pub use stated::{StatedFigure, Statement, stated_figures};
pub use timeline::{
    Episode, Happening, HappeningKind, Points, deploys, episodes, outages, restarts,
};
pub use window::Window;
