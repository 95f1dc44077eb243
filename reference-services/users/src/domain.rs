//! The rules of profiles and preferences, without input or output: what is wrong
//! with what somebody sends.

use chassis::field;
use contracts::problem::FieldError;
use contracts::users::{Address, ChangeProfile, Preferences, QuietHours};
use jiff::tz::TimeZone;

/// Most addresses of a user.
pub const MAX_ADDRESSES: usize = 10;

/// Longest name, street or town, in characters.
pub const MAX_LINE_CHARS: usize = 120;

/// Longest label or postal code, in characters.
pub const MAX_SHORT_CHARS: usize = 20;

/// Digits of a telephone number (E.164).
pub const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// What is wrong with a profile.
pub fn profile_faults(profile: &ChangeProfile) -> Vec<FieldError> {
    let mut faults = Vec::new();
    if let Some(name) = &profile.name {
        line(&mut faults, "name", name, MAX_LINE_CHARS);
    }
    if profile.phone.as_deref().is_some_and(|phone| !is_phone(phone)) {
        faults.push(field("phone", "must be in international form, such as `+4930123456`"));
    }
    if profile.addresses.len() > MAX_ADDRESSES {
        faults.push(field("addresses", format!("must be at most {MAX_ADDRESSES}")));
        return faults;
    }
    for (place, address) in profile.addresses.iter().enumerate() {
        address_faults(&mut faults, place, address);
    }
    faults
}

fn address_faults(faults: &mut Vec<FieldError>, place: usize, address: &Address) {
    let lines = [
        ("label", &address.label, MAX_SHORT_CHARS),
        ("recipient", &address.recipient, MAX_LINE_CHARS),
        ("street", &address.street, MAX_LINE_CHARS),
        ("city", &address.city, MAX_LINE_CHARS),
    ];
    for (name, text, longest) in lines {
        line(faults, &format!("addresses[{place}].{name}"), text, longest);
    }
    if !address.postal_code.is_empty() {
        let name = format!("addresses[{place}].postal_code");
        line(faults, &name, &address.postal_code, MAX_SHORT_CHARS);
    }
    let letters = address.country.bytes().all(|byte| byte.is_ascii_uppercase());
    if address.country.len() != 2 || !letters {
        let name = format!("addresses[{place}].country");
        faults.push(field(name, "must be a code of two capital letters, such as `DE`"));
    }
}

/// One line of text that says something.
fn line(faults: &mut Vec<FieldError>, name: &str, text: &str, longest: usize) {
    let fits = (1..=longest).contains(&text.chars().count());
    if !fits || text.trim().is_empty() || text.chars().any(char::is_control) {
        faults.push(field(name, format!("must be one line of 1 to {longest} characters")));
    }
}

fn is_phone(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        PHONE_DIGITS.contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// What is wrong with preferences.
pub fn preferences_faults(preferences: &Preferences) -> Vec<FieldError> {
    let mut faults = Vec::new();
    let zone = &preferences.time_zone;
    if zone.len() > 64 || TimeZone::get(zone).is_err() {
        faults.push(field("time_zone", "must be the IANA name of a zone, such as `Europe/Berlin`"));
    }
    if let Some(QuietHours { from, to }) = &preferences.quiet_hours {
        for (name, text) in [("quiet_hours.from", from), ("quiet_hours.to", to)] {
            if !is_time(text) {
                faults.push(field(name, "must be a time such as `22:00`"));
            }
        }
        if from == to {
            faults.push(field("quiet_hours.to", "must not be when they begin"));
        }
    }
    faults
}

fn is_time(text: &str) -> bool {
    let [tens, ones, b':', minute_tens, minute_ones] = text.as_bytes() else { return false };
    let digits = [tens, ones, minute_tens, minute_ones].iter().all(|digit| digit.is_ascii_digit());
    digits && (*tens, *ones) < (b'2', b'4') && *minute_tens < b'6'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Address {
        Address {
            label: "home".to_owned(),
            recipient: "Ada Lovelace".to_owned(),
            street: "12 St James's Square".to_owned(),
            postal_code: "SW1Y 4JH".to_owned(),
            city: "London".to_owned(),
            country: "GB".to_owned(),
        }
    }

    #[test]
    fn what_is_wrong_with_a_profile_names_its_field() {
        let with = |change: fn(&mut ChangeProfile)| {
            let mut profile = ChangeProfile {
                name: Some("Ada Lovelace".to_owned()),
                phone: Some("+442071234567".to_owned()),
                addresses: vec![address(), address()],
            };
            change(&mut profile);
            let faults = profile_faults(&profile).into_iter().map(|fault| fault.field);
            faults.collect::<Vec<_>>()
        };
        type Case = (fn(&mut ChangeProfile), &'static [&'static str]);
        let cases: [Case; 12] = [
            (|_| {}, &[]),
            (|profile| *profile = ChangeProfile::default(), &[]),
            (|profile| profile.addresses[0].postal_code.clear(), &[]),
            (|profile| profile.name = Some("  ".to_owned()), &["name"]),
            (|profile| profile.name = Some("a\nb".to_owned()), &["name"]),
            (|profile| profile.name = Some("x".repeat(121)), &["name"]),
            (|profile| profile.phone = Some("030 123456".to_owned()), &["phone"]),
            (|profile| profile.phone = Some("+0301234567".to_owned()), &["phone"]),
            (|profile| profile.addresses[1].street.clear(), &["addresses[1].street"]),
            (|profile| profile.addresses[1].country = "de".to_owned(), &["addresses[1].country"]),
            (|profile| profile.addresses[0].label = "x".repeat(21), &["addresses[0].label"]),
            (|profile| profile.addresses = vec![address(); 11], &["addresses"]),
        ];
        for (number, (change, expected)) in cases.into_iter().enumerate() {
            assert_eq!(with(change), expected, "case {number}");
        }
    }

    #[test]
    fn what_is_wrong_with_preferences_names_its_field() {
        type Case = (&'static str, Option<(&'static str, &'static str)>, &'static [&'static str]);
        let cases: [Case; 9] = [
            ("UTC", None, &[]),
            ("Europe/Berlin", Some(("22:00", "07:30")), &[]),
            ("America/Argentina/Buenos_Aires", Some(("00:00", "23:59")), &[]),
            ("Mars/Olympus", None, &["time_zone"]),
            ("", None, &["time_zone"]),
            ("../../etc/passwd", None, &["time_zone"]),
            ("UTC", Some(("24:00", "7:00")), &["quiet_hours.from", "quiet_hours.to"]),
            ("UTC", Some(("22:60", "07:00")), &["quiet_hours.from"]),
            ("UTC", Some(("22:00", "22:00")), &["quiet_hours.to"]),
        ];
        for (zone, quiet, expected) in cases {
            let quiet_hours =
                quiet.map(|(from, to)| QuietHours { from: from.to_owned(), to: to.to_owned() });
            let time_zone = zone.to_owned();
            let preferences = Preferences { time_zone, quiet_hours, ..Preferences::default() };
            let found: Vec<_> =
                preferences_faults(&preferences).into_iter().map(|fault| fault.field).collect();
            assert_eq!(found, expected, "{zone} {quiet:?}");
        }
    }
}
