//! The description as a page: every operation with what it takes and gives, and
//! every schema. It needs no script and nothing from elsewhere.

use std::fmt::Write as _;

use serde_json::Value;

const STYLE: &str = "
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; text-transform: capitalize; }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .5rem 0; padding: .5rem .75rem; }
summary { cursor: pointer; } summary code { overflow-wrap: anywhere; }
.method { display: inline-block; font: 600 .8rem ui-monospace, monospace; min-width: 4rem; }
table { border-collapse: collapse; margin: .5rem 0; width: 100%; }
td, th { border-top: 1px solid var(--line); padding: .25rem .5rem .25rem 0; text-align: left; vertical-align: top; }
pre { background: color-mix(in srgb, currentColor 6%, transparent); border-radius: .25rem; overflow-x: auto; padding: .5rem; }
.key { opacity: .75; }
";

/// The page.
pub(super) fn render(whole: &Value) -> String {
    let title = escaped(text(&whole["info"]["title"]));
    let about = escaped(text(&whole["info"]["description"]));
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}: interface</title>\
         <style>{STYLE}</style></head><body><h1>{title}</h1><p>{about} \
         <a href=\"/openapi.json\">OpenAPI 3.1</a></p>"
    );
    let mut service = "";
    let mut all: Vec<_> = operations(whole).collect();
    all.sort_by_key(|(path, _, operation)| (text(&operation["tags"][0]), *path));
    for (path, method, operation) in all {
        if text(&operation["tags"][0]) != service {
            service = text(&operation["tags"][0]);
            push(&mut page, format_args!("<h2>{}</h2>", escaped(service)));
        }
        render_operation(&mut page, path, method, operation);
    }
    page.push_str("<h2>Schemas</h2>");
    for (name, schema) in whole["components"]["schemas"].as_object().into_iter().flatten() {
        let (name, schema) = (escaped(name), escaped(&format!("{schema:#}")));
        push(
            &mut page,
            format_args!(
                "<details id=\"{name}\"><summary><code>{name}</code></summary><pre>{schema}</pre></details>"
            ),
        );
    }
    page.push_str("</body></html>");
    page
}

fn operations(whole: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = whole["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path, method, operation))
    })
}

fn render_operation(page: &mut String, path: &str, method: &str, operation: &Value) {
    let token = operation["security"].as_array().is_some_and(|needs| !needs.is_empty());
    push(
        page,
        format_args!(
            "<details><summary><span class=\"method\">{}</span> <code>{}</code> {}{}</summary><table>",
            escaped(&method.to_uppercase()),
            escaped(path),
            escaped(text(&operation["summary"])),
            if token { " <span class=\"key\">(with a token)</span>" } else { "" },
        ),
    );
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let needed = if parameter["required"] == true { "" } else { ", optional" };
        let says = format!("{} {}", text(&parameter["description"]), parameter["schema"]);
        let name = format!("{} ({}{needed})", text(&parameter["name"]), text(&parameter["in"]));
        row(page, &escaped(&name), &escaped(&says));
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !body.is_null() {
        row(page, "body", &linked(body));
    }
    for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
        let content = answer["content"].as_object().into_iter().flatten();
        let schemas: Vec<_> = content.map(|(_, content)| linked(&content["schema"])).collect();
        let says = format!("{} {}", escaped(text(&answer["description"])), schemas.join(" "));
        row(page, &escaped(status), &says);
    }
    page.push_str("</table></details>");
}

fn row(page: &mut String, name: &str, says: &str) {
    push(page, format_args!("<tr><th>{name}</th><td>{says}</td></tr>"));
}

/// A schema's name with a link to it, or the schema itself.
fn linked(schema: &Value) -> String {
    match text(&schema["$ref"]).strip_prefix("#/components/schemas/").map(escaped) {
        Some(name) => format!("<a href=\"#{name}\"><code>{name}</code></a>"),
        None => format!("<code>{}</code>", escaped(&schema.to_string())),
    }
}

fn push(page: &mut String, part: std::fmt::Arguments<'_>) {
    page.write_fmt(part).expect("writing to memory succeeds");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_service_says_is_text() {
        let operation = json!({
            "summary": "<script>alert(1)</script>",
            "tags": ["x"],
            "parameters": [{ "name": "\"><b>", "in": "query" }],
            "responses": { "200": { "description": "<i>" } },
        });
        let page = render(&json!({ "paths": { "/<a>": { "get": operation } } }));
        for bad in ["<script>", "<b>", "<i>", "<a>"] {
            assert!(!page.contains(bad), "{bad}");
        }
    }
}
