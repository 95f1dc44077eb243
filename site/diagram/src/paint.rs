//! An author's own theme (`%%{init: {"theme": "forest"}}%%`, `themeVariables`): merman writes it as a
//! style sheet, and here its declarations become attributes of the elements that they mean. So they
//! hold in this drawing alone, in light and dark alike, and no `<style>` reaches a page. `draw` calls.

use crate::css;
use crate::engine::RAW_ID;
use crate::tree::{Child, Element};
use crate::{Rect, labels::short};
use serde_json::Value;

/// The class of a drawing with colours of its own, which the page's style sheet leaves alone.
pub(crate) const OWN_THEME: &str = "own-theme";

/// Most rules of a sheet that are looked at.
const MAX_RULES: usize = 2_000;

/// Properties that are taken over; type sizes stay ours, as the layout was measured with them.
const TAKEN: [&str; 10] = [
    "fill",
    "fill-opacity",
    "font-style",
    "font-weight",
    "opacity",
    "stroke",
    "stroke-dasharray",
    "stroke-opacity",
    "stroke-width",
    "text-anchor",
];

/// Variables that say nothing about colours.
const NO_COLOURS: [&str; 2] = ["fontFamily", "fontSize"];

/// The ground of a themed drawing, when the author's part of the configuration asks for a theme.
pub(crate) fn ground(own: &Value, effective: &Value) -> Option<String> {
    let theme = own.get("theme").and_then(Value::as_str).filter(|name| *name != "default");
    let variables = own.get("themeVariables").and_then(Value::as_object);
    let coloured = variables
        .is_some_and(|variables| variables.keys().any(|key| !NO_COLOURS.contains(&key.as_str())));
    if theme.is_none() && !coloured {
        return None;
    }
    let named = effective.pointer("/themeVariables/background").and_then(Value::as_str);
    let named = named.and_then(|colour| css::checked("fill", colour)).map(|(_, colour)| colour);
    let plain = if theme == Some("dark") { "#333333" } else { "#ffffff" };
    Some(named.unwrap_or_else(|| plain.to_owned()))
}

/// Paints what the sheet in merman's SVG means. May be called again after elements were added.
pub(crate) fn paint(svg: &str, root: &mut Element) {
    let rules = rules(svg);
    root.add_class(OWN_THEME);
    visit(root, &rules, &mut Vec::new(), None);
}

/// A ground of the theme's own: its words are meant to be read on it, whatever the page's is.
pub(crate) fn lay_ground(root: &mut Element, view: &Rect, colour: &str) {
    let ground = Element::new("rect")
        .with("class", "ground")
        .with("x", short(view.x))
        .with("y", short(view.y))
        .with("width", short(view.width))
        .with("height", short(view.height))
        .with("rx", "8")
        .with("fill", colour);
    root.children.insert(0, Child::Element(ground));
}

/// One selector with its declarations; the strongest stands last.
struct Rule {
    weight: (u32, usize),
    parts: Vec<Part>,
    declarations: Vec<css::Declaration>,
}

/// What stands between the spaces of a selector.
#[derive(Default)]
struct Part {
    tag: Option<String>,
    classes: Vec<String>,
    /// Attribute, the sign before `=`, value.
    attributes: Vec<(String, char, String)>,
}

/// What selectors can ask about an element.
struct Asked {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
}

fn rules(svg: &str) -> Vec<Rule> {
    let sheet = svg
        .split_once("<style>")
        .and_then(|(_, rest)| rest.split_once("</style>"))
        .map_or(String::new(), |(sheet, _)| sheet.replace("&gt;", ">").replace("&quot;", "\""));
    let mut rules = Vec::new();
    for block in sheet.split('}').take(MAX_RULES) {
        let Some((selectors, declarations)) = block.split_once('{') else { continue };
        let declarations: Vec<css::Declaration> = css::declarations(declarations)
            .into_iter()
            .filter(|found| TAKEN.contains(&found.name))
            .collect();
        if declarations.is_empty() {
            continue;
        }
        for selector in selectors.split(',') {
            if let Some((weight, parts)) = selector_of(selector) {
                let weight = (weight, rules.len());
                rules.push(Rule { weight, parts, declarations: declarations.clone() });
            }
        }
    }
    rules.sort_by_key(|rule| rule.weight);
    rules
}

/// The parts behind the drawing's own id, and how much the selector weighs.
fn selector_of(selector: &str) -> Option<(u32, Vec<Part>)> {
    // A child is found as any descendant is: no two rules of merman's differ by that alone.
    let rest = selector.trim().strip_prefix('#')?.strip_prefix(RAW_ID)?.replace('>', " ");
    let mut weight = 0;
    let mut parts = Vec::new();
    for word in rest.split_whitespace() {
        let part = part_of(word)?;
        weight += u32::from(part.tag.is_some());
        weight += 10 * u32::try_from(part.classes.len() + part.attributes.len()).ok()?;
        parts.push(part);
    }
    Some((weight, parts))
}

fn part_of(word: &str) -> Option<Part> {
    let mut part = Part::default();
    let end = word.find(['.', '[']).unwrap_or(word.len());
    let (tag, mut rest) = word.split_at(end);
    let plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || "-_".contains(c));
    if !plain(tag) {
        return None;
    }
    part.tag = Some(tag.to_owned()).filter(|tag| !tag.is_empty());
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let (inside, more) = after.split_once(']')?;
            let (name, value) = inside.split_once('=')?;
            let sign = name.chars().last().filter(|sign| "^$*~".contains(*sign)).unwrap_or('=');
            let name = name.trim_end_matches(['^', '$', '*', '~']).to_owned();
            part.attributes.push((name, sign, value.trim_matches(['"', '\'']).to_owned()));
            rest = more;
        } else {
            let after = rest.strip_prefix('.')?;
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (class, more) = after.split_at(end);
            if !plain(class) {
                return None;
            }
            part.classes.push(class.to_owned());
            rest = more;
        }
    }
    Some(part)
}

fn visit(element: &mut Element, rules: &[Rule], above: &mut Vec<Asked>, inherited: Option<&str>) {
    let asked = Asked { name: element.name, attributes: element.attributes.clone() };
    let mut ink = inherited.map(str::to_owned);
    above.push(asked);
    for rule in rules.iter().filter(|rule| matches(&rule.parts, above)) {
        for found in &rule.declarations {
            if found.name == "fill" {
                ink = Some(found.value.clone());
            }
            put(element, found);
        }
    }
    // Words take the colour of what is around them; shapes without one are painted as they were.
    if element.name == "text"
        && !element.has_class("own-ink")
        && let Some(ink) = ink.clone().filter(|ink| ink != "none")
    {
        element.set("fill", ink);
        element.add_class("own-ink");
    }
    for child in element.elements_mut() {
        visit(child, rules, above, ink.as_deref());
    }
    above.pop();
}

/// An author's colour of this one box or line is stronger than the theme's.
fn put(element: &mut Element, found: &css::Declaration) {
    let text = matches!(element.name, "text" | "tspan");
    let own = match found.name {
        "fill" if text => "own-ink",
        "fill" => "own-fill",
        "stroke" => "own-stroke",
        "stroke-width" => "own-width",
        "stroke-dasharray" => "own-dashes",
        _ => "",
    };
    // Groups hand their colour on; only what paints is marked.
    let paints = !matches!(element.name, "g" | "svg" | "a" | "marker" | "defs" | "clipPath");
    let theirs = own.replacen("own-", "theme-", 1);
    let free = own.is_empty() || !element.has_class(own) || element.has_class(&theirs);
    if free || text && own == "own-ink" {
        element.set(found.name, found.value.clone());
        if paints && !own.is_empty() && !text {
            element.add_class(own);
            element.add_class(&theirs);
        }
    }
}

fn matches(parts: &[Part], path: &[Asked]) -> bool {
    let Some((last, before)) = parts.split_last() else {
        // The drawing itself.
        return path.len() == 1;
    };
    let Some((element, above)) = path.split_last() else { return false };
    if !fits(last, element) {
        return false;
    }
    // The parts before must be found further up, in their order.
    let mut wanted = before.iter().rev();
    let mut next = wanted.next();
    for outer in above.iter().rev() {
        match next {
            Some(part) if fits(part, outer) => next = wanted.next(),
            Some(_) => {}
            None => break,
        }
    }
    next.is_none()
}

fn fits(part: &Part, element: &Asked) -> bool {
    let get = |name: &str| {
        let found = element.attributes.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    let classes = get("class");
    part.tag.as_deref().is_none_or(|tag| tag == element.name)
        && part
            .classes
            .iter()
            .all(|class| classes.split_ascii_whitespace().any(|name| name == class))
        && part.attributes.iter().all(|(name, sign, wanted)| match sign {
            '^' => get(name).starts_with(wanted),
            '$' => get(name).ends_with(wanted),
            '*' => get(name).contains(wanted),
            '~' => get(name).split_ascii_whitespace().any(|word| word == wanted),
            _ => get(name) == wanted,
        })
}

#[cfg(test)]
mod tests {
    use super::{matches, selector_of};
    use crate::paint::Asked;

    #[test]
    fn selectors_mean_what_they_mean_in_a_browser() {
        let path = |names: &[(&'static str, &str)]| -> Vec<Asked> {
            let one = |(name, class): &(&'static str, &str)| Asked {
                name,
                attributes: vec![("class", (*class).to_owned()), ("id", "x-barbEnd".to_owned())],
            };
            names.iter().map(one).collect()
        };
        let rect = path(&[("svg", ""), ("g", "node hot"), ("g", "basic"), ("rect", "label-box")]);
        for (selector, wanted) in [
            ("#d0 .node rect", Some(true)),
            ("#d0 .node>rect", Some(true)),
            ("#d0 .node.hot rect.label-box", Some(true)),
            ("#d0 rect[id$=\"barbEnd\"]", Some(true)),
            ("#d0 rect .node", Some(false)),
            ("#d0 .cluster rect", Some(false)),
            ("#d0 .node", Some(false)),
            ("#d0 .node circle", Some(false)),
            ("#d0", Some(false)),
            ("#d0 .node:hover rect", None),
            ("body rect", None),
            ("#d0 *", None),
        ] {
            let found = selector_of(selector).map(|(_, parts)| matches(&parts, &rect));
            assert_eq!(found, wanted, "{selector}");
        }
    }
}
