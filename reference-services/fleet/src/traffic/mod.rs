//! Open-loop traffic: requests leave at the times that a seed has drawn,
//! whether or not earlier ones were answered, as real customers do.
//!
//! [`schedule`] draws when what is wanted by whom; [`customers`] remembers
//! sessions and orders; [`request`] makes HTTP of an action and judges the
//! answer; [`mod@run`] keeps the clock; [`report`] counts. No trace is started
//! here: a request comes from outside, and the gateway begins its trace.

pub mod customers;
pub mod report;
pub mod request;
pub mod run;
pub mod schedule;

pub use report::Report;
pub use run::{Options, Target, run};
pub use schedule::{Action, Arrival, Pattern, Schedule};
