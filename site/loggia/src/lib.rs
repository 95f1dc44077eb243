//! The loggia command: build, serve and check architecture books.
