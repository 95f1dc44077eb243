//! Mermaid text to a drawing: an SVG that is safe to embed, and the typed nodes and edges in it.
//!
//! `document` hands in the text of a fence; `evidence` reads nodes and edges; `pages` embeds the SVG
//! and draws live values above it from the geometry given here. No I/O, no clock but the deadline.

mod model;

pub use model::{Drawing, Edge, Group, Node, Point, Rect, Shape};
