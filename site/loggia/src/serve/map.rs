//! `GET /live/map`: the reader's choice in the address to what is shown.

use super::App;
use super::seen::Seen;
use axum::extract::{Query, State};
use axum::response::Response;
use document::{Grouping, MapDirection};
use pages::MapView;
use serde::Deserialize;
use std::sync::Arc;

/// Longer words are cut before they are searched for.
const WORDS_CHARS_MAX: usize = 200;

/// As typed; what is not understood is as if it were not there.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    focus: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    groups: String,
    #[serde(default)]
    direction: String,
}

impl Choice {
    fn view(&self) -> MapView {
        let given = |text: &str| {
            let text: String = text.trim().chars().take(WORDS_CHARS_MAX).collect();
            (!text.is_empty()).then_some(text)
        };
        MapView {
            focus: given(&self.focus),
            q: given(&self.q),
            groups: match self.groups.as_str() {
                "owner" => Grouping::Owner,
                "layer" => Grouping::Layer,
                _ => Grouping::None,
            },
            direction: match self.direction.as_str() {
                "down" => MapDirection::Down,
                _ => MapDirection::Right,
            },
        }
    }
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Query(choice): Query<Choice>,
    seen: Seen,
) -> Response {
    let shown = app.shown();
    let site = seen.site(&app, &shown);
    seen.html(pages::render_map(&site, &choice.view(), &seen.evidence))
}
