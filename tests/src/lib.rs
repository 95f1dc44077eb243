//! What the tests at the doors share: starting the real programs, asking them over HTTP, waiting.
//! Everything that is started is ended by its own process id when its handle goes.

mod fast;
mod foreign;
mod http;
mod program;
mod wait;

pub use fast::FastClock;
pub use foreign::{client, foreign};
pub use http::{Answer, get, send};
pub use program::{Program, binary, free_port, repository, run_to_end, send_signal, serve, shared};
pub use wait::{until, within};
