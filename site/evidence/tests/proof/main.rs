//! Evidence from real documents, a real metrics store and the real query engine; only time and the
//! service graph's edges are made up.
#![allow(clippy::unwrap_used)]

mod binding;
mod diagrams;
mod drift;
mod figures;
mod total;
mod world;
