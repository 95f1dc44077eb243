//! Typed pages and evidence to HTML.
