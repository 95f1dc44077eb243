//! One copy of what many spans carry, and what the copies weigh.
//!
//! The store passes every span through here: keys, operation names and short values repeat thousands
//! of times, and sharing them halves the memory of a span. A shared copy is weighed here once, for as
//! long as it is kept; what a span has for itself is weighed with the span (see [`own_bytes`]).

use crate::{Attribute, Resource, Scope, Span, Status, Value};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Longer texts are rarely equal.
const MAX_TEXT_BYTES: usize = 96;
/// Resources, and scopes, of one name that are shared: further ones belong to their span alone.
const MAX_OF_NAME: usize = 256;
/// The counters and the allocation of a shared value.
const SHARED: usize = 32;
/// What a copy takes beside that: its place in the pool, of which up to half is free. Estimated.
const PLACE: usize = 48;

#[derive(Debug, Default)]
pub(crate) struct Interner {
    texts: HashSet<Arc<str>>,
    resources: HashMap<Arc<str>, Vec<Arc<Resource>>>,
    scopes: HashMap<Arc<str>, Vec<Arc<Scope>>>,
    bytes: usize,
}

impl Interner {
    /// Replaces what the span shares with others by the shared copy. Gives the bytes of what could not
    /// be shared and is the span's own, beside [`own_bytes`].
    pub(crate) fn intern(&mut self, span: &mut Span) -> usize {
        self.share(&mut span.name);
        if let Status::Error(message) = &mut span.status {
            self.share(message);
        }
        self.share_all(&mut span.attributes);
        for event in &mut span.events {
            self.share(&mut event.name);
            self.share_all(&mut event.attributes);
        }
        span.links.iter_mut().for_each(|link| self.share_all(&mut link.attributes));
        let name = span.resource.service.clone();
        let resource = share_in(&mut self.resources, name, &mut span.resource, resource_bytes);
        let name = span.scope.name.clone();
        let scope = share_in(&mut self.scopes, name, &mut span.scope, scope_bytes);
        let mut unshared = 0;
        for weight in [resource, scope] {
            match weight {
                Weight::Known => {}
                Weight::Shared(bytes) => self.bytes += bytes,
                Weight::Own(bytes) => unshared += bytes,
            }
        }
        unshared
    }

    /// Estimated bytes of the shared copies, also of those that no span uses any more.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many copies there are.
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Forgets the copies that no span uses any more. Looks at each of them.
    pub(crate) fn sweep(&mut self) {
        self.texts.retain(|text| Arc::strong_count(text) > 1);
        self.bytes = self.texts.iter().map(text_bytes).sum();
        self.bytes += retain_used(&mut self.resources, resource_bytes);
        self.bytes += retain_used(&mut self.scopes, scope_bytes);
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
                self.bytes += text_bytes(text);
                self.texts.insert(text.clone());
            }
        }
    }
}

/// Estimated bytes of what a span has for itself: the span, its lists, and texts too long to be shared.
pub(crate) fn own_bytes(span: &Span) -> usize {
    let events: usize = span
        .events
        .iter()
        .map(|event| size_of_val(event) + unshared(&event.name) + own_list(&event.attributes))
        .sum();
    let links: usize =
        span.links.iter().map(|link| size_of_val(link) + own_list(&link.attributes)).sum();
    let message = match &span.status {
        Status::Error(message) => unshared(message),
        Status::Unset | Status::Ok => 0,
    };
    let lists = own_list(&span.attributes) + events + links;
    size_of::<Span>() + SHARED + unshared(&span.name) + message + lists
}

fn own_list(attributes: &[Attribute]) -> usize {
    let texts = attributes.iter().map(|attribute| {
        let value = match &attribute.value {
            Value::Text(text) => unshared(text),
            _ => 0,
        };
        unshared(&attribute.key) + value
    });
    size_of_val(attributes) + texts.sum::<usize>()
}

fn unshared(text: &Arc<str>) -> usize {
    if text.len() > MAX_TEXT_BYTES { text.len() + SHARED } else { 0 }
}

fn text_bytes(text: &Arc<str>) -> usize {
    text.len() + SHARED + PLACE
}

/// Estimated bytes of a resource with all its texts.
pub(crate) fn resource_bytes(resource: &Resource) -> usize {
    // Service, instance and version are texts of the list.
    size_of::<Resource>() + PLACE + full_list(&resource.attributes)
}

/// Estimated bytes of a scope with all its texts.
pub(crate) fn scope_bytes(scope: &Scope) -> usize {
    let names = scope.name.len() + scope.version.len() + 2 * SHARED;
    size_of::<Scope>() + PLACE + names + full_list(&scope.attributes)
}

fn full_list(attributes: &[Attribute]) -> usize {
    let texts = attributes.iter().map(|attribute| {
        let value = match &attribute.value {
            Value::Text(text) => text.len() + SHARED,
            _ => 0,
        };
        attribute.key.len() + SHARED + value
    });
    size_of_val(attributes) + texts.sum::<usize>()
}

/// Who pays for a resource or scope.
enum Weight {
    /// Whoever brought it.
    Known,
    /// The pool.
    Shared(usize),
    /// The span.
    Own(usize),
}

fn share_in<T: PartialEq>(
    pool: &mut HashMap<Arc<str>, Vec<Arc<T>>>,
    name: Arc<str>,
    item: &mut Arc<T>,
    bytes: impl Fn(&T) -> usize,
) -> Weight {
    let same_name = pool.entry(name).or_default();
    // Spans of one request bring the very same one.
    let known = same_name.iter().find(|shared| Arc::ptr_eq(shared, item));
    match known.or_else(|| same_name.iter().find(|shared| ***shared == **item)) {
        Some(shared) => {
            *item = shared.clone();
            Weight::Known
        }
        None if same_name.len() < MAX_OF_NAME => {
            same_name.push(item.clone());
            Weight::Shared(bytes(item))
        }
        None => Weight::Own(bytes(item)),
    }
}

fn retain_used<T>(pool: &mut HashMap<Arc<str>, Vec<Arc<T>>>, bytes: impl Fn(&T) -> usize) -> usize {
    let mut kept = 0;
    pool.retain(|_, same_name| {
        same_name.retain(|shared| Arc::strong_count(shared) > 1);
        kept += same_name.iter().map(|shared| bytes(shared)).sum::<usize>();
        !same_name.is_empty()
    });
    kept
}
