//! One copy of each text that many spans carry.
//!
//! The store passes every span through here: keys, operation names and short values repeat thousands
//! of times, and sharing them halves the memory of a span.

use crate::{Attribute, Resource, Scope, Span, Value};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Texts that are shared at a time; beyond, those that no span uses any more are forgotten.
const MAX_TEXTS: usize = 16_384;
/// Longer texts are rarely equal.
const MAX_TEXT_BYTES: usize = 96;
/// Resources and scopes that are shared at a time.
const MAX_SENDERS: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Interner {
    texts: HashSet<Arc<str>>,
    resources: HashMap<Arc<str>, Vec<Arc<Resource>>>,
    scopes: HashMap<Arc<str>, Vec<Arc<Scope>>>,
}

impl Interner {
    /// Replaces what the span shares with others by the shared copy.
    pub(crate) fn intern(&mut self, span: &mut Span) {
        self.make_room();
        self.share(&mut span.name);
        self.share_all(&mut span.attributes);
        for event in &mut span.events {
            self.share(&mut event.name);
            self.share_all(&mut event.attributes);
        }
        span.links.iter_mut().for_each(|link| self.share_all(&mut link.attributes));
        share_in(&mut self.resources, span.resource.service.clone(), &mut span.resource);
        share_in(&mut self.scopes, span.scope.name.clone(), &mut span.scope);
    }

    fn make_room(&mut self) {
        if self.texts.len() >= MAX_TEXTS {
            self.texts.retain(|text| Arc::strong_count(text) > 1);
            // Were many of them in use, the next spans would look through all of them again in vain.
            if self.texts.len() > MAX_TEXTS / 2 {
                self.texts.clear();
            }
        }
        if self.resources.values().map(Vec::len).sum::<usize>() >= MAX_SENDERS {
            self.resources.clear();
        }
        if self.scopes.values().map(Vec::len).sum::<usize>() >= MAX_SENDERS {
            self.scopes.clear();
        }
    }

    fn share_all(&mut self, attributes: &mut [Attribute]) {
        for attribute in attributes {
            self.share(&mut attribute.key);
            if let Value::Text(text) = &mut attribute.value {
                self.share(text);
            }
        }
    }

    fn share(&mut self, text: &mut Arc<str>) {
        if text.len() > MAX_TEXT_BYTES {
            return;
        }
        match self.texts.get(text) {
            Some(shared) => *text = shared.clone(),
            None => {
                self.texts.insert(text.clone());
            }
        }
    }
}

fn share_in<T: PartialEq>(
    pool: &mut HashMap<Arc<str>, Vec<Arc<T>>>,
    name: Arc<str>,
    item: &mut Arc<T>,
) {
    let same_name = pool.entry(name).or_default();
    match same_name.iter().find(|shared| Arc::ptr_eq(shared, item) || ***shared == **item) {
        Some(shared) => *item = shared.clone(),
        None => same_name.push(item.clone()),
    }
}
