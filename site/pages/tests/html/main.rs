//! Pages as a browser gets them: nothing from outside is markup, what is promised is there, and the
//! live layer is well formed.

mod fixture;

use document::{Grouping, MapDirection, ServiceId};
use evidence::{Happening, HappeningKind};
use fixture::{HOSTILE, book, evidence, log, service_view, site, trace};
use pages::{
    Assets, Cells, LogFilters, LogSearchView, MapView, TimelineView, TraceAsk, TraceFilters,
    TraceSearchView, TraceView,
};
use std::sync::Arc;

fn hostile_view() -> MapView {
    MapView {
        focus: Some(HOSTILE.to_owned()),
        q: Some(HOSTILE.to_owned()),
        groups: Grouping::Owner,
        ..MapView::default()
    }
}

fn logs() -> LogSearchView {
    let typed = || Some(HOSTILE.to_owned());
    LogSearchView {
        filters: LogFilters {
            text: HOSTILE.to_owned(),
            service: typed(),
            severity: typed(),
            trace: typed(),
            span: typed(),
            from: typed(),
            to: typed(),
            limit: 7,
            tail: true,
        },
        counts: traces::LogCounts::of(&[Arc::new(log())]),
        counted: vec![Arc::new(log())],
        records: vec![Arc::new(log())],
        services: vec![HOSTILE.to_owned()],
        problems: [("from", HOSTILE.to_owned())].into(),
        ..LogSearchView::default()
    }
}

fn happened() -> TimelineView {
    let happening = |kind| Happening {
        at: 1_000,
        until: None,
        kind,
        subject: HOSTILE.to_owned(),
        words: HOSTILE.to_owned(),
        service: Some(ServiceId(HOSTILE.to_owned())),
        about: HOSTILE.to_owned(),
    };
    TimelineView {
        happenings: [HappeningKind::Alert, HappeningKind::Drift].map(happening).into(),
        to: 5_000,
        problem: Some(HOSTILE.to_owned()),
        ..TimelineView::default()
    }
}

/// Every kind of page with hostile names, labels, claims and spans in it.
fn every_page() -> Vec<(&'static str, String)> {
    let (book, assets) = (book(), Assets::embedded());
    let (site, evidence, page) = (site(&book, &assets), evidence(&book), &book.pages[0]);
    let search = TraceSearchView {
        filters: TraceFilters {
            service: Some(HOSTILE.to_owned()),
            operation: Some(HOSTILE.to_owned()),
            calls: Some(HOSTILE.to_owned()),
            attributes: Some(HOSTILE.to_owned()),
            min_duration: Some(HOSTILE.to_owned()),
            from: Some(HOSTILE.to_owned()),
            ..TraceFilters::default()
        },
        results: service_view(&evidence).traces,
        plotted: service_view(&evidence).traces,
        problems: [("min", HOSTILE.to_owned())].into(),
        services: vec![HOSTILE.to_owned()],
        operations: vec![HOSTILE.to_owned()],
        problem: Some(HOSTILE.to_owned()),
        ..TraceSearchView::default()
    };
    let (trace, logs_of_trace) = (trace(), [Arc::new(log())]);
    let documented = trace
        .services
        .keys()
        .map(|name| (name.to_string(), service_view(&evidence).documented))
        .collect();
    let ask = TraceAsk {
        find: HOSTILE.to_owned(),
        problem: Some(HOSTILE.to_owned()),
        ..TraceAsk::default()
    };
    let trace_view = TraceView {
        trace: &trace,
        logs: &logs_of_trace,
        documented: &documented,
        moved_ns: trace.services.keys().map(|name| (name.clone(), 5)).collect(),
        arriving: true,
        ask,
    };
    vec![
        ("page", pages::render_page(&site, page, Some(&evidence), &page.diagnostics, true)),
        ("services", pages::render_services(&site, &evidence)),
        ("service", pages::render_service(&site, &service_view(&evidence), &evidence)),
        ("traces", pages::render_traces(&site, &search, Some(&evidence))),
        ("logs", pages::render_logs(&site, &logs(), Some(&evidence))),
        ("alerts", pages::render_alerts(&site, &happened(), &evidence)),
        ("drift", pages::render_drift(&site, &evidence)),
        ("map", pages::render_map(&site, &hostile_view(), &evidence)),
        ("trace", pages::render_trace(&site, &trace_view, Some(&evidence))),
        ("span", pages::render_span(&site, &trace_view, 0, Some(&evidence))),
        (
            "error",
            pages::render_error(&site, 404, HOSTILE, HOSTILE, &[(HOSTILE, HOSTILE.to_owned())]),
        ),
        (
            "glossary",
            pages::render_extra(&site, "glossary.html", Some(&evidence))
                .expect("the book has terms"),
        ),
    ]
}

#[test]
fn nothing_from_outside_is_markup() {
    for (name, html) in every_page() {
        let lower = html.to_lowercase();
        assert!(lower.contains("alert(1)"), "{name}: the hostile text is shown as text");
        assert!(!lower.contains("<img"), "{name}: an element came through");
        assert_eq!(lower.matches("<script").count(), 3, "{name}: only the theme's own scripts");
        assert!(
            !lower.contains("\" onerror") && !lower.contains("\"onerror"),
            "{name}: an attribute was left"
        );
        for script in lower.split("<script").skip(1) {
            let opening = script.split_once('>').map_or("", |(opening, _)| opening);
            assert!(opening.contains("src="), "{name}: an inline script: {opening}");
        }
    }
}

#[test]
fn the_map_shows_what_was_chosen() {
    let (book, assets) = (book(), Assets::embedded());
    let (site, evidence) = (site(&book, &assets), evidence(&book));
    let whole = MapView::default();
    let around = MapView { focus: Some("EVENTS".to_owned()), ..whole.clone() };
    let nobody = MapView { focus: Some("ghost".to_owned()), ..whole.clone() };
    let found = MapView { q: Some("Orders".to_owned()), ..whole.clone() };
    let down = MapView { groups: Grouping::Owner, direction: MapDirection::Down, ..whole.clone() };
    for (view, nodes, marked, words) in [
        (whole, 6, 0, "Left out: 3 of 9 nodes and 0 of 5 connections"),
        (around, 2, 1, "Around events"),
        (nobody, 6, 0, "Nothing called “ghost” was seen"),
        (found, 6, 2, "2 are called “Orders”"),
        (down, 6, 0, "class=\"cluster\""),
    ] {
        let html = pages::render_map(&site, &view, &evidence);
        assert_eq!(html.matches("class=\"node ").count(), nodes, "{view:?}");
        assert_eq!(html.matches(" marked\"").count(), marked, "{view:?}");
        assert!(html.contains(words), "{view:?}");
        let cells = pages::cells_for_map(&site, &evidence);
        for key in html.split("data-cell=\"map.").skip(1) {
            let key = key.split('"').next().unwrap_or_default();
            let hostile = key.contains('&');
            assert!(hostile || cells.contains_key(&format!("map.{key}")), "no cell map.{key}");
        }
    }
    let cells = pages::cells_for_map(&site, &evidence);
    assert_eq!(cells["map.e.orders.orders%2Edb.rate"].t.as_deref(), Some("idle"));
    assert_eq!(cells["map.e.gateway.orders.rate"].t.as_deref(), Some("31/s"));
}

#[test]
fn links_of_documents_lead_nowhere_dangerous() {
    for (name, html) in every_page() {
        assert!(!html.to_lowercase().contains("href=\"javascript:"), "{name}");
    }
}

#[test]
fn the_live_layer_is_well_formed() {
    let (_, html) = every_page().swap_remove(0);
    let start = html
        .find("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"overlay\"")
        .expect("a layer above the diagram");
    let end = html[start..].find("</svg>").expect("the layer ends") + start + "</svg>".len();
    let parsed = roxmltree::Document::parse(&html[start..end]).expect("the layer is XML");
    let count = |key: &str| {
        parsed.descendants().filter(|node| node.attribute("data-cell") == Some(key)).count()
    };
    for key in ["d0.n.A", "d0.n.A.rate", "d0.n.B.p95", "d0.n.B.errors"] {
        assert_eq!(count(key), 1, "{key}");
    }
    // A wire lies below the drawing; what stands above it can be reached and read.
    let edges: Vec<_> = parsed
        .descendants()
        .filter(|node| node.attribute("class") == Some("edge-live"))
        .filter(|node| node.attribute("aria-hidden").is_none())
        .collect();
    assert!(!edges.is_empty(), "an arrow with figures");
    for edge in edges {
        assert_eq!(edge.attribute("data-state"), Some("healthy"));
        assert!(
            edge.attribute("href").is_some_and(|href| href.starts_with("live/traces?service="))
        );
        assert!(edge.attribute("aria-label").is_some_and(|label| label.contains("p95 38 ms")));
    }
}

#[test]
fn every_cell_has_its_place_and_every_place_its_cell() {
    let (book, assets) = (book(), Assets::embedded());
    let (site, evidence, page) = (site(&book, &assets), evidence(&book), &book.pages[0]);
    let check = |name: &str, html: &str, cells: &Cells| {
        let places: Vec<&str> = html
            .split("data-cell=\"")
            .skip(1)
            .filter_map(|rest| rest.split_once('"').map(|(key, _)| key))
            .collect();
        assert!(places.len() > 10, "{name}: has live elements");
        for place in places.into_iter().filter(|place| !place.contains('&')) {
            // Dots of sections that nothing is bound to stay as they are.
            let unbound = place.starts_with("sec.") && !cells.contains_key(place);
            assert!(unbound || cells.contains_key(place), "{name}: no cell for `{place}`");
        }
        assert!(
            html.contains(&format!("data-shape=\"{}\"", cells["shape"].t.as_deref().unwrap_or(""))),
            "{name}"
        );
    };
    let view = service_view(&evidence);
    check(
        "page",
        &pages::render_page(&site, page, Some(&evidence), &[], false),
        &pages::cells_for_page(&site, page, &evidence),
    );
    check(
        "services",
        &pages::render_services(&site, &evidence),
        &pages::cells_for_services(&site, &evidence),
    );
    check(
        "drift",
        &pages::render_drift(&site, &evidence),
        &pages::cells_for_drift(&site, &evidence),
    );
    check(
        "service",
        &pages::render_service(&site, &view, &evidence),
        &pages::cells_for_service(&site, &view, &evidence),
    );
}

#[test]
fn figures_stand_in_the_page_as_the_server_sends_it() {
    let pages = every_page();
    for (page, words) in [
        (
            "page",
            &[
                "412/s",
                "38 ms",
                "0.02 %",
                "holds",
                "&#60; 200 ms",
                "measured over the last 30 s",
                "1 of 3 edges confirmed by traces",
                "live/drift#index.figure-0",
            ][..],
        ),
        (
            "drift",
            &[
                "1,240 traces in 4.2 min of the last 15 min",
                "Traces show 10 % of the requests that metrics count",
                "33.3 %",
                "1 of 3 edges confirmed by traces",
                "not drawn",
                "confirmed",
                "idle",
                "never seen",
                "not judged",
                "href=\"../index.html#figure-0\"",
                "A sequence shows one scenario",
                "--&#62; B",
            ][..],
        ),
        ("services", &["412/s", "2 of 2", "no traffic"][..]),
        ("service", &["Rate", "−15 min", "p95", "all traces"][..]),
        ("trace", &["critical path", "590 ms", "parent missing"][..]),
        ("error", &["404", "Go to the start"][..]),
    ] {
        let html = &pages.iter().find(|(name, _)| *name == page).expect("a page of this name").1;
        for word in words {
            assert!(
                html.contains(word) || html.contains(&word.replace("&#60;", "&lt;")),
                "{page}: `{word}`"
            );
        }
    }
}

#[test]
fn a_static_page_stands_alone() {
    let (book, assets) = (book(), Assets::embedded());
    let site = pages::Site { live: false, version: None, ..site(&book, &assets) };
    let html = pages::render_page(&site, &book.pages[0], None, &[], false);
    for absent in [
        "data-events",
        "live/",
        "class=\"strip\"",
        "class=\"overlay\"",
        "id=\"live\"",
        "data-version",
        "href=\"/",
    ] {
        assert!(!html.contains(absent), "`{absent}` in a static page");
    }
    for present in [
        "href=\"assets/loggia.",
        "src=\"assets/loggia.",
        "< 200 ms".replace('<', "&lt;").as_str(),
        "<figure",
    ] {
        assert!(
            html.contains(present) || html.contains(&present.replace("&lt;", "&#60;")),
            "no `{present}` in a static page"
        );
    }
}

#[test]
fn links_lead_to_the_root_from_everywhere() {
    let (book, assets) = (book(), Assets::embedded());
    let site = site(&book, &assets);
    let mut deep = (*book.pages[0]).clone();
    deep.path = "guide/part/intro.html".to_owned();
    let html = pages::render_page(&site, &deep, None, &[], false);
    assert!(html.contains("href=\"../../assets/loggia."), "relative to the page");
    let based = pages::Site { base: "/docs/".to_owned(), ..site };
    assert!(
        pages::render_page(&based, &deep, None, &[], false).contains("href=\"/docs/assets/loggia.")
    );
    assert!(
        pages::render_error(&based, 404, "no page", "go back", &[])
            .contains("href=\"/docs/assets/loggia.")
    );
}

#[test]
fn files_are_named_after_their_content() {
    let plain = Assets::embedded();
    let changed = Assets::with_overrides(vec![
        ("css/tokens.css".to_owned(), b"@layer tokens { :root { --r: 0 } }".to_vec()),
        ("css/zz-mine.css".to_owned(), b".mine { color: red }".to_vec()),
    ]);
    let style = |assets: &Assets| {
        assets.iter().find(|file| file.path.ends_with(".css")).expect("a style sheet").clone()
    };
    let (before, after) = (style(&plain), style(&changed));
    assert_ne!(before.path, after.path);
    let text = String::from_utf8(after.bytes).expect("CSS is text");
    assert!(
        text.contains("--r: 0") && text.contains(".mine") && !text.contains("--measure: 44rem")
    );
    assert_eq!(plain.get(&format!("/{}", before.path)), Some(&before));
    let scripts: Vec<_> = plain.iter().filter(|file| file.path.ends_with(".js")).collect();
    // The script that stops the page is small; what runs later is one file, and search another.
    for (name, kib) in [("mode", 3), ("loggia", 160), ("search", 28)] {
        let start = format!("assets/{name}.");
        let script = scripts.iter().find(|file| file.path.starts_with(&start)).expect(name);
        let bytes = script.bytes.len();
        assert!(bytes < kib * 1024, "{name} has {bytes} bytes");
    }
    for script in &scripts {
        let text = std::str::from_utf8(&script.bytes).expect("scripts are text");
        for import in text.lines().filter_map(|line| line.split_once(" from \"./")) {
            let name = import.1.split('"').next().unwrap_or("");
            assert!(plain.get(&format!("assets/{name}")).is_some(), "{}: `{name}`", script.path);
        }
    }
}
