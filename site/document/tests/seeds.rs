//! The five documents that the project began with: everything in their source is on the page.
//!
//! What to expect is read from the source line by line, by other means than the parser's.

use diagnostics::SourceFile;
use document::{Config, Page, Piece, parse_page};
use std::path::PathBuf;

mod flat;

fn seeds() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/seeds");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: {} is not there", folder.display());
        return Vec::new();
    };
    let mut seeds: Vec<(String, String)> = entries
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .map(|path| {
            let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("seeds are UTF-8"))
        })
        .collect();
    seeds.sort();
    seeds
}

/// What the lines of a source say, fences apart.
#[derive(Default)]
struct Expected {
    headings: Vec<String>,
    items: Vec<String>,
    cells: Vec<String>,
    prose: Vec<String>,
    diagrams: Vec<String>,
    drawings: Vec<String>,
    code: Vec<String>,
    labels: Vec<String>,
    terms: Vec<String>,
}

fn expected(source: &str) -> Expected {
    let mut found = Expected::default();
    let mut fence: Option<(String, String)> = None;
    for line in source.lines() {
        match (&mut fence, line.strip_prefix("```")) {
            (None, Some(info)) => fence = Some((info.to_owned(), String::new())),
            (Some(_), Some("")) => {
                let (info, text) = fence.take().expect("a fence is open");
                found.fence(&info, text);
            }
            (Some((_, text)), _) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => found.line(line),
        }
    }
    assert!(fence.is_none());
    found
}

impl Expected {
    fn fence(&mut self, info: &str, text: String) {
        match info {
            "mermaid" => self.diagrams.push(text),
            "json frontmatter" => self.terms.extend(values(&text, "term")),
            "kpi-grid" => {
                self.labels.extend(values(&text, "label"));
                self.labels.extend(values(&text, "value"));
            }
            "glossary" => {}
            "" if text.contains(['─', '│', '└']) => self.drawings.push(text),
            _ => self.code.push(text),
        }
    }

    fn line(&mut self, line: &str) {
        let text = line.trim();
        let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
        if text.starts_with('#') {
            let title = text.trim_start_matches('#');
            let title = title.split(" {#").next().unwrap_or(title);
            self.headings.push(title.trim().to_owned());
        } else if let Some(item) = text.strip_prefix("- ") {
            self.items.push(plain(item));
        } else if number.len() < text.len() && number.starts_with(". ") {
            self.items.push(plain(&number[2..]));
        } else if text.starts_with('|') {
            let cells = text.trim_matches('|').split('|').map(|cell| plain(cell.trim()));
            self.cells.extend(cells.filter(|cell| !cell.trim_matches(['-', ':']).is_empty()));
        } else if !text.is_empty() && text != "---" {
            self.prose.push(plain(text));
        }
    }
}

/// The strings behind `"key":` in simple JSON.
fn values(json: &str, key: &str) -> Vec<String> {
    json.split(&format!("\"{key}\": \""))
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap_or_default().to_owned())
        .collect()
}

fn plain(text: &str) -> String {
    text.replace("**", "").replace('`', "")
}

fn check(name: &str, source: &str) -> Page {
    let page = parse_page(&SourceFile::new(name, source), &Config::without_file());
    let expected = expected(source);
    let html = flat::html(&page);
    let text = flat::text(&html);
    let titles: Vec<&str> = page.sections.iter().map(|section| section.title.as_str()).collect();
    assert_eq!(titles, expected.headings, "{name}");
    for heading in &expected.headings {
        assert!(text.contains(heading), "{name} lost the heading {heading}");
    }
    for item in &expected.items {
        assert!(html.contains("<li>") && text.contains(item), "{name} lost the item {item}");
    }
    for cell in &expected.cells {
        assert!(text.contains(cell), "{name} lost the cell {cell}");
    }
    for line in expected.prose.iter().chain(&expected.labels).chain(&expected.terms) {
        assert!(text.contains(line), "{name} lost {line}");
    }
    for code in &expected.code {
        assert!(text.contains(code), "{name} lost the code {code}");
    }
    let diagrams: Vec<&str> = page.diagrams().map(|block| block.source.as_str()).collect();
    assert_eq!(diagrams, expected.diagrams, "{name}: {:#?}", page.diagnostics);
    let drawings: Vec<String> = page
        .pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::BoxDrawing(html) => Some(flat::text(html)),
            _ => None,
        })
        .collect();
    assert_eq!(drawings, expected.drawings, "{name}");
    assert_eq!(page.kpis().count() * 2, expected.labels.len(), "{name}");
    assert_eq!(page.glossary.len(), expected.terms.len(), "{name}");
    println!(
        "{name}: {} headings, {} items, {} diagrams, {} drawings, {} code blocks, {} figures, {} terms",
        titles.len(),
        expected.items.len(),
        diagrams.len(),
        drawings.len(),
        expected.code.len(),
        page.kpis().count(),
        page.glossary.len(),
    );
    page
}

#[test]
fn everything_in_the_source_is_on_the_page() {
    for (name, source) in seeds() {
        let page = check(&name, &source);
        let damaged = name.starts_with("002") || name.starts_with("004");
        let codes: Vec<&str> = page.diagnostics.iter().map(|found| found.code.as_str()).collect();
        assert_eq!(
            codes,
            if damaged { &["L007"][..] } else { &[] },
            "{name}: {:#?}",
            page.diagnostics
        );
        if damaged {
            let message = &page.diagnostics[0].message;
            println!("{message}\n  {:?}", page.diagnostics[0].help);
            assert!(message.contains("Windows-1254 (Turkish)"), "{message}");
            assert!(
                message.contains("`â”Œ` for `┌`") || message.contains("`ğŸ”§` for `🔧`"),
                "{message}"
            );
        }
    }
}

#[test]
fn the_first_seed_in_detail() {
    let Some((name, source)) = seeds().into_iter().find(|(name, _)| name.starts_with("000")) else {
        return;
    };
    let page = check(&name, &source);
    assert_eq!(page.title, "System Architecture & Technical Deep Dive");
    assert_eq!(page.navigation.len(), 9);
    assert_eq!((page.theme.light.len(), page.theme.dark.len()), (6, 6));
    assert!(page.hero.is_some_and(|hero| hero.call_to_action.is_some()));
}
