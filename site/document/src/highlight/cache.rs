//! Coloured code that is kept: in memory while `serve` runs, on disk between two runs of `build`.
//!
//! `fences` asks; `loggia` keeps the bytes. Only what cost something is kept: languages that the
//! fast scanner reads are coloured anew each time.

use super::{grammar, quickly};
use crate::html::escape;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Blocks that are kept; beyond this many a new one is coloured and forgotten.
const BLOCKS_MAX: usize = 20_000;
/// First bytes of the encoded form. Raise the number when the HTML of any language changes.
const MAGIC: &[u8; 8] = b"LGcode01";
/// Bytes of a block's key.
const KEY: usize = 16;

type Key = [u8; KEY];

/// Coloured code by language and text. Shared between threads by reference.
#[derive(Debug, Default)]
pub struct CodeCache {
    blocks: Mutex<Blocks>,
}

#[derive(Debug, Default)]
struct Blocks {
    by_key: HashMap<Key, Block>,
    /// Whether `by_key` holds other blocks than those that were decoded.
    changed: bool,
}

#[derive(Debug)]
struct Block {
    html: Arc<str>,
    used: bool,
}

impl CodeCache {
    /// As [`highlight`](super::highlight), from the cache where the same text was coloured before.
    pub fn highlight(&self, language: &str, text: &str) -> Arc<str> {
        if let Some(html) = quickly(language, text) {
            return html.into();
        }
        let language = language.to_ascii_lowercase();
        let key = key(&language, text);
        if let Some(block) = self.blocks().by_key.get_mut(&key) {
            block.used = true;
            return Arc::clone(&block.html);
        }
        // Outside of the lock: other threads go on meanwhile.
        let Some(html) = grammar::highlight(&language, text) else { return escape(text).into() };
        let html: Arc<str> = html.into();
        let mut blocks = self.blocks();
        if blocks.by_key.len() < BLOCKS_MAX {
            blocks.by_key.insert(key, Block { html: Arc::clone(&html), used: true });
            blocks.changed = true;
        }
        html
    }

    /// As [`CodeCache::sweep`] where nothing more would be kept: to be called before a book is assembled
    /// again, of which only changed pages ask.
    pub(crate) fn make_room(&self) {
        if self.len() >= BLOCKS_MAX {
            self.sweep();
        }
    }

    /// Forgets what nobody asked for since the last sweep: to be called once a build is done.
    pub fn sweep(&self) {
        let mut blocks = self.blocks();
        let before = blocks.by_key.len();
        blocks.by_key.retain(|_, block| std::mem::take(&mut block.used));
        blocks.changed |= blocks.by_key.len() != before;
    }

    /// Whether [`CodeCache::encode`] would say something else than what was decoded.
    pub fn is_changed(&self) -> bool {
        self.blocks().changed
    }

    /// How many blocks are kept.
    pub fn len(&self) -> usize {
        self.blocks().by_key.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All blocks as bytes, for a file: per block its key, the length of its HTML (32 bits, little
    /// endian) and the HTML, between a magic number and a digest of everything.
    pub fn encode(&self) -> Vec<u8> {
        let blocks = self.blocks();
        let mut sorted: Vec<(&Key, &Block)> = blocks.by_key.iter().collect();
        sorted.sort_by_key(|(key, _)| **key);
        let mut out = MAGIC.to_vec();
        for (key, block) in sorted {
            let Ok(length) = u32::try_from(block.html.len()) else { continue };
            out.extend_from_slice(key);
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(block.html.as_bytes());
        }
        let digest = Sha256::digest(&out);
        out.extend_from_slice(&digest);
        out
    }

    /// What [`CodeCache::encode`] wrote; an empty cache for bytes that are anything else, cut off or
    /// changed.
    pub fn decode(bytes: &[u8]) -> Self {
        Self {
            blocks: Mutex::new(Blocks { by_key: read(bytes).unwrap_or_default(), changed: false }),
        }
    }

    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        // A block is put in whole or not at all, so a panic elsewhere leaves nothing half done.
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(language: &str, text: &str) -> Key {
    let digest =
        Sha256::new().chain_update(language).chain_update([0]).chain_update(text).finalize();
    let mut key = Key::default();
    key.copy_from_slice(&digest[..KEY]);
    key
}

fn read(bytes: &[u8]) -> Option<HashMap<Key, Block>> {
    let (content, digest) = bytes.split_last_chunk::<32>()?;
    if Sha256::digest(content)[..] != digest[..] {
        return None;
    }
    let mut rest = content.strip_prefix(MAGIC)?;
    let mut by_key = HashMap::new();
    while !rest.is_empty() {
        let (key, after) = rest.split_first_chunk::<KEY>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let (html, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let html = std::str::from_utf8(html).ok()?;
        by_key.insert(*key, Block { html: html.into(), used: false });
        rest = after;
    }
    Some(by_key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::highlight;

    const HASKELL: &str = "main = putStrLn \"x\"\n";

    #[test]
    fn blocks_come_back_from_bytes() {
        let cache = CodeCache::default();
        let html = cache.highlight("haskell", HASKELL);
        assert_eq!(*html, *highlight("haskell", HASKELL));
        assert!(html.contains("h-s") && cache.is_changed());
        assert_eq!(cache.highlight("rust", "fn main() {}\n").matches("h-k").count(), 1);
        assert_eq!(cache.len(), 1, "what costs nothing is not kept");
        let bytes = cache.encode();
        let again = CodeCache::decode(&bytes);
        assert!(!again.is_changed());
        assert_eq!(again.encode(), bytes);
        assert_eq!(again.highlight("haskell", HASKELL), html);
        assert!(!again.is_changed(), "it was there");
    }

    #[test]
    fn broken_bytes_are_an_empty_cache() {
        let cache = CodeCache::default();
        cache.highlight("haskell", HASKELL);
        let bytes = cache.encode();
        let mut changed = bytes.clone();
        changed[20] ^= 1;
        for broken in [&[][..], b"x", &bytes[..bytes.len() - 1], &bytes[1..], &changed] {
            assert!(CodeCache::decode(broken).is_empty());
        }
    }

    #[test]
    fn a_sweep_forgets_what_nobody_asked_for() {
        let cache = CodeCache::default();
        cache.highlight("haskell", HASKELL);
        cache.sweep();
        assert_eq!(cache.len(), 1);
        cache.sweep();
        assert_eq!(cache.len(), 0);
    }
}
