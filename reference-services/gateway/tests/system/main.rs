//! CloudScale at its door, over real HTTP, with every service in this process.

#![allow(clippy::unwrap_used, missing_docs)]

mod door;
mod measured;
mod orders;
mod people;
mod running;
mod told;

use chassis::Reply;
use contracts::problem::Problem;
use http::header::CONTENT_TYPE;

fn problem(reply: &Reply) -> Problem {
    assert_eq!(reply.headers[CONTENT_TYPE], "application/problem+json", "{reply:?}");
    let problem: Problem = reply.json().unwrap();
    assert_eq!(problem.status, reply.status.as_u16());
    problem
}
