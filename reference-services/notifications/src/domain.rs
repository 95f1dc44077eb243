//! The rules of notifications, without input or output: which channels a
//! notification takes and when, how often a delivery is tried, and which
//! addresses a webhook may have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contracts::money::Money;
use contracts::notifications::{Channel, Kind};
use contracts::users::{Contact, Language, QuietHours};
use http::Uri;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How often a delivery is tried before it is given up.
pub const MAX_ATTEMPTS: i64 = 8;

/// Longest pause between two attempts, in milliseconds.
pub const MAX_PAUSE_MS: i64 = 15 * 60 * 1000;

/// What is older is not sent out any more, in milliseconds: whoever starts the
/// service late does not mail the customers about last week.
pub const MAX_AGE_MS: i64 = 24 * 3600 * 1000;

/// Longest address of a webhook, in bytes.
pub const MAX_URL_BYTES: usize = 2_000;

/// What an event says of an order, beside its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The amount that was taken or given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// Why an order came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A notification before and while it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The id of its event.
    pub id: Uuid,
    /// What it tells of.
    pub kind: Kind,
    /// The order that it is about.
    pub order: Uuid,
    /// The customer's account.
    pub customer: Uuid,
    /// What the event says.
    pub facts: Facts,
    /// When it happened.
    pub created_ms: i64,
}

/// What is decided for one channel of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Send it at this time, in milliseconds since 1970.
    At(i64),
    /// Do not send it, for this reason.
    Not(&'static str),
}

/// The customer does not want this kind on this channel.
pub const UNWANTED: &str = "the customer does not want it";
/// There is nowhere to send it to.
pub const NO_ADDRESS: &str = "there is no address";
/// It happened too long ago.
pub const TOO_OLD: &str = "it happened too long ago";

/// Whether a kind takes a channel where the customer said nothing about it.
/// Whoever has a webhook has asked for everything.
pub fn usual(kind: Kind, channel: Channel) -> bool {
    match channel {
        Channel::InApp | Channel::Webhook => true,
        Channel::Email => !matches!(kind, Kind::PaymentReceived | Kind::ShipmentDelivered),
    }
}

/// What is decided for one channel. Only e-mail keeps quiet hours: the stream
/// makes no sound, and behind a webhook is a program.
pub fn plan(
    told: &Told,
    channel: Channel,
    contact: &Contact,
    has_webhook: bool,
    now_ms: i64,
) -> Plan {
    let chosen = contact.preferences.channels.get(&told.kind);
    let wanted = chosen.map_or_else(|| usual(told.kind, channel), |set| set.contains(&channel));
    let reachable = match channel {
        Channel::InApp => true,
        Channel::Email => contact.email.is_some(),
        Channel::Webhook => has_webhook,
    };
    if !wanted {
        return Plan::Not(UNWANTED);
    }
    if !reachable {
        return Plan::Not(NO_ADDRESS);
    }
    if channel != Channel::InApp && now_ms - told.created_ms > MAX_AGE_MS {
        return Plan::Not(TOO_OLD);
    }
    match (channel, &contact.preferences.quiet_hours) {
        (Channel::Email, Some(quiet)) => {
            Plan::At(after_quiet_hours(quiet, &contact.preferences.time_zone, now_ms))
        }
        _ => Plan::At(now_ms),
    }
}

/// The first moment from `now_ms` on that lies in no quiet hour. Hours or zones
/// that cannot be read keep nobody quiet: `users` has checked them.
pub fn after_quiet_hours(quiet: &QuietHours, zone: &str, now_ms: i64) -> i64 {
    end_of_quiet(quiet, zone, now_ms).unwrap_or(now_ms)
}

fn end_of_quiet(quiet: &QuietHours, zone: &str, now_ms: i64) -> Option<i64> {
    let (from, to) = (time(&quiet.from)?, time(&quiet.to)?);
    let zone = TimeZone::get(zone).ok()?;
    let now = Timestamp::from_millisecond(now_ms).ok()?.to_zoned(zone.clone());
    let clock = now.time();
    let (within, tomorrow) = match from <= to {
        true => (from <= clock && clock < to, false),
        false => (clock >= from || clock < to, clock >= from),
    };
    if !within {
        return None;
    }
    let date = if tomorrow { now.date().checked_add(1.day()).ok()? } else { now.date() };
    let end = zone.to_zoned(DateTime::from_parts(date, to)).ok()?;
    Some(end.timestamp().as_millisecond())
}

/// A time of day from `HH:MM`.
fn time(text: &str) -> Option<Time> {
    let (hours, minutes) = text.split_once(':')?;
    Time::new(hours.parse().ok()?, minutes.parse().ok()?, 0, 0).ok()
}

/// How long to wait after so many attempts, in milliseconds, when the first
/// pause is `first_ms`; none: give up.
pub fn pause(attempts: i64, first_ms: i64) -> Option<i64> {
    let steps = u32::try_from(attempts - 1).unwrap_or_default().min(20);
    let pause = first_ms.saturating_mul(4_i64.saturating_pow(steps)).min(MAX_PAUSE_MS);
    (attempts < MAX_ATTEMPTS).then_some(pause)
}

/// A name for a delivery that stays the same however often it is tried: the
/// `Message-ID` of an e-mail and the `webhook-id` of a webhook.
pub fn delivery_id(notification: Uuid, channel: Channel) -> String {
    format!("{notification}.{}", channel.name())
}

/// The language of an ISO 639-1 code; English where we do not speak it.
pub fn language(code: &str) -> Language {
    Language::from_code(code).unwrap_or_default()
}

/// What is wrong with the address of a webhook, if anything. An operator may
/// allow plain `http` and addresses inside, for development.
pub fn url_fault(url: &str, inside_allowed: bool) -> Option<&'static str> {
    if url.len() > MAX_URL_BYTES {
        return Some("is too long");
    }
    let Ok(uri) = url.parse::<Uri>() else { return Some("must be an address") };
    let Some(authority) = uri.authority() else { return Some("must be an address with a host") };
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if inside_allowed => {}
        _ => return Some("must begin with `https://`"),
    }
    if authority.as_str().contains('@') {
        return Some("must not hold a name or password");
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let inside = match host.parse::<IpAddr>() {
        Ok(address) => !is_public(address),
        Err(_) => host.eq_ignore_ascii_case("localhost") || !host.contains('.'),
    };
    (inside && !inside_allowed).then_some("must be a public address")
}

/// Whether an address lies in the open internet (after the registries of special
/// addresses, RFC 6890), and not on this machine, in this network or nowhere.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        // Shared by carriers, protocol assignments, benchmarks.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let segments = address.segments();
    let translated = segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    // Global unicast is 2000::/3, without tunnels to IPv4 and documentation.
    (segments[0] & 0xe000) == 0x2000
        && segments[0] != 0x2002
        && !(segments[0] == 0x2001 && (segments[1] < 0x200 || segments[1] == 0xdb8))
        && !translated
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use contracts::users::Preferences;

    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn told(kind: Kind) -> Told {
        let id = Uuid::nil();
        Told { id, kind, order: id, customer: id, facts: Facts::default(), created_ms: NOW_MS }
    }

    #[test]
    fn a_channel_is_taken_when_it_is_wanted_and_there_is_an_address() {
        let nobody = Contact::default();
        let reachable = Contact { email: Some("a@b.c".to_owned()), ..Contact::default() };
        let mut choosy = reachable.clone();
        let only_mail = BTreeSet::from([Channel::Email]);
        choosy.preferences.channels.insert(Kind::PaymentReceived, only_mail);
        let cases = [
            (&nobody, Kind::OrderConfirmed, false, [None, Some(NO_ADDRESS), Some(NO_ADDRESS)]),
            (&reachable, Kind::OrderConfirmed, true, [None, None, None]),
            (&reachable, Kind::PaymentReceived, true, [None, Some(UNWANTED), None]),
            (&choosy, Kind::PaymentReceived, true, [Some(UNWANTED), None, Some(UNWANTED)]),
        ];
        for (contact, kind, webhook, expected) in cases {
            let found = Channel::ALL.map(|channel| {
                match plan(&told(kind), channel, contact, webhook, NOW_MS) {
                    Plan::At(at) => {
                        assert_eq!(at, NOW_MS);
                        None
                    }
                    Plan::Not(reason) => Some(reason),
                }
            });
            assert_eq!(found, expected, "{kind:?}");
        }
        let late = NOW_MS + MAX_AGE_MS + 1;
        let late = |channel| plan(&told(Kind::OrderConfirmed), channel, &reachable, true, late);
        assert_eq!(late(Channel::Email), Plan::Not(TOO_OLD));
        assert!(matches!(late(Channel::InApp), Plan::At(_)));
    }

    #[test]
    fn quiet_hours_end_at_the_time_of_the_users_own_zone() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        let cases = [
            ("22:00", "07:00", "UTC", "2026-01-10T21:59:00Z", None),
            ("22:00", "07:00", "UTC", "2026-01-10T22:00:00Z", Some("2026-01-11T07:00:00Z")),
            ("22:00", "07:00", "UTC", "2026-01-11T06:59:00Z", Some("2026-01-11T07:00:00Z")),
            ("22:00", "07:00", "UTC", "2026-01-11T07:00:00Z", None),
            ("12:00", "14:00", "UTC", "2026-01-11T13:00:00Z", Some("2026-01-11T14:00:00Z")),
            ("22:00", "07:00", "Asia/Tokyo", "2026-01-10T15:00:00Z", Some("2026-01-10T22:00:00Z")),
            // The night in which the clocks go forward is an hour shorter.
            (
                "22:00",
                "07:00",
                "Europe/Berlin",
                "2026-03-28T21:30:00Z",
                Some("2026-03-29T05:00:00Z"),
            ),
            ("22:00", "07:00", "Nowhere/Land", "2026-01-10T23:00:00Z", None),
            ("late", "07:00", "UTC", "2026-01-10T23:00:00Z", None),
        ];
        for (from, to, zone, now, expected) in cases {
            let quiet = QuietHours { from: from.to_owned(), to: to.to_owned() };
            let contact = Contact {
                email: Some("a@b.c".to_owned()),
                name: None,
                preferences: Preferences {
                    time_zone: zone.to_owned(),
                    quiet_hours: Some(quiet),
                    ..Preferences::default()
                },
            };
            let told = Told { created_ms: at(now), ..told(Kind::OrderConfirmed) };
            let found = plan(&told, Channel::Email, &contact, false, at(now));
            let expected = at(expected.unwrap_or(now));
            assert_eq!(found, Plan::At(expected), "{from} to {to} in {zone} at {now}");
        }
    }

    #[test]
    fn attempts_come_later_and_later_and_end() {
        let pauses: Vec<_> = (1..=MAX_ATTEMPTS).map(|attempts| pause(attempts, 1_000)).collect();
        assert_eq!(pauses[..3], [Some(1_000), Some(4_000), Some(16_000)]);
        assert!(pauses[..7].iter().all(|pause| pause.is_some_and(|pause| pause <= MAX_PAUSE_MS)));
        assert_eq!(pauses[7], None);
        assert_eq!(pause(i64::MAX, i64::MAX), None);
    }

    #[test]
    fn webhooks_lead_outside() {
        let good =
            ["https://example.org/hook", "https://8.8.8.8/", "https://[2606:4700::1]:8443/x"];
        for url in good {
            assert_eq!(url_fault(url, false), None, "{url}");
        }
        let bad = [
            "http://example.org/hook",
            "ftp://example.org/",
            "https://user:secret@example.org/",
            "/hook",
            "nonsense here",
            "https://localhost/",
            "https://intranet/",
            "https://127.0.0.1/",
            "https://10.1.2.3/",
            "https://172.16.0.1/",
            "https://192.168.1.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://100.64.0.1/",
            "https://0.0.0.0/",
            "https://255.255.255.255/",
            "https://[::1]/",
            "https://[fd00::1]/",
            "https://[fe80::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[2002:7f00:1::]/",
            "https://[64:ff9b::7f00:1]/",
        ];
        for url in bad {
            assert!(url_fault(url, false).is_some(), "{url}");
        }
        for url in ["http://localhost:8080/hook", "http://127.0.0.1:1/", "https://[::1]/"] {
            assert_eq!(url_fault(url, true), None, "{url}");
        }
        let long = format!("https://example.org/{}", "x".repeat(MAX_URL_BYTES));
        assert!(url_fault(&long, true).is_some() && url_fault("ftp://a.b/", true).is_some());
    }
}
