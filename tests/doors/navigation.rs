//! Walking through a book: the tree, visits without a load, keys, terms, print view, a theme of the
//! book's own, and what axe-core says of every kind of page.

use crate::browser;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::{binary, get, run_to_end, send, serve, shared, within};

const SOON: Duration = Duration::from_secs(20);

const BOOK: &str = "[book]\ntitle = \"Harbour\"\ndescription = \"How the harbour works.\"\n\n\
    [output.html]\nedit-url-template = \"https://example.org/edit/{path}\"\n\n\
    [output.loggia.services.tower]\ntitle = \"Control Tower\"\n";
const SUMMARY: &str = "# Summary\n\n[Welcome](index.md)\n\n# The harbour\n\n\
    - [Arrival](guide/arrival.md)\n  - [Berths and tides](guide/berths.md)\n  - [Pilots](guide/pilots.md)\n\
    - [Cranes](guide/cranes.md)\n- [Customs]()\n\n# Reference\n\n- [Words](words.md)\n\n---\n\n[Afterword](after.md)\n";
const WELCOME: &str = "---\nglossary:\n  - {term: berth, definition: A place where one ship lies.}\n---\n\
    # Welcome\n\nA berth for every ship. See [tides](guide/arrival.md#tides).\n\n## What stands here\n\nWords.\n";
const ARRIVAL: &str = "---\nglossary:\n  - {term: tide, definition: The rise and fall of the sea.}\n---\n\
    # Arrival\n\nThe tide decides.\n\n## Signals\n\nFILL## Tides {#tides}\n\nFILL## Papers\n\nFILL";
const BERTHS: &str = r#"# Berths and tides

> [!NOTE]
> A note with a [link](pilots.md).

> [!WARNING]
> Careful.

| Berth | Depth | Crane |
|---|--:|:-:|
| A | 12 m | yes |

- [x] done
- [ ] open

```rust
fn main() { println!("a long line of code that goes on until it has to scroll sideways on every screen that there is, wide ones as well as narrow ones, and then a little further than that"); }
```

```mermaid
graph TD
  A[Tower] --> B[Berth] --> C[(Log)]
```

```kpi-grid
[{"label":"Turnaround","value":"< 12 h"},{"label":"Berths used","value":"80%"}]
```

A footnote[^1], `code`, **bold**, ~~struck~~, an image ![A line](../line.svg) and <https://example.org>.

<details><summary>More</summary>

Inside.

</details>

```glossary
- {term: fender, definition: What keeps the ship off the wall.}
```

```service-map
```

## A fender at work {services="tower"}

The fender is soft.

```text
┌────┐
│ A  │
└────┘
```

[^1]: The footnote.
"#;

pub(crate) fn write_book(dir: &Path) {
    let fill = "A ship that arrives is met by a pilot and led to a berth.\n\n".repeat(24);
    let short = |title: &str| format!("# {title}\n\n{fill}## More\n\nWords.\n");
    for (path, text) in [
        ("book.toml", BOOK.to_owned()),
        ("src/SUMMARY.md", SUMMARY.to_owned()),
        ("src/index.md", WELCOME.to_owned()),
        ("src/guide/arrival.md", ARRIVAL.replace("FILL", &fill)),
        ("src/guide/berths.md", BERTHS.to_owned()),
        ("src/guide/pilots.md", short("Pilots")),
        ("src/guide/cranes.md", short("Cranes")),
        ("src/words.md", short("Words")),
        ("src/after.md", short("Afterword")),
        (
            "src/line.svg",
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"8\"/>".to_owned(),
        ),
    ] {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn build(dir: &Path) -> String {
    let output = run_to_end(Command::new(binary("loggia")).arg("build").arg(dir));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    dir.join("book").to_str().unwrap().to_owned()
}

#[test]
fn readers_go_through_a_book() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    write_book(dir.path());
    let (_program, url) = serve(dir.path());
    browser::run("navigate.mjs", &[&url]);
    browser::run("plain.mjs", &[&format!("{url}/")]);
}

#[test]
fn a_built_book_opens_from_files_without_script() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    write_book(dir.path());
    browser::run("plain.mjs", &[&format!("file://{}/", build(dir.path()))]);
}

/// A stored trace of two services, one of which fails.
fn trace(url: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let span = |service: &str, id: u64, parent: &str, status: u64| {
        json!({
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"spans": [{
                "traceId": format!("{:032x}", 1),
                "spanId": format!("{id:016x}"),
                "parentSpanId": parent,
                "name": "GET /berths",
                "kind": 2,
                "startTimeUnixNano": now.to_string(),
                "endTimeUnixNano": (now + u128::from(9_000_000 / id)).to_string(),
                "attributes": [{"key": "http.route", "value": {"stringValue": "/berths"}}],
                "status": {"code": status},
            }]}],
        })
    };
    let parent = format!("{:016x}", 1);
    let spans = [span("tower", 1, "", 1), span("berths", 2, &parent, 2)];
    let body = serde_json::to_vec(&json!({ "resourceSpans": spans })).unwrap();
    let kind = [("content-type", "application/json")];
    let answer = send("POST", &format!("{url}/otlp/v1/traces"), &kind, &body).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let stored = format!("{url}/live/traces/{:032x}", 1);
    within("the trace is stored", SOON, || get(&stored).is_ok_and(|page| page.status == 200));
}

#[test]
fn axe_finds_nothing() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    write_book(dir.path());
    let theme = dir.path().join("theme");
    fs::create_dir(&theme).unwrap();
    fs::write(theme.join("header.html"), "<p>Draft of March</p>").unwrap();
    fs::write(theme.join("footer.html"), "<p><a href=\"/\">Imprint</a></p>").unwrap();
    let (_program, url) = serve(dir.path());
    trace(&url);
    browser::run(
        "axe.mjs",
        &[
            &url,
            "/",
            "/guide/arrival.html!search=harbour",
            "/guide/arrival.html!keys",
            "/guide/arrival.html!drawer",
            "/guide/arrival.html!term",
            "/search.html?q=harbour",
            "/guide/arrival.html",
            "/guide/berths.html",
            "/glossary.html",
            "/print.html",
            "/nowhere.html",
            "/search.html",
            "/search.html?q=the",
            "/guide/arrival.html?highlight=the",
            "/!search=the",
            "/!search=qqxxqq",
            "/live/services",
            "/live/services/tower",
            "/live/map",
            "/live/traces",
            "/live/traces/00000000000000000000000000000001",
            "/live/drift",
            "/live/objectives",
            "/live/explore?query=up",
        ],
    );
    let Some(seeds) = shared("seeds") else { return };
    let (_seeds, url) = serve(&seeds);
    let mut paths = vec![url];
    let mut names: Vec<String> = fs::read_dir(&seeds)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| Some(format!("/{}.html", name.strip_suffix(".md")?)))
        .collect();
    names.sort_unstable();
    paths.extend(names);
    browser::run("axe.mjs", &paths.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn pages_beside_the_authors_are_written() {
    let dir = tempfile::tempdir().unwrap();
    write_book(dir.path());
    let book = build(dir.path());
    let read = |name: &str| fs::read_to_string(Path::new(&book).join(name)).unwrap_or_default();
    for (name, wanted) in [
        (
            "glossary.html",
            &["id=\"glossary-tide\"", "The rise and fall of the sea.", "guide/arrival.html"][..],
        ),
        (
            "print.html",
            &["id=\"p1-tides\"", "href=\"#p1-tides\"", "src=\"line.svg\"", "A fender at work"],
        ),
        ("404.html", &["There is no such page", "href=\"/guide/arrival.html\""]),
        (
            "guide/berths.html",
            &[
                "1.1.",
                "rel=\"prev\"",
                "rel=\"next\"",
                "aria-current=\"page\"",
                "https://example.org/edit/src/guide/berths.md",
            ],
        ),
        ("guide/arrival.html", &["href=\"../glossary.html#glossary-tide\""]),
    ] {
        let html = read(name);
        for text in wanted {
            assert!(html.contains(text), "{name} has no `{text}`");
        }
    }
    fs::write(dir.path().join("src/glossary.md"), "# Mine\n").unwrap();
    fs::write(
        dir.path().join("book.toml"),
        format!("{BOOK}\n[output.html.print]\nenable = false\n"),
    )
    .unwrap();
    let summary = format!("{SUMMARY}[Mine](glossary.md)\n");
    fs::write(dir.path().join("src/SUMMARY.md"), summary).unwrap();
    build(dir.path());
    assert!(read("glossary.html").contains("Mine"), "the author's own page stays");
    assert!(!Path::new(&book).join("print.html").exists(), "no print view is wanted");
}

#[test]
fn a_large_book_has_small_pages() {
    let dir = tempfile::tempdir().unwrap();
    for nth in 0..700 {
        fs::write(
            dir.path().join(format!("page-{nth:04}.md")),
            format!("# Page {nth}\n\nWords.\n"),
        )
        .unwrap();
    }
    fs::write(dir.path().join("book.toml"), "[book]\nsrc = \".\"\n").unwrap();
    let book = build(dir.path());
    let page = fs::read_to_string(Path::new(&book).join("page-0350.html")).unwrap();
    let entries = page.matches("page-0").count();
    assert!(entries < 100, "{entries} links to pages in one page");
    assert!(page.contains("page-0349.html") && page.contains("contents.html"), "its neighbours");
    let contents = fs::read_to_string(Path::new(&book).join("contents.html")).unwrap();
    assert!((0..700).all(|nth| contents.contains(&format!("page-{nth:04}.html"))), "all pages");
    if browser::is_there() {
        browser::run("axe.mjs", &[&format!("file://{book}/"), "contents.html"]);
    }
}

#[test]
fn a_theme_of_the_books_own() {
    let dir = tempfile::tempdir().unwrap();
    write_book(dir.path());
    let theme = dir.path().join("theme");
    fs::create_dir_all(theme.join("img")).unwrap();
    for (name, text) in [
        ("head.html", "<meta name=\"from-theme\" content=\"yes\">"),
        ("header.html", "<p>Draft of March</p>"),
        ("footer.html", "<p>Imprint</p>"),
        ("custom.css", "main { background: url(\"img/wave.svg\") }"),
        ("img/wave.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
        ("favicon.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"><title>mine</title></svg>"),
    ] {
        fs::write(theme.join(name), text).unwrap();
    }
    let book = build(dir.path());
    let page = fs::read_to_string(Path::new(&book).join("guide/pilots.html")).unwrap();
    for text in ["name=\"from-theme\"", "Draft of March", "Imprint"] {
        assert!(page.contains(text), "the page has no `{text}`");
    }
    let assets: Vec<_> =
        fs::read_dir(Path::new(&book).join("assets")).unwrap().map(|e| e.unwrap().path()).collect();
    let named = |start: &str, ending: &str| {
        let fits = |path: &&std::path::PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(start) && name.ends_with(ending)
        };
        fs::read_to_string(assets.iter().find(fits).unwrap()).unwrap()
    };
    let style = named("loggia.", ".css");
    let (_, after) = style.split_once("url(\"img/wave.").expect("the picture is named");
    let picture = format!("assets/img/wave.{}", after.split('"').next().unwrap());
    assert!(Path::new(&book).join(&picture).is_file(), "{picture} is written");
    assert!(named("icon.", ".svg").contains("mine"), "the book's own icon");
}
