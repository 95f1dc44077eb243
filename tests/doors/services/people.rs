//! Those who hear of customers die between what they were delivered, its effect and what they tell:
//! every account still gets its profile, and every order is told of, in the app and by mail, once.

use super::QUIET;
use super::picture::Fate;
use super::running::{Door, Fleet, Placed};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tests::until;

/// Where `users` may die while somebody arrives.
const ARRIVING: [&str; 5] =
    ["inbox.received", "inbox.effect", "inbox.committed", "user.written", "outbox.written"];
/// Where `notifications` may die while it tells of something.
const TELLING: [&str; 7] = [
    "inbox.received",
    "inbox.effect",
    "inbox.committed",
    "notification.planned",
    "delivery.taken",
    "delivery.sent",
    "delivery.noted",
];
/// What a customer is told of an order that was paid for.
const TOLD: [&str; 2] = ["order_confirmed", "payment_received"];
/// What of that goes by mail, too, unless the customer wants it otherwise.
const MAILED: &str = "order_confirmed";

#[test]
fn whoever_dies_while_hearing_of_customers_loses_nothing_and_tells_nothing_twice() {
    let mut fleet = Fleet::start(&[]);
    let door = fleet.door();
    let mut people = Vec::new();
    for point in ARRIVING {
        fleet.restart_to_die("users", point);
        let email = format!("{}@example.org", point.replace('.', "-"));
        people.push((email.clone(), door.register(&email)));
        fleet.died("users", point, || ());
        fleet.start_again("users");
    }
    for (email, token) in people {
        let own = door.of(token);
        let profile = until(&format!("the profile of {email}"), QUIET, || {
            let answer = own.get("/v1/profile").ok()?;
            answer.json().ok().filter(|_| answer.status == 200)
        });
        assert_eq!(profile["email"], email);
    }
    let mut paid = Vec::new();
    let mut number = 0;
    let mut place = |fleet: &Fleet| -> Placed {
        loop {
            number += 1;
            let order = fleet.new_order(number);
            // A card may be declined, and a van be full.
            if fleet.place_until_known(&order) == Fate::Answered(201) {
                return order;
            }
        }
    };
    for point in TELLING {
        fleet.restart_to_die("notifications", point);
        paid.push(place(&fleet));
        fleet.died("notifications", point, || ());
        fleet.start_again("notifications");
        paid.push(place(&fleet));
    }
    let id = |order| until("the id of an order", QUIET, || door.id_of(order));
    let ids: Vec<String> = paid.iter().map(id).collect();
    let start = Instant::now();
    let faults = loop {
        let faults = told_faults(&ids, &told(&door), &fleet.files("notifications", "outbox"));
        // What was taken by one that died is taken again after a minute.
        if faults.is_empty() || start.elapsed() > 2 * QUIET {
            break faults;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(faults, Vec::<String>::new());
    for service in ["users", "notifications"] {
        assert_eq!(fleet.broken(service), Vec::<String>::new());
    }
}

/// What the customer was told in the app: the kind and id of each notification, by order.
fn told(door: &Door) -> BTreeMap<String, Vec<(String, String)>> {
    let mut told: BTreeMap<String, Vec<_>> = BTreeMap::new();
    let list = door.get("/v1/notifications?limit=100").unwrap().json().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for note in list["notifications"].as_array().unwrap() {
        told.entry(text(&note["order"]))
            .or_default()
            .push((text(&note["kind"]), text(&note["id"])));
    }
    told
}

/// What was not told, told twice, or not sent.
fn told_faults(
    orders: &[String],
    told: &BTreeMap<String, Vec<(String, String)>>,
    mails: &[String],
) -> Vec<String> {
    let mut faults = Vec::new();
    for order in orders {
        let notes = told.get(order).map(Vec::as_slice).unwrap_or_default();
        for kind in TOLD {
            let times = notes.iter().filter(|(other, _)| other == kind).count();
            if times != 1 {
                faults.push(format!("{kind} of {order} was told {times} times"));
            }
        }
        for (kind, id) in notes.iter().filter(|(kind, _)| kind == MAILED) {
            let sent = mails.iter().filter(|mail| mail.starts_with(id)).count();
            // A mail that is sent again has the name of the first one.
            if sent != 1 {
                faults.push(format!("{sent} mails tell {kind} of {order}"));
            }
        }
    }
    faults
}

#[test]
fn what_is_told_twice_or_not_at_all_is_noticed() {
    let orders = ["o".to_owned()];
    let sound = || {
        let notes = TOLD.map(|kind| (kind.to_owned(), format!("id-{kind}")));
        let mails: Vec<String> = TOLD.iter().map(|kind| format!("id-{kind}.email.eml")).collect();
        (BTreeMap::from([("o".to_owned(), notes.to_vec())]), mails)
    };
    let (told, mails) = sound();
    assert_eq!(told_faults(&orders, &told, &mails), Vec::<String>::new());
    type Plant = fn(&mut Vec<(String, String)>, &mut Vec<String>);
    let plants: [(&str, Plant); 4] = [
        ("told 0 times", |notes, _| _ = notes.pop()),
        ("told 2 times", |notes, _| notes.push(notes[0].clone())),
        ("0 mails", |_, mails| _ = mails.remove(0)),
        ("2 mails", |_, mails| mails.push(mails[0].clone())),
    ];
    for (words, plant) in plants {
        let (mut told, mut mails) = sound();
        plant(told.get_mut("o").unwrap(), &mut mails);
        let found = told_faults(&orders, &told, &mails);
        assert!(found.iter().any(|fault| fault.contains(words)), "{words}: {found:?}");
    }
}
