//! Looking for words within one trace, as the search inside its page does.

use crate::{Attribute, Span, Status, Trace};

impl Trace {
    /// The indices of the rows that hold the words, whatever the case: in the service, the name, the id, an attribute as
    /// `key=value`, an event, the error's message or the sender. No words are nowhere.
    pub fn find(&self, words: &str) -> Vec<usize> {
        let words = words.trim().to_lowercase();
        if words.is_empty() {
            return Vec::new();
        }
        let rows = self.rows.iter().enumerate();
        rows.filter(|(_, row)| holds(&row.span, &words)).map(|(index, _)| index).collect()
    }
}

fn holds(span: &Span, words: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(words);
    let in_list = |list: &[Attribute]| {
        list.iter().any(|one| has(&format!("{}={}", one.key, one.value.text())))
    };
    has(span.service())
        || has(&span.name)
        || span.span_id.to_string().contains(words)
        || matches!(&span.status, Status::Error(message) if has(message))
        || in_list(&span.attributes)
        || span.events.iter().any(|event| has(&event.name) || in_list(&event.attributes))
        || in_list(&span.resource.attributes)
}
