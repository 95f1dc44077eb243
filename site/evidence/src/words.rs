//! Names to words that can be compared, and numbers to words that can be read. `binding` compares,
//! `claim` and `verdict` give reasons.

/// Words that say *that* something is a part of the system but not *which*.
const GENERIC: [&str; 19] = [
    "a",
    "an",
    "and",
    "the",
    "service",
    "services",
    "svc",
    "srv",
    "microservice",
    "microservices",
    "api",
    "apis",
    "app",
    "application",
    "server",
    "backend",
    "management",
    "manager",
    "component",
];

/// Words that say "database".
const DATABASE: [&str; 6] = ["db", "dbs", "database", "databases", "datastore", "sqlite"];

/// Words that say "queue".
const QUEUE: [&str; 9] =
    ["queue", "queues", "topic", "topics", "bus", "broker", "exchange", "stream", "mq"];

/// Short forms that stand for one long word and no other. A closed list instead of any prefix:
/// `auth` must not swallow `authorization` or `author`, nor `pay` the `payroll`.
const SHORT_FORMS: [(&str, &str); 7] = [
    ("authentication", "auth"),
    ("notification", "notif"),
    ("configuration", "config"),
    ("administration", "admin"),
    ("inventory", "inv"),
    ("repository", "repo"),
    ("message", "msg"),
];

/// Lower-case letters and digits only: `API-Gateway` and `api gateway` are the same.
pub(crate) fn squash(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Words in lower case, cut at punctuation, emoji and humps (`orderService`), in the singular and
/// without short forms.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in text.chars() {
        let hump = c.is_uppercase() && before.is_lowercase();
        if !c.is_alphanumeric() || hump {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().expect("begins with one word").extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What remains of a name of a service: `Order Service` and `orders` are both `order`.
pub(crate) fn service_words(text: &str) -> Vec<String> {
    essential(words(text), &GENERIC)
}

/// What remains of a name of a database: `Order DB` and `orders_db` are both `order`.
pub(crate) fn database_words(text: &str) -> Vec<String> {
    essential(essential_raw(words(text), &DATABASE), &GENERIC)
}

/// What remains of a name of a queue: `Order Queue` and `orders` are both `order`.
pub(crate) fn queue_words(text: &str) -> Vec<String> {
    essential(essential_raw(words(text), &QUEUE), &GENERIC)
}

/// Whether a label says that it is a database, whatever its shape.
pub(crate) fn says_database(text: &str) -> bool {
    words(text).iter().any(|word| DATABASE.contains(&word.as_str()))
}

fn essential(words: Vec<String>, generic: &[&str]) -> Vec<String> {
    essential_raw(words, generic).iter().map(|word| fold(word)).collect()
}

/// Without the generic words, unless nothing would be left.
fn essential_raw(words: Vec<String>, generic: &[&str]) -> Vec<String> {
    let kept: Vec<String> =
        words.iter().filter(|word| !generic.contains(&word.as_str())).cloned().collect();
    if kept.is_empty() { words } else { kept }
}

/// One spelling for singular and plural and for the short forms.
fn fold(word: &str) -> String {
    let singular = singular(word);
    let short = SHORT_FORMS.iter().find(|(long, _)| *long == singular);
    short.map_or(singular, |(_, short)| (*short).to_owned())
}

fn singular(word: &str) -> String {
    /// Shorter words are names rather than plurals: `s3`, `dns`, `aws`.
    const PLURAL_CHARS_MIN: usize = 4;
    let ends_like_one = ["ss", "us", "is"].iter().any(|end| word.ends_with(end));
    if word.chars().count() < PLURAL_CHARS_MIN || ends_like_one {
        return word.to_owned();
    }
    if let Some(stem) = word.strip_suffix("ies") {
        return format!("{stem}y");
    }
    for end in ["sses", "xes", "ches", "shes"] {
        if word.ends_with(end) {
            return word.strip_suffix("es").unwrap_or(word).to_owned();
        }
    }
    word.strip_suffix('s').unwrap_or(word).to_owned()
}

/// A number in a base unit as people write it: `180 ms`, `99.95 %`, `1,200 req/s`.
pub(crate) fn amount(value: f64, unit: &str) -> String {
    match unit {
        "s" => duration(value),
        "ratio" => format!("{} %", percent(value)),
        "1/s" => format!("{} req/s", number(value)),
        "bytes" => bytes(value),
        "" => number(value),
        unit => format!("{} {unit}", number(value)),
    }
}

fn duration(seconds: f64) -> String {
    match seconds.abs() {
        0.0 => "0 s".to_owned(),
        s if s < 0.001 => format!("{} µs", number(seconds * 1e6)),
        s if s < 1.0 => format!("{} ms", number(seconds * 1e3)),
        s if s < 120.0 => format!("{} s", number(seconds)),
        s if s < 7200.0 => format!("{} min", number(seconds / 60.0)),
        s if s < 172_800.0 => format!("{} h", number(seconds / 3600.0)),
        _ => format!("{} days", number(seconds / 86_400.0)),
    }
}

fn bytes(value: f64) -> String {
    const STEPS: [(f64, &str); 4] = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let step = STEPS.iter().find(|(size, _)| value.abs() >= *size);
    let (size, unit) = step.copied().unwrap_or((1.0, "B"));
    format!("{} {unit}", number(value / size))
}

/// Near 100 % the digits that matter are those of the distance to it.
fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    let missing = 100.0 - percent;
    if percent < 99.0 || missing <= 0.0 {
        return number(percent);
    }
    /// Enough for any objective that a person states.
    const DECIMALS_MAX: i32 = 6;
    let decimals = (1 - missing.log10().floor() as i32).clamp(0, DECIMALS_MAX);
    // Rounding must not turn a failure into 100 %.
    let scale = 10f64.powi(decimals);
    trim(&format!("{:.*}", decimals as usize, (percent * scale + 1e-6).floor() / scale))
}

/// Three significant digits, thousands set apart by commas.
pub(crate) fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    let whole = value.abs().log10().floor() as i32 + 1;
    let text = format!("{:.*}", (3 - whole).clamp(0, 9) as usize, value);
    let text = if text.contains('.') { trim(&text) } else { text };
    commas(&text)
}

fn trim(text: &str) -> String {
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    text.to_owned()
}

fn commas(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, rest) = digits.split_once('.').map_or((digits, None), |(w, r)| (w, Some(r)));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    rest.map_or_else(|| format!("{sign}{grouped}"), |rest| format!("{sign}{grouped}.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_does_not_tell_them_apart() {
        let cases = [
            ("Order Service", "order"),
            ("orders", "order"),
            ("orderService", "order"),
            ("🛒 Orders-API", "order"),
            ("User Management", "user"),
            ("API Gateway", "gateway"),
            ("Authentication Service", "auth"),
            ("Authorization", "authorization"),
            ("Payment Gateway", "payment gateway"),
            ("Inventories", "inv"),
            ("The API", "the api"),
            ("Address Book", "address book"),
            ("DNS", "dns"),
            ("", ""),
        ];
        for (label, left) in cases {
            assert_eq!(service_words(label).join(" "), left, "{label}");
        }
        assert_eq!(database_words("Order DB"), database_words("orders_db"));
        assert_eq!(database_words("Database"), ["database"]);
        assert_eq!(queue_words("Order Events Topic"), queue_words("order.events"));
    }

    #[test]
    fn numbers_read_well() {
        let cases = [
            (0.0, "s", "0 s"),
            (0.1804, "s", "180 ms"),
            (0.000_25, "s", "250 µs"),
            (1.5, "s", "1.5 s"),
            (90.0, "s", "90 s"),
            (86_400.0, "s", "24 h"),
            (0.9995, "ratio", "99.95 %"),
            (0.9999, "ratio", "99.99 %"),
            (0.999_999_9, "ratio", "99.99999 %"),
            (1.0, "ratio", "100 %"),
            (0.014, "ratio", "1.4 %"),
            (1_200.0, "1/s", "1,200 req/s"),
            (1_000_000.0, "", "1,000,000"),
            (3e8, "bytes", "300 MB"),
            (-1_234.0, "things", "-1,234 things"),
            (f64::NAN, "", "0"),
        ];
        for (value, unit, text) in cases {
            assert_eq!(amount(value, unit), text);
        }
    }
}
