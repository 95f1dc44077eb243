//! What customers read: a subject, plain text and HTML for each kind and
//! language, from the files in `templates/`. Values are put in for `{name}`; in
//! HTML they are escaped, in a subject line ends become spaces.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use contracts::money::Money;
use contracts::notifications::Kind;
use contracts::users::Language;
use serde::Deserialize;
use uuid::Uuid;

use crate::domain::Facts;

const LAYOUT: &str = include_str!("../templates/layout.html");

/// The names of values that a template may hold.
const NAMES: [&str; 4] = ["order", "total", "amount", "reason"];

/// A notification in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// A whole HTML document.
    pub html: String,
}

/// What there is to be said of a notification.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// The order that it is about.
    pub order: Uuid,
    /// What the order costs.
    pub total: Money,
    /// What the event says.
    pub facts: &'a Facts,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    subject: String,
    text: String,
    html: String,
}

/// Every template. It is read once, at the start.
#[derive(Debug, Clone)]
pub struct Templates {
    by_language: Vec<(Language, BTreeMap<Kind, Template>)>,
}

impl Templates {
    /// Reads the templates. An error: one is missing or holds an unknown name.
    pub fn load() -> anyhow::Result<Self> {
        let files = [
            (Language::En, include_str!("../templates/en.toml")),
            (Language::De, include_str!("../templates/de.toml")),
        ];
        let by_language = files.into_iter().map(|(language, text)| {
            let code = language.code();
            let templates = toml::from_str(text).with_context(|| format!("templates `{code}`"))?;
            check(&templates).with_context(|| format!("templates `{code}`"))?;
            Ok((language, templates))
        });
        Ok(Self { by_language: by_language.collect::<anyhow::Result<_>>()? })
    }

    /// A notification in words of `language`.
    pub fn render(&self, kind: Kind, language: Language, values: Values<'_>) -> Words {
        let template = self
            .by_language
            .iter()
            .find(|(found, _)| *found == language)
            .and_then(|(_, templates)| templates.get(&kind))
            .expect("`load` has checked that each language has each kind");
        let value = |name: &str| value(name, language, values);
        let subject = fill(&template.subject, &value).replace(char::is_control, " ");
        let body = fill(&template.html, &|name| escape(&value(name)));
        let html = fill(LAYOUT, &|name| match name {
            "language" => language.code().to_owned(),
            "subject" => escape(&subject),
            _ => body.trim().to_owned(),
        });
        Words { text: fill(template.text.trim_start(), &value), subject, html }
    }
}

fn check(templates: &BTreeMap<Kind, Template>) -> anyhow::Result<()> {
    for kind in Kind::ALL {
        let template =
            templates.get(&kind).with_context(|| format!("`{}` is missing", kind.name()))?;
        for text in [&template.subject, &template.text, &template.html] {
            for name in names(text) {
                ensure!(NAMES.contains(&name), "`{{{name}}}` in `{}` is unknown", kind.name());
            }
        }
    }
    Ok(())
}

fn value(name: &str, language: Language, values: Values<'_>) -> String {
    let Values { order, total, facts } = values;
    match name {
        "order" => order.to_string(),
        "total" => money(total, language),
        "amount" => money(facts.amount.unwrap_or(total), language),
        _ => facts.reason.clone().unwrap_or_default(),
    }
}

/// An amount as people of that language write it. All our currencies have two
/// decimal places.
fn money(Money { minor, currency }: Money, language: Language) -> String {
    let (sign, minor) = (if minor < 0 { "-" } else { "" }, minor.unsigned_abs());
    let (whole, part) = (minor / 100, minor % 100);
    match language {
        Language::En => format!("{sign}{currency}\u{a0}{whole}.{part:02}"),
        Language::De => format!("{sign}{whole},{part:02}\u{a0}{currency}"),
    }
}

/// The names in a template.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

/// Puts values in for names. What a value holds is not looked at again.
fn fill(text: &str, value: &impl Fn(&str) -> String) -> String {
    let mut parts = text.split('{');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('}') {
            Some((name, rest)) => {
                filled.push_str(&value(name));
                filled.push_str(rest);
            }
            None => filled.push_str(part),
        }
    }
    filled
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use contracts::money::Currency;

    use super::*;

    #[test]
    fn every_kind_has_words_in_every_language_and_nothing_is_left_open() {
        let templates = Templates::load().unwrap();
        let total = Money { minor: 123_405, currency: Currency::Eur };
        let facts = Facts { amount: Some(total), reason: Some("sold out".to_owned()) };
        for (language, amount) in
            [(Language::En, "EUR\u{a0}1234.05"), (Language::De, "1234,05\u{a0}EUR")]
        {
            let mut subjects = std::collections::BTreeSet::new();
            for kind in Kind::ALL {
                let values = Values { order: Uuid::from_u128(7), total, facts: &facts };
                let words = templates.render(kind, language, values);
                let all = [&words.subject, &words.text, &words.html];
                assert!(all.iter().all(|text| !text.contains(['{', '}'])), "{words:?}");
                assert!(
                    all.iter().any(|text| text.contains(amount.split('\u{a0}').next().unwrap()))
                );
                assert!(words.text.contains(&values.order.to_string()), "{words:?}");
                assert!(words.html.contains(&format!("lang=\"{}\"", language.code())));
                assert!(subjects.insert(words.subject), "{kind:?} looks like another");
            }
        }
    }

    #[test]
    fn what_others_wrote_is_text_and_never_markup_or_a_template() {
        let templates = Templates::load().unwrap();
        let reason = "<script>alert('x')</script> & {order}\r\nBcc: eve@example.org";
        let facts = Facts { amount: None, reason: Some(reason.to_owned()) };
        let total = Money { minor: 1, currency: Currency::Usd };
        let values = Values { order: Uuid::nil(), total, facts: &facts };
        let words = templates.render(Kind::OrderCancelled, Language::En, values);
        assert!(
            words.html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; {order}")
        );
        assert!(!words.html.contains("<script"));
        assert!(words.text.contains(reason));
        let template = Template {
            subject: "{reason}".to_owned(),
            text: String::new(),
            html: "{strange}".to_owned(),
        };
        let mut all: BTreeMap<_, _> =
            Kind::ALL.into_iter().map(|kind| (kind, template.clone())).collect();
        assert!(check(&all).unwrap_err().to_string().contains("`{strange}`"));
        for template in all.values_mut() {
            template.html.clear();
        }
        check(&all).unwrap();
        let cunning = Templates { by_language: vec![(Language::En, all.clone())] };
        let words = cunning.render(Kind::OrderCancelled, Language::En, values);
        assert!(!words.subject.contains(['\r', '\n']), "{words:?}");
        all.remove(&Kind::OrderCancelled);
        assert!(check(&all).unwrap_err().to_string().contains("order_cancelled"));
    }
}
