//! Old samples, read back block by block.
//!
//! The head of `series` asks for what it no longer has.

use super::fault::Faults;
use super::record::{block_end, block_key};
use super::shelf::Shelf;
use series::{Archive, Chunk};
use std::fmt;
use std::sync::Arc;

/// The blocks of the shelf of metrics.
pub(super) struct Blocks {
    pub(super) shelf: Arc<Shelf>,
    pub(super) faults: Arc<Faults>,
}

impl Archive for Blocks {
    fn chunks(&self, id: u64, start_ms: i64, end_ms: i64) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        for part in self.shelf.parts() {
            if part.start_ms > end_ms {
                break;
            }
            let blocks = block_key(id, start_ms)..=block_key(id, i64::MAX);
            for (key, bytes) in self.faults.readable(part.keyspace.range(blocks)) {
                let Some(chunk) = Chunk::decode(&mut &*bytes) else {
                    let end = block_end(&key).unwrap_or_default();
                    self.faults.unreadable(&format!("block {end} of series {id} makes no sense"));
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
