//! Single pages: what Markdown becomes, and which mistakes are found where.

use diagnostics::{Severity, SourceFile};
use document::{Config, Grouping, MapDirection, MapOptions, Page, Piece, ServiceId, parse_page};

mod flat;

fn config() -> Config {
    let text = r#"
[output.loggia.services.orders]
aliases = ["Order Service"]
[output.loggia.services.auth]
[output.loggia.services.users]
[output.loggia.kpis."Response Time"]
query = "p95"
unit = "s"
[output.loggia.kpis."Error Rate"]
query = "errors"
"#;
    let (config, found) = Config::parse(&SourceFile::new("book.toml", text));
    assert_eq!(found, []);
    config
}

fn page(text: &str) -> Page {
    parse_page(&SourceFile::new("a.md", text), &config())
}

/// The page's HTML holds every fragment, and the page is sound.
fn check(text: &str, fragments: &[&str]) {
    let page = page(text);
    let html = flat::html(&page);
    for fragment in fragments {
        assert!(html.contains(fragment), "{text:?} has no {fragment:?}:\n{html}");
    }
    assert_eq!(page.diagnostics, [], "{text:?}");
}

/// Findings as code, line, column and a part of the message.
fn check_findings(text: &str, expected: &[(&str, u32, u32, &str)]) {
    let page = page(text);
    let found: Vec<_> =
        page.diagnostics.iter().map(|f| (f.code.as_str(), f.line, f.column)).collect();
    let places: Vec<_> =
        expected.iter().map(|(code, line, column, _)| (*code, *line, *column)).collect();
    assert_eq!(found, places, "{text:?}: {:#?}", page.diagnostics);
    for (finding, (.., message)) in page.diagnostics.iter().zip(expected) {
        assert!(finding.message.contains(message), "{text:?}: {}", finding.message);
        assert!(finding.help.is_some() || finding.code.as_str() == "L003", "{text:?}");
        assert!(!finding.excerpt.text.is_empty(), "{text:?}");
    }
}

#[test]
fn blocks_and_inlines() {
    for (text, fragments) in [
        (
            "Hello *a* **b** ~~c~~ `d<e`",
            &["<p>Hello <em>a</em> <strong>b</strong> <del>c</del> <code>d&lt;e</code></p>"][..],
        ),
        ("- a\n- b\n", &["<ul>\n<li>a</li>\n<li>b</li>\n</ul>"]),
        ("3. a\n4. b\n", &["<ol start=\"3\">"]),
        (
            "- [x] a\n- [ ] b\n",
            &["disabled checked aria-label=\"done\"> a", "disabled aria-label=\"to do\"> b"],
        ),
        (
            "# T\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n",
            &[
                "<div class=\"table\" tabindex=\"0\" role=\"region\" aria-label=\"Table 1: T\"><table>",
                "<th scope=\"col\">a</th>",
                "<th scope=\"col\" align=\"right\">b</th>",
                "<tbody>\n<tr><td>1</td><td align=\"right\">2</td></tr>\n</tbody></table></div>",
            ],
        ),
        (
            "> [!WARNING]\n> Mind\n",
            &[
                "<div class=\"alert alert-warning\" role=\"note\"><p class=\"alert-title\">Warning</p>",
                "<p>Mind</p>\n</div>",
            ],
        ),
        ("> said\n", &["<blockquote>\n<p>said</p>\n</blockquote>"]),
        ("Term\n: What it means\n", &["<dl>\n<dt id=\"term\">Term</dt>\n<dd>What it means</dd>"]),
        ("\"it's\" -- ...\n", &["“it’s” – …"]),
        ("a  \nb\n", &["a<br>\nb"]),
        ("---\n", &["<hr>"]),
        (
            "```rust,ignore\nlet a = 1 < 2;\n```\n",
            &[
                "<div class=\"code\" data-language=\"rust\"><span class=\"language\">rust</span><pre tabindex=\"0\"><code class=\"language-rust ignore\"><span class=\"h-k\">let</span> a = <span class=\"h-n\">1</span> &lt; <span class=\"h-n\">2</span>;\n</code></pre></div>",
            ],
        ),
        ("    indented\n", &["<pre tabindex=\"0\"><code>indented\n</code></pre>"]),
        (
            "one[^1] two[^b] again[^1]\n\n[^b]: B text\n[^1]: A *text*\n",
            &[
                "one<sup class=\"footnote\" id=\"fnref:1\"><a href=\"#fn:1\" role=\"doc-noteref\">1</a></sup>",
                "id=\"fnref:1-2\"",
                "<li id=\"fn:1\"><p>A <em>text</em></p>",
                "<li id=\"fn:2\"><p>B text</p>",
            ],
        ),
        (
            "![an *alt* text](x.png \"t\")",
            &["<img src=\"x.png\" alt=\"an alt text\" title=\"t\" loading=\"lazy\">"],
        ),
        (
            "a <kbd>Ctrl</kbd> b\n\n<details>\n<summary>S</summary>\n\n*in*\n\n</details>\n",
            &["<kbd>Ctrl</kbd>", "<summary>S</summary>", "<p><em>in</em></p>\n</details>"],
        ),
        ("a <script>alert(1)</script>", &["&lt;script&gt;alert(1)&lt;/script&gt;"]),
    ] {
        check(text, fragments);
    }
}

#[test]
fn links_lead_into_the_built_site() {
    for (text, fragments) in [
        ("[x](foo.md#y)", &["<a href=\"foo.html#y\">x</a>"][..]),
        ("[x](../README.md)", &["<a href=\"../index.html\">x</a>"]),
        ("[x](https://e.org/a.md)", &["<a href=\"https://e.org/a.md\" rel=\"noopener\">x</a>"]),
        ("<a@b.org>", &["<a href=\"mailto:a@b.org\">a@b.org</a>"]),
        ("<https://e.org>", &["<a href=\"https://e.org\" rel=\"noopener\">https://e.org</a>"]),
        ("[x][r]\n\n[r]: b.md 'T\"'\n", &["<a href=\"b.html\" title=\"T&quot;\">x</a>"]),
        ("[a b](<c d.png>)", &["href=\"c%20d.png\""]),
    ] {
        check(text, fragments);
    }
    check_findings("a\n[x](javascript:alert(1)) b", &[("L004", 2, 5, "`javascript:`")]);
    assert!(!flat::html(&page("[x](javascript:a)")).contains("href"));
}

#[test]
fn headings_and_sections() {
    let text = "# One\n\n## Two & *three* {#two .wide services=\"auth Order Service, users\"}\n\n\
                ```kpi-grid\n[{\"label\": \"A\", \"value\": 1}]\n```\n\n### Deep\n\n\
                ```mermaid\ngraph TD\n  A --> B\n```\n\n## Two & three\n\n## Two & three\n";
    let page = page(&text.replace("Order Service,", "orders"));
    assert_eq!(page.diagnostics, []);
    let ids: Vec<&str> = page.sections.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["one", "two", "deep", "two--three", "two--three-1"]);
    let two = page.section("two").expect("there");
    assert_eq!(two.title, "Two & three");
    assert_eq!(two.classes, ["wide"]);
    assert_eq!(two.services, ["auth", "orders", "users"].map(|s| ServiceId(s.into())));
    assert_eq!((two.kpis.as_slice(), two.diagrams.as_slice()), (&[0][..], &[0][..]));
    assert_eq!(page.section("deep").map(|s| (s.kpis.len(), s.diagrams.len())), Some((0, 1)));
    assert_eq!(page.section("one").map(|s| (s.kpis.len(), s.diagrams.len())), Some((1, 1)));
    assert_eq!(page.navigation, ["two", "two--three", "two--three-1"]);
    assert_eq!(page.title, "One");
    assert_eq!(page.diagrams().next().map(|d| d.caption.as_str()), Some("Deep"));
    let setext = self::page("Title {#x}\n=====\n");
    assert_eq!((setext.sections[0].id.as_str(), setext.title.as_str()), ("x", "Title"));
}

#[test]
fn figures_in_prose_refer_to_tiles_and_bindings() {
    let page = page(
        "It takes [< 200 ms](kpi:response-time), rarely [1%](kpi:error-rate), [6](kpi:own) or \
         [fast](kpi:new-thing).\n\n```kpi-grid\n[{\"label\": \"Response Time\", \"value\": \"< 100ms\", \
         \"service\": \"Order Service\"}, {\"label\": \"Own\", \"value\": 6, \"query\": \"q\"}]\n```\n",
    );
    assert_eq!(page.diagnostics, []);
    let seen: Vec<_> = page
        .kpis()
        .map(|k| (k.index, k.id.as_str(), k.label.as_str(), k.value.as_str(), k.query.as_deref()))
        .collect();
    assert_eq!(
        seen,
        [
            (0, "response-time", "Response Time", "< 200 ms", Some("p95")),
            (1, "error-rate", "Error Rate", "1%", Some("errors")),
            (2, "own", "Own", "6", Some("q")),
            (3, "new-thing", "New thing", "fast", None),
            (4, "response-time", "Response Time", "< 100ms", Some("p95")),
            (5, "own", "Own", "6", Some("q")),
        ]
    );
    assert_eq!(
        page.kpis().next().and_then(|k| k.service.clone()),
        Some(ServiceId("orders".into()))
    );
    assert!(flat::html(&page).contains("takes <output>&lt; 200 ms</output>, rarely"));
}

#[test]
fn drawings_of_characters() {
    let drawing = "┌─▼─┐\n│ a<│\n└───┘  \n";
    for fence in [format!("```\n{drawing}```\n"), format!("```text\n{drawing}```\n")] {
        let page = page(&fence);
        let [Piece::BoxDrawing(html)] = page.pieces.as_slice() else { panic!("{:?}", page.pieces) };
        assert_eq!(flat::text(html), drawing);
        assert!(html.contains("<span class=\"cell\">▼</span>"));
    }
    check(&format!("```yaml\n{drawing}```\n"), &["language-yaml"]);
}

#[test]
fn terms_are_linked_once_under_each_h2() {
    let text = "---\nglossary:\n  - {term: Saga, definition: \"a <long> story\"}\n---\n\
                ## A\n\nThe saga, a saga. [saga](b.md) `saga`\n\n### Saga\n\nsaga\n\n## B\n\nSagas\n\n\
                ```glossary\n- {term: CQRS, definition: split}\n```\n\nCQRS\n";
    let page = page(text);
    assert_eq!(page.diagnostics, []);
    let html = flat::html(&page);
    assert_eq!(html.matches("<a href=\"#glossary-saga\"").count(), 2, "{html}");
    assert_eq!(html.matches("<a href=\"#glossary-cqrs\"").count(), 1, "{html}");
    assert!(html.contains(
        "role=\"tooltip\" id=\"term-tip:0\">a &lt;long&gt; story</span></span>, a saga."
    ));
    assert_eq!(page.glossary.len(), 2);
    let hidden =
        self::page(&text.replace("```glossary\n- {term: CQRS, definition: split}\n```", ""));
    assert!(flat::html(&hidden).contains(
        "<dfn data-term=\"glossary-saga\" tabindex=\"0\" aria-describedby=\"term-tip:0\">saga</dfn>"
    ));
}

#[test]
fn mistakes_are_found_where_they_are() {
    for (text, expected) in [
        ("# A {#x}\n\n## B {#x}\n", &[("L009", 3, 8, "`x` stands twice")][..]),
        ("a[^x] \\[^y] `[^z]`\n", &[("L014", 1, 2, "`x` is never")]),
        ("---\nnavigation:\n  order: [one, two]\n---\n# One\n", &[("L008", 3, 16, "`two`")]),
        ("# A {services=\"auth oders\"}\n", &[("L006", 1, 21, "`oders`")]),
        ("---\nservices: [auth, oders]\n---\n", &[("L006", 2, 18, "`oders`")]),
        ("---\nsections:\n  x: {services: auth}\n---\n# A\n", &[("L008", 3, 3, "`x`")]),
        (
            "a\n\n```kpi-grid\n[\n  {\"label\": \"A\" \"value\": 1}\n]\n```\n",
            &[("L005", 5, 17, "JSON")],
        ),
        (
            "- a\n\n  ```kpi-grid\n  [{\"label\": \"A\"}]\n  ```\n",
            &[("L005", 4, 17, "missing field `value`")],
        ),
        ("```glossary\n- term: [\n```\n", &[("L015", 2, 9, "YAML")]),
        ("a\n\n```chart\nquery: up\ntype: pie\n```\n", &[("L065", 5, 7, "pie")]),
        ("```chart\ntitle: A\n```\n", &[("L065", 2, 1, "neither")]),
        ("- a\n\n  ```chart\n  query: up\n  range: long\n  ```\n", &[("L065", 5, 3, "no range")]),
        ("```chart\nquery: up\nservice: oders\n```\n", &[("L006", 3, 10, "`oders`")]),
        ("```chart\nquery: up\nservice: orders\n```\n", &[]),
        ("a\n```rust\nlet\n", &[("L002", 2, 1, "never closed")]),
        ("> ```\n> a\n\nb\n", &[("L002", 1, 3, "never closed")]),
        ("~~~~\n~~~\n", &[("L002", 1, 1, "never closed")]),
        ("```\na\n```\n\n- ~~~\n  b\n  ~~~\n\n> ```\n> c\n> ```\n", &[]),
        ("donâ€™t\n", &[("L007", 1, 4, "Windows-1252")]),
    ] {
        check_findings(text, expected);
    }
}

#[test]
fn an_unclosed_fence_takes_only_its_own_section() {
    let text = "# A\n\n```rust\nlet a;\n\n## B\n\nprose[^x]\n\n```mermaid\ngraph TD\n A-->B\n\n## C\n\nend\n";
    check_findings(
        text,
        &[
            ("L002", 3, 1, "never closed"),
            ("L014", 8, 6, "never defined"),
            ("L002", 10, 1, "never closed"),
        ],
    );
    let page = page(text);
    assert_eq!(page.sections.iter().map(|s| s.title.as_str()).collect::<Vec<_>>(), ["A", "B", "C"]);
    assert_eq!(page.diagrams().count(), 1);
}

#[test]
fn a_broken_diagram_is_shown_with_its_place() {
    let page = page("# A\n\n- list\n\n  ```mermaid\n  graph TD\n    A --> --> B\n  ```\n");
    let broken = page.pieces.iter().find_map(|piece| match piece {
        Piece::Broken { language, source, finding } => Some((language, source, finding)),
        _ => None,
    });
    let (language, source, finding) = broken.expect("the block is broken");
    assert_eq!(language, "mermaid");
    assert!(source.starts_with("graph TD"));
    assert_eq!((finding.code.as_str(), finding.line), ("L003", 7), "{finding:#?}");
}

#[test]
fn a_service_map_says_what_it_shows() {
    let all = MapOptions::default();
    let orders = MapOptions {
        caption: Some("Around orders".into()),
        focus: Some("orders".into()),
        groups: Grouping::Owner,
        direction: MapDirection::Down,
    };
    for (text, expected) in [
        ("", all.clone()),
        ("\n  \n", all.clone()),
        ("# all of it\n", all.clone()),
        ("{}\n", all),
        ("caption: Around orders\nfocus: orders\ngroups: owner\ndirection: down\n", orders),
    ] {
        let page = page(&format!("# Seen\n\n```service-map\n{text}```\n"));
        assert_eq!(page.diagnostics, [], "{text}");
        let map = page.maps().next().unwrap_or_else(|| panic!("no map: {text}"));
        assert_eq!(map.options, expected, "{text}");
        assert_eq!(map.caption, expected.caption.unwrap_or("Seen".into()));
    }
}

#[test]
fn a_broken_service_map_is_told_with_its_line() {
    for (text, line) in [
        ("focus: orders\nfokus: x\n", 4),
        ("groups: people\n", 3),
        ("- a\n- b\n", 3),
        ("focus: [a\n", 3),
        ("direction:\n  - up\n", 4),
    ] {
        let page = page(&format!("# A\n```service-map\n{text}```\n"));
        let [found] = page.diagnostics.as_slice() else { panic!("{text}: {:?}", page.diagnostics) };
        assert!(found.message.contains("service map"), "{text}: {}", found.message);
        assert!(found.help.as_ref().is_some_and(|help| help.contains("groups: owner")), "{text}");
        assert_eq!(found.line, line, "{text}: {}", found.message);
        assert_eq!(page.maps().count(), 0, "{text}");
    }
}

#[test]
fn front_matter_reaches_the_page() {
    let page = page(
        "+++\ntitle = \"T\"\ndescription = \"D\"\nservices = \"auth\"\n[theme]\nmode = \"dark\"\n\
         [theme.colors.dark]\nprimary = \"#fff\"\n[hero]\ntitle = \"H\"\n\
         callToAction = { text = \"Go\", link = \"b.md#x\" }\n[sections.a]\nservices = [\"users\"]\n+++\n# A\n",
    );
    assert_eq!(page.diagnostics, []);
    assert_eq!((page.title.as_str(), page.description.as_deref()), ("T", Some("D")));
    assert_eq!(page.theme.dark["primary"], "#fff");
    let call = page.hero.as_ref().and_then(|hero| hero.call_to_action.clone()).expect("there");
    assert_eq!((call.text.as_str(), call.link.as_str()), ("Go", "b.html#x"));
    assert_eq!(page.services, [ServiceId("auth".into())]);
    assert_eq!(page.sections[0].services, [ServiceId("users".into())]);
    assert_eq!(page.links.len(), 1);
}

/// Headings of a book of mdBook's and of one with settings of ours, with the `<a id>` above one.
#[test]
fn ids_of_headings_by_the_book() {
    let text = "# \u{26a0}\u{fe0f} Note: *here*\n\n## Done \u{2705}\n\n<a id=\"twice\"></a>\n## Twice\n\n## Twice\n\n\
                ## Named {#own}\n\n## ::\n";
    for (toml, ids, links) in [
        (
            "",
            &["-note-here", "done-", "twice", "twice-1", "own", "section"],
            &["note-here", "done"][..],
        ),
        (
            "[output.loggia]\n",
            &["note-here", "done", "twice", "twice-1", "own", "section"],
            &["-note-here", "done-"],
        ),
    ] {
        let (config, _) = Config::parse(&SourceFile::new("book.toml", toml));
        let page = document::parse_page(&SourceFile::new("a.md", text), &config);
        let seen: Vec<&str> = page.sections.iter().map(|section| section.id.as_str()).collect();
        assert_eq!(seen, ids, "{toml}");
        assert_eq!(page.diagnostics, [], "{toml}");
        for link in links {
            assert!(page.anchors.iter().any(|anchor| anchor == link), "{toml}: {link}");
        }
        let html: String = page
            .pieces
            .iter()
            .filter_map(|piece| match piece {
                document::Piece::Html(html) => Some(html.as_str()),
                _ => None,
            })
            .collect();
        assert!(html.contains("<a></a>") && !html.contains("id=\"twice\""), "{toml}: {html}");
    }
}

/// mdBook leaves diagrams to the reader's browser: one that we cannot draw does not fail such a book.
#[test]
fn a_broken_diagram_by_the_book() {
    for (toml, severity) in [("", Severity::Warning), ("[output.loggia]\n", Severity::Error)] {
        let (config, _) = Config::parse(&SourceFile::new("book.toml", toml));
        let text = "# A\n\n```mermaid\nflowchart TD\n  a --> \n  [b\n```\n";
        let page = document::parse_page(&SourceFile::new("a.md", text), &config);
        let found: Vec<Severity> = page.diagnostics.iter().map(|found| found.severity).collect();
        assert_eq!(found, [severity], "{toml}");
    }
}
