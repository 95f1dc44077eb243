//! What the telemetry proves about the documents: binding, claims and verdicts, strips, overlays.
//!
//! Takes the book, answers to the queries that it asked for, a service graph and `now`; gives typed
//! evidence that `pages` renders. No I/O, no clock.
//!
//! Three steps: [`plan`] says what to ask, the caller asks it, [`evaluate`] reads the answers.

mod model;
mod window;
mod plan;
mod evaluate;

pub use evaluate::evaluate;
pub use model::*;
pub use plan::{Plan, Question, QuestionShape, plan};
pub use window::Window;
