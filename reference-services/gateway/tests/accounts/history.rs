//! What people did with sessions and were answered, and what must hold of it. An answer
//! that did not come counts neither as done nor as not done.

use std::collections::BTreeMap;

use uuid::Uuid;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// A refresh token was presented: the how-manieth of its family.
    Refresh { token: usize },
    /// The session was to be ended.
    Revoke,
    /// An access token was used.
    Look,
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    Refused,
    Unknown,
}

/// One act, from `invoked` to `ended` by a clock of the test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    pub(crate) family: Uuid,
    pub(crate) act: Act,
    pub(crate) invoked: u64,
    pub(crate) ended: u64,
    pub(crate) outcome: Outcome,
}

/// What does not hold.
pub(crate) fn faults(records: &[Record]) -> Vec<String> {
    let mut families: BTreeMap<Uuid, Vec<Record>> = BTreeMap::new();
    for record in records {
        families.entry(record.family).or_default().push(*record);
    }
    families.into_values().flat_map(|records| of_family(&records)).collect()
}

fn of_family(records: &[Record]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut good: BTreeMap<usize, u32> = BTreeMap::new();
    for record in records {
        if let (Act::Refresh { token }, Outcome::Ok) = (record.act, record.outcome) {
            *good.entry(token).or_default() += 1;
        }
    }
    for (token, times) in good.into_iter().filter(|(_, times)| *times > 1) {
        faults.push(format!("token {token} was good {times} times"));
    }
    // From here on the session is over: it was ended, or a token of it was refused.
    let over = records.iter().filter(|record| match record.act {
        Act::Revoke => record.outcome == Outcome::Ok,
        Act::Refresh { .. } | Act::Look => record.outcome == Outcome::Refused,
    });
    if let Some(over) = over.map(|record| record.ended).min() {
        let late = records.iter().filter(|record| {
            let uses = !matches!(record.act, Act::Revoke);
            uses && record.outcome == Outcome::Ok && record.invoked > over
        });
        faults.extend(late.map(|record| format!("it was over at {over}, and then: {record:?}")));
    }
    // Nobody has done anything that could end it.
    let harmed = records.iter().any(|record| match record.act {
        Act::Revoke => record.outcome != Outcome::Refused,
        Act::Refresh { .. } => record.outcome == Outcome::Unknown || is_replay(records, record),
        Act::Look => false,
    });
    if !harmed {
        let refused = records.iter().filter(|record| {
            !matches!(record.act, Act::Revoke) && record.outcome == Outcome::Refused
        });
        faults.extend(refused.map(|record| format!("nobody has ended it, and yet: {record:?}")));
    }
    faults
}

/// Whether the token of a refresh was presented another time too.
fn is_replay(records: &[Record], refresh: &Record) -> bool {
    records.iter().filter(|record| record.act == refresh.act).count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_found_and_what_is_sound_is_not() {
        use Act::{Look, Refresh, Revoke};
        use Outcome::{Ok, Refused, Unknown};
        let (first, second) = (Refresh { token: 0 }, Refresh { token: 1 });
        let cases: [(&[(Act, Outcome)], usize); 10] = [
            (&[(first, Ok), (second, Ok), (Look, Ok)], 0),
            (&[(first, Ok), (first, Refused), (second, Refused), (Look, Refused)], 0),
            (&[(first, Unknown), (first, Refused), (Look, Refused)], 0),
            (&[(Revoke, Ok), (Look, Refused), (first, Refused)], 0),
            (&[(Revoke, Unknown), (first, Ok), (second, Refused)], 0),
            (&[(first, Ok), (first, Ok)], 1),
            (&[(first, Ok), (first, Refused), (second, Ok)], 1),
            (&[(Revoke, Ok), (Look, Ok), (first, Ok)], 2),
            (&[(first, Ok), (second, Refused)], 1),
            (&[(first, Ok), (Look, Refused)], 1),
        ];
        for (acts, expected) in cases {
            let records: Vec<_> = (0_u64..)
                .zip(acts)
                .map(|(number, (act, outcome))| Record {
                    family: Uuid::nil(),
                    act: *act,
                    invoked: 2 * number,
                    ended: 2 * number + 1,
                    outcome: *outcome,
                })
                .collect();
            let found = faults(&records);
            assert_eq!(found.len(), expected, "{acts:?}: {found:?}");
        }
    }
}
