//! Labels, samples, compressed chunks and the in-memory metrics store.
