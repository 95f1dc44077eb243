//! `loggia check`: every code is found where it should be and nowhere else (`cases`); how findings are
//! silenced and printed; the pages of the codes.

mod cases;

use cases::{CASES, MORE};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use tests::{binary, run_to_end};

fn book(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn loggia(arguments: &[&str], dir: &Path) -> Output {
    run_to_end(
        Command::new(binary("loggia"))
            .arg("check")
            .args(arguments)
            .current_dir(dir)
            .env("NO_COLOR", "1"),
    )
}

/// Findings and exit code.
fn check(files: &[(&str, &str)], arguments: &[&str]) -> (Vec<Value>, i32) {
    let dir = book(files);
    let output = loggia(&[&["--format", "json"], arguments].concat(), dir.path());
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    let found = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{words}"));
    (found, output.status.code().unwrap())
}

fn codes(found: &[Value]) -> Vec<&str> {
    found.iter().map(|f| f["code"].as_str().unwrap()).collect()
}

/// Why the finding is not there, in words.
fn missing(found: &[Value], code: &str, file: &str, line: u64, column: u64) -> Option<String> {
    let all: Vec<&Value> = found.iter().filter(|f| f["code"] == code).collect();
    let there = all.iter().any(|f| {
        f["file"] == file
            && (line == 0 || f["line"] == line)
            && (column == 0 || f["column"] == column)
            && f["help"].is_string()
    });
    let places: Vec<String> = found
        .iter()
        .map(|f| {
            format!("{}:{}:{}:{} {}", f["code"], f["file"], f["line"], f["column"], f["message"])
        })
        .collect();
    (!there).then(|| format!("no {code} at {file}:{line}:{column} with help among {places:#?}"))
}

#[test]
fn every_code_has_a_broken_and_a_sound_case() {
    let mut wrong = Vec::new();
    for (code, broken, file, line, column, exit, sound) in CASES {
        let (found, status) = check(broken, &[]);
        wrong.extend(missing(&found, code, file, *line, *column));
        if status != *exit {
            wrong.push(format!("{code}: exit code {status} with {:?}", codes(&found)));
        }
        let (found, status) = check(sound, &[]);
        if codes(&found).contains(code) || status != 0 {
            wrong.push(format!("{code} in a sound book, exit code {status}: {found:#?}"));
        }
    }
    for (code, page, line, column) in MORE {
        let (found, _) = check(&[("a.md", page)], &[]);
        wrong.extend(missing(&found, code, "a.md", *line, *column));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Those that need a server (`external`, `drift`) or bytes that are no text have tests of their own.
    let elsewhere = ["L011", "L020", "L021", "L022", "L041"];
    let tested: BTreeSet<&str> = CASES.iter().map(|case| case.0).chain(elsewhere).collect();
    let list = loggia(&["--explain"], Path::new("."));
    let list = String::from_utf8(list.stdout).unwrap();
    let all: BTreeSet<&str> = list.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert!(all.len() > 20, "{list}");
    assert_eq!(all.difference(&tested).collect::<Vec<_>>(), Vec::<&&str>::new(), "without a case");
}

#[test]
fn included_text_is_checked_and_named_by_its_include() {
    let page = "# A\n\nabove\n\n{{#include b.txt}}\n\n![](x.png)\n";
    let files = [("a.md", page), ("b.txt", "text\n\n![](y.png)\n\n[](#a)\n"), ("x.png", "")];
    let (found, _) = check(&files, &[]);
    for (code, line) in [("L045", 5), ("L046", 5), ("L004", 5), ("L045", 7)] {
        assert_eq!(missing(&found, code, "a.md", line, 1), None);
    }
    assert_eq!(found.len(), 4, "{found:#?}");
}

#[test]
fn links_of_the_summary_lead_to_places_that_exist() {
    let summary = "- [A](a.md#begin)\n- [B](b.md#nowhere)\n- [C](c.md#top)\n";
    let files = [
        ("book.toml", "[book]\n"),
        ("src/SUMMARY.md", summary),
        ("src/a.md", "# A {#begin}\n"),
        ("src/b.md", "# B\n\n## Now here\n"),
        ("src/c.md", "# C\n"),
    ];
    let (found, status) = check(&files, &[]);
    assert_eq!(missing(&found, "L004", "src/SUMMARY.md", 2, 7), None);
    assert_eq!((found.len(), status), (1, 1), "{found:#?}");
}

#[test]
fn files_that_are_no_text() {
    let dir = book(&[("a.md", "# A\n")]);
    fs::write(dir.path().join("b.md"), b"# B\n\ncaf\xe9\n").unwrap();
    let output = loggia(&["--format", "json"], dir.path());
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(missing(&found, "L011", "b.md", 3, 4), None);
    assert_eq!(output.status.code(), Some(1));
    fs::write(dir.path().join("b.md"), "# B\n\ncafé\n").unwrap();
    assert!(loggia(&[], dir.path()).status.success());
}

#[test]
fn every_code_is_explained() {
    let here = Path::new(".");
    let list = String::from_utf8(loggia(&["--explain"], here).stdout).unwrap();
    for line in list.lines() {
        let code = line.split(' ').next().unwrap();
        let page = loggia(&["--explain", code], here);
        assert_eq!(page.status.code(), Some(0), "{code}");
        let page = String::from_utf8(page.stdout).unwrap();
        for part in [format!("# {code}: "), "## Wrong".into(), "## Mended".into(), "ignore".into()]
        {
            assert!(page.contains(&part), "{code}: {page}");
        }
    }
    let unknown = loggia(&["--explain", "L999"], here);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("help:"));
}

#[test]
fn findings_are_silenced_where_authors_say_so() {
    let link = "[x](nowhere.md)";
    let toml = |check: &str| format!("[book]\n[output.loggia.check]\n{check}\n");
    for (name, config, page, expected, exit) in [
        ("as it is", toml(""), format!("# A\n\n{link}\n"), &["L004"][..], 1),
        ("by the book", toml("ignore = ['L004']"), format!("# A\n\n{link}\n"), &[], 0),
        ("a warning", toml("warn = ['L004']"), format!("# A\n\n{link}\n"), &["L004"], 0),
        ("an error", toml("deny = ['L047']"), "# A\n\n### B\n".into(), &["L047"], 1),
        (
            "by the page",
            toml(""),
            format!("---\nchecks: {{ignore: [L004]}}\n---\n{link}\n"),
            &[],
            0,
        ),
        (
            "the next block",
            toml(""),
            format!("# A\n\n<!-- loggia-ignore L004 -->\n{link} and\n{link}\n\nThen {link}\n"),
            &["L004"],
            1,
        ),
        (
            "a block of another",
            toml(""),
            format!("# A\n\n<!-- loggia-ignore L045 -->\n\n{link}\n"),
            &["L004"],
            1,
        ),
        (
            "in a list",
            toml(""),
            format!("# A\n\n- one\n\n  <!-- loggia-ignore L004 -->\n  {link}\n- {link}\n"),
            &["L004"],
            1,
        ),
        ("an unknown code", toml("ignore = ['L4']"), "# A\n".into(), &["L040"], 0),
    ] {
        let (found, status) = check(&[("book.toml", &config), ("src/a.md", &page)], &[]);
        assert_eq!(codes(&found), expected, "{name}: {found:#?}");
        assert_eq!(status, exit, "{name}");
    }
}

#[test]
fn exit_codes_and_the_summary_line() {
    let warning = [("a.md", "# A\n\nSee [](#a).\n")];
    for (arguments, exit, says, silent) in [
        (&[][..], 0, "checked 1 page: 1 warning", false),
        (&["--strict"], 1, "checked 1 page: 1 warning", false),
        (&[], 0, "`loggia check --explain L046` says more", false),
        (&["--quiet"], 0, "warning[L046]", true),
        (&["--live", "http://127.0.0.1:1", "--observe", "0"], 2, "cannot ask", false),
    ] {
        let dir = book(&warning);
        let output = loggia(arguments, dir.path());
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {words}");
        assert!(words.contains(says), "{arguments:?}: {words}");
        assert_eq!(!words.contains("checked "), silent || exit == 2, "{arguments:?}: {words}");
    }
}

#[test]
fn sarif_has_what_the_schema_requires() {
    let dir = book(&[("ä b.md", "# A\n\n🏗️ [x](nowhere.md) and ![](y.png)\n")]);
    let output = loggia(&["--format", "sarif"], dir.path());
    assert_eq!(output.status.code(), Some(1));
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().contains("sarif-2.1.0"));
    let run = &log["runs"][0];
    assert_eq!(run["columnKind"], "utf16CodeUnits");
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "Loggia");
    let rules = driver["rules"].as_array().unwrap();
    for rule in rules {
        assert!(rule["id"].as_str().unwrap().starts_with('L'), "{rule}");
        for text in ["shortDescription", "fullDescription", "help"] {
            assert!(!rule[text]["text"].as_str().unwrap().is_empty(), "{rule}");
        }
        let level = rule["defaultConfiguration"]["level"].as_str().unwrap();
        assert!(["error", "warning", "note"].contains(&level));
    }
    let results = run["results"].as_array().unwrap();
    assert!(results.len() >= 3, "{results:#?}");
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let marks = result["partialFingerprints"].as_object().unwrap();
        assert!(marks.values().all(|mark| mark.as_str().is_some_and(|mark| mark.len() > 16)));
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "%C3%A4%20b.md");
        for key in ["startLine", "startColumn", "endLine", "endColumn"] {
            assert!(place["region"][key].as_u64().unwrap() >= 1, "{place}");
        }
    }
    // The emoji before the link is two characters and three UTF-16 code units.
    let link = results.iter().find(|r| r["message"]["text"].as_str().unwrap().contains("nowhere"));
    let region = &link.unwrap()["locations"][0]["physicalLocation"]["region"];
    assert_eq!((region["startLine"].as_u64(), region["startColumn"].as_u64()), (Some(3), Some(9)));
}

/// Answers GET and HEAD of these paths with status and body until the test ends.
fn serve(answers: Vec<(&'static str, u16, String)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let found = answers.iter().find(|(known, ..)| *known == path);
            let (status, body) = found.map_or((404, ""), |(_, status, body)| (*status, body));
            let body = if head.starts_with("HEAD") { "" } else { body };
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

#[test]
fn what_a_server_measured() {
    let page = "# A\n\n```kpi-grid\n[{\"label\": \"Errors\", \"value\": \"< 1%\"}]\n```\n\n```mermaid\ngraph LR\n  gateway --> orders\n```\n";
    let nothing = r#"{"claims":[]}"#.to_owned();
    let claim = r#"{"claims":[{"page":"a","source":"a.md","label":"Errors","claim":"< 1%","measured":{"verdict":"violated","reason":"measured 3 %"}}]}"#;
    let drift = |drawn: &str, undocumented: &str| {
        format!(
            r#"{{"drift":{{"observation":{{"covered_s":60,"traces":20,"traced_share":null}},"conformance":null,"pages":[{{"id":"a","source":"a.md","diagrams":[{{"index":0,"caption":"A","drawn":[{drawn}],"undocumented":[{undocumented}]}}]}}]}}}}"#
        )
    };
    let drawn = |state: &str| {
        format!(
            r#"{{"from_node":"gateway","to_node":"orders","from":"gateway","to":"orders","state":"{state}","unjudged":null}}"#
        )
    };
    let call = r#"{"from_node":"orders","to_node":"gateway","from":"orders","to":"gateway","seen":{"calls":3,"example_trace":"ab"}}"#;
    for (claims, drift, expected) in [
        (nothing.clone(), drift(&drawn("confirmed"), ""), None),
        (claim.to_owned(), drift(&drawn("confirmed"), ""), Some(("L020", 4, 12))),
        (nothing.clone(), drift(&drawn("confirmed"), call), Some(("L021", 8, 1))),
        (nothing, drift(&drawn("never-seen"), ""), Some(("L022", 9, 3))),
    ] {
        let url = serve(vec![("/api/live/claims", 200, claims), ("/api/live/drift", 200, drift)]);
        let (found, status) = check(&[("a.md", page)], &["--live", &url, "--observe", "0"]);
        match expected {
            None => assert_eq!((codes(&found), status), (Vec::new(), 0)),
            Some((code, line, column)) => {
                assert_eq!((codes(&found), status), (vec![code], 1), "{found:#?}");
                assert_eq!(
                    (&found[0]["line"], &found[0]["column"]),
                    (&line.into(), &column.into())
                );
            }
        }
    }
}
