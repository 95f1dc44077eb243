//! The theme's modules as one plain script. A browser refuses modules in a page that was opened from
//! a file; a plain script runs there too, and is one request instead of many.
//!
//! `assets` hands in the modules. Each becomes a function that runs when it is first needed, as a
//! module would; its exports are read through getters, so modules may import each other in circles.
//! What a theme's author may write: `import` and `export` statements that begin a line. Where
//! something else is found, the modules are served as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Runs modules: what `import` does.
const RUNTIME: &str = r#"const $src = document.currentScript.src;
const $done = new Map();
const $need = (name) => {
  let out = $done.get(name);
  if (!out) $done.set(name, (out = {})), $all[name](out);
  return out;
};
const $load = (name) => Promise.resolve().then(() => $need(name));
const $give = (out, all) => {
  for (const name in all) Object.defineProperty(out, name, { get: all[name], enumerable: true });
};
"#;

/// One script that runs `entry`, and the names of the modules in it; `None` where a module says
/// something that cannot be put into one script. Names are without `.js`.
pub(crate) fn link(
    modules: &BTreeMap<&str, &str>,
    entry: &str,
) -> Option<(String, BTreeSet<String>)> {
    let mut linked: BTreeMap<String, String> = BTreeMap::new();
    let mut waiting = vec![entry.to_owned()];
    while let Some(name) = waiting.pop() {
        if linked.contains_key(&name) {
            continue;
        }
        let module = Module::read(modules.get(name.as_str())?, modules)?;
        linked.insert(name, module.text);
        waiting.extend(module.needs);
    }
    let mut script = format!("(() => {{\n\"use strict\";\n{RUNTIME}const $all = {{\n");
    for (name, text) in &linked {
        let _ = write!(script, "\"{name}\": ($out) => {{\n{text}}},\n");
    }
    let _ = write!(script, "}};\n$need(\"{entry}\");\n}})();\n");
    Some((script, linked.into_keys().collect()))
}

/// A module as the inside of a function.
#[derive(Default)]
struct Module {
    text: String,
    needs: BTreeSet<String>,
    /// Name outside and inside.
    exports: Vec<(String, String)>,
}

impl Module {
    fn read(source: &str, known: &BTreeMap<&str, &str>) -> Option<Self> {
        let mut module = Self::default();
        let mut body = String::with_capacity(source.len() + 256);
        let mut rest = source;
        while !rest.is_empty() {
            let end = rest.find('\n').map_or(rest.len(), |at| at + 1);
            let line = &rest[..end];
            if line.starts_with("import ") || line.starts_with("import{") {
                let end = rest.find(';')? + 1;
                body.push_str(&module.import(&rest[..end])?);
                rest = &rest[end..];
            } else if let Some(kept) = line.strip_prefix("export ") {
                if kept.starts_with(['{', '*']) {
                    let end = rest.find(';')? + 1;
                    module.list(&rest["export ".len()..end - 1])?;
                    rest = &rest[end..];
                } else {
                    body.push_str(&module.declared(kept)?);
                    rest = &rest[end..];
                }
            } else {
                body.push_str(line);
                rest = &rest[end..];
            }
        }
        for name in known.keys() {
            let lazy = format!("import(\"./{name}.js\")");
            if body.contains(&lazy) {
                body = body.replace(&lazy, &format!("$load(\"{name}\")"));
                module.needs.insert((*name).to_owned());
            }
        }
        let body = body.replace("import.meta.url", "$src");
        let getters: Vec<String> = module
            .exports
            .iter()
            .map(|(outside, inside)| format!("{outside}: () => {inside}"))
            .collect();
        module.text = match getters.is_empty() {
            true => body,
            false => format!("$give($out, {{ {} }});\n{body}", getters.join(", ")),
        };
        if !module.text.ends_with('\n') {
            module.text.push('\n');
        }
        Some(module)
    }

    /// `import { a, b as c } from "./x.js";`, `import * as x from …`, `import x from …`, `import …`.
    fn import(&mut self, statement: &str) -> Option<String> {
        let inner = statement.strip_prefix("import")?.strip_suffix(';')?.trim();
        let quote = inner.rfind("\"./")?;
        let name = inner[quote + 3..].strip_suffix(".js\"")?.to_owned();
        let what = inner[..quote].trim();
        self.needs.insert(name.clone());
        let need = format!("$need(\"{name}\");");
        if what.is_empty() {
            return Some(need);
        }
        let what = what.strip_suffix("from")?.trim();
        if let Some(space) = what.strip_prefix("* as ") {
            return Some(format!("const {} = {need}", word(space)?));
        }
        if let Some(list) = what.strip_prefix('{') {
            let names: Option<Vec<String>> = renamed(list.strip_suffix('}')?)
                .map(|pair| pair.map(|(from, to)| format!("{from}: {to}")))
                .collect();
            return Some(format!("const {{ {} }} = {need}", names?.join(", ")));
        }
        Some(format!("const {{ default: {} }} = {need}", word(what)?))
    }

    /// `{ a, b as c }` of things declared elsewhere in the module.
    fn list(&mut self, list: &str) -> Option<()> {
        let inner = list.trim().strip_prefix('{')?.strip_suffix('}')?;
        for pair in renamed(inner) {
            let (inside, outside) = pair?;
            self.exports.push((outside, inside));
        }
        Some(())
    }

    /// The line of a declaration without its `export`.
    fn declared(&mut self, line: &str) -> Option<String> {
        if let Some(value) = line.strip_prefix("default ") {
            self.exports.push(("default".to_owned(), "$default".to_owned()));
            return Some(format!("const $default = {value}"));
        }
        let rest = ["async function", "function", "class", "const", "let", "var"]
            .iter()
            .find_map(|kind| line.strip_prefix(kind)?.strip_prefix([' ', '*']))?;
        let rest = rest.trim_start_matches([' ', '*']);
        let end = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
        let name = word(&rest[..end])?;
        self.exports.push((name.to_owned(), name.to_owned()));
        Some(line.to_owned())
    }
}

/// The pairs of `a, b as c`; a single name stands for itself.
fn renamed(list: &str) -> impl Iterator<Item = Option<(String, String)>> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty()).map(|item| {
        let (from, to) = item.split_once(" as ").unwrap_or((item, item));
        Some((word(from)?.to_owned(), word(to)?.to_owned()))
    })
}

fn word(text: &str) -> Option<&str> {
    let text = text.trim();
    (!text.is_empty() && text.chars().all(is_name)).then_some(text)
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linked(modules: &[(&str, &str)]) -> Option<String> {
        link(&modules.iter().copied().collect(), "main").map(|(script, _)| script)
    }

    #[test]
    fn statements_become_plain_ones() {
        for (main, expected) in [
            ("import { a, b as c } from \"./x.js\";\n", "const { a: a, b: c } = $need(\"x\");"),
            ("import {\n  a,\n} from \"./x.js\";\n", "const { a: a } = $need(\"x\");"),
            ("import * as x from \"./x.js\";\n", "const x = $need(\"x\");"),
            ("import x from \"./x.js\";\n", "const { default: x } = $need(\"x\");"),
            ("import \"./x.js\";\n", "\n$need(\"x\");"),
            ("const later = () => import(\"./x.js\");\n", "() => $load(\"x\");"),
            ("const at = import.meta.url;\n", "const at = $src;"),
            (
                "export async function f() {}\n",
                "$give($out, { f: () => f });\nasync function f() {}",
            ),
            ("export const A = 1;\n", "$give($out, { A: () => A });\nconst A = 1;"),
            ("const b = 1;\nexport { b as c };\n", "$give($out, { c: () => b });"),
            ("export default 1;\n", "$give($out, { default: () => $default });"),
        ] {
            let script = linked(&[("main", main), ("x", "export const a = 1;\n")]).expect(main);
            assert!(script.contains(expected), "{main}\n{script}");
        }
    }

    #[test]
    fn what_cannot_be_linked_stays_modules() {
        for main in [
            "import { a } from \"./unknown.js\";\n",
            "import { a } from \"https://example.org/a.js\";\n",
            "export * from \"./x.js\";\n",
            "export const { a } = b;\n",
        ] {
            assert_eq!(linked(&[("main", main), ("x", "")]), None, "{main}");
        }
    }

    #[test]
    fn only_what_is_needed_is_in_it() {
        let modules = [("main", "import \"./x.js\";\n"), ("x", ""), ("mode", "alone();\n")];
        let script = linked(&modules).expect("sound");
        assert!(!script.contains("alone"), "{script}");
    }
}
