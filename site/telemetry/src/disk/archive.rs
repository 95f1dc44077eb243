//! Old samples, read back block by block.
//!
//! The head of `series` asks for what it no longer has.

use super::record::{block_end, block_key};
use super::shelf::Shelf;
use series::{Archive, Chunk};
use std::fmt;
use std::sync::Arc;

/// The blocks of the shelf of metrics.
pub(super) struct Blocks(pub(super) Arc<Shelf>);

impl Archive for Blocks {
    fn chunks(&self, id: u64, start_ms: i64, end_ms: i64) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        for part in self.0.parts() {
            if part.start_ms > end_ms {
                break;
            }
            let blocks = block_key(id, start_ms)..=block_key(id, i64::MAX);
            for block in part.keyspace.range(blocks) {
                let Ok((key, bytes)) = block.into_inner() else { continue };
                let Some(chunk) = Chunk::decode(&mut &*bytes) else {
                    tracing::warn!(id, end = block_end(&key), "a block cannot be read");
                    continue;
                };
                if chunk.min_t() > end_ms {
                    break;
                }
                if chunk.max_t() >= start_ms {
                    chunks.push(chunk);
                }
            }
        }
        chunks
    }
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blocks")
    }
}
