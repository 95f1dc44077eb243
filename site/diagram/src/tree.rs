//! A small tree of elements between merman's SVG and ours. `clean` builds it, `polish` and
//! `labels` change it, `geometry` measures it, and `write` makes the text that pages embed.

/// An element that passed the allow-list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Element {
    pub(crate) name: &'static str,
    pub(crate) attributes: Vec<(&'static str, String)>,
    pub(crate) children: Vec<Child>,
}

/// What an element holds.
#[derive(Debug, Clone)]
pub(crate) enum Child {
    Element(Element),
    Text(String),
}

impl Element {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.set(name, value);
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    /// A finite number from an attribute, without its unit `px`.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        let text = self.get(name)?.trim();
        let value: f64 = text.strip_suffix("px").unwrap_or(text).parse().ok()?;
        value.is_finite().then_some(value)
    }

    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        let value = value.into();
        match self.attributes.iter_mut().find(|(key, _)| *key == name) {
            Some(attribute) => attribute.1 = value,
            None => self.attributes.push((name, value)),
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.attributes.retain(|(key, _)| *key != name);
    }

    pub(crate) fn has_class(&self, class: &str) -> bool {
        self.get("class")
            .is_some_and(|classes| classes.split_ascii_whitespace().any(|name| name == class))
    }

    pub(crate) fn add_class(&mut self, class: &str) {
        if self.has_class(class) {
            return;
        }
        let classes = match self.get("class") {
            Some(classes) if !classes.is_empty() => format!("{classes} {class}"),
            _ => class.to_owned(),
        };
        self.set("class", classes);
    }

    pub(crate) fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|child| match child {
            Child::Element(element) => Some(element),
            Child::Text(_) => None,
        })
    }

    pub(crate) fn elements_mut(&mut self) -> impl Iterator<Item = &mut Element> {
        self.children.iter_mut().filter_map(|child| match child {
            Child::Element(element) => Some(element),
            Child::Text(_) => None,
        })
    }

    pub(crate) fn push(&mut self, element: Element) {
        self.children.push(Child::Element(element));
    }

    pub(crate) fn push_text(&mut self, text: impl Into<String>) {
        self.children.push(Child::Text(text.into()));
    }

    /// Calls `visit` on this element and all below it, parents first.
    pub(crate) fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Element)) {
        visit(self);
        for element in self.elements() {
            element.walk(visit);
        }
    }

    /// As [`Element::walk`], with elements that may be changed.
    pub(crate) fn walk_mut(&mut self, visit: &mut impl FnMut(&mut Element)) {
        visit(self);
        for element in self.elements_mut() {
            element.walk_mut(visit);
        }
    }

    /// The first element, this one included, for which `wanted` holds.
    pub(crate) fn find(&self, wanted: &impl Fn(&Element) -> bool) -> Option<&Element> {
        if wanted(self) {
            return Some(self);
        }
        self.elements().find_map(|element| element.find(wanted))
    }

    /// All text below, rows separated by a space.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.collect_text(&mut text);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn collect_text(&self, text: &mut String) {
        for child in &self.children {
            match child {
                Child::Text(part) => text.push_str(part),
                Child::Element(element) => {
                    if element.get("dy").is_some() || element.name != "tspan" {
                        text.push(' ');
                    }
                    element.collect_text(text);
                }
            }
        }
    }

    /// The element as XML.
    pub(crate) fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(self.name);
        for (name, value) in &self.attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            escape(value, out);
            out.push('"');
        }
        if self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for child in &self.children {
            match child {
                Child::Text(text) => escape(text, out),
                Child::Element(element) => element.write(out),
            }
        }
        out.push_str("</");
        out.push_str(self.name);
        out.push('>');
    }
}

fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
}
