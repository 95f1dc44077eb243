//! What can be wrong with a diagram's text. `draw` makes it; `document` turns it into a diagnostic.

/// A diagram that could not be drawn, with the place in the fence's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DiagramError {
    /// What is wrong: lower case, without a final stop.
    pub message: String,
    /// Line in the fence's text, from 1.
    pub line: u32,
    /// Column in that line, in characters, from 1.
    pub column: u32,
    /// What the author can do about it.
    pub help: Option<String>,
}
