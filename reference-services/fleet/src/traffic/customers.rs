//! The customers behind the traffic: who they are, their sessions and orders.
//! `run` asks what an arrival can do now, and tells what was answered.

use std::collections::VecDeque;
use std::time::Duration;

use contracts::accounts::Credentials;
use contracts::orders::PlaceOrder;
use tokio::time::Instant;
use uuid::Uuid;

use super::schedule::{Action, POOL};

/// Orders that a customer remembers.
const ORDERS_REMEMBERED: usize = 8;
/// An access token is used for this part of its life, then the session gets the next one.
const SESSION_USE: f64 = 0.8;
/// Longest time for which a session is used, whatever its life.
const SESSION_LIMIT: Duration = Duration::from_secs(24 * 3600);

/// The pool.
#[derive(Debug)]
pub struct Customers {
    run: String,
    registered: u64,
    places: Vec<Customer>,
}

#[derive(Default)]
struct Customer {
    number: u64,
    account: Account,
    session: Option<Session>,
    orders: VecDeque<(Uuid, Option<Uuid>)>,
    last: Option<Placed>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Account {
    #[default]
    None,
    /// A registration or login is under way.
    Underway,
    Registered,
}

struct Session {
    token: String,
    ends: Instant,
    refresh: String,
}

/// What an arrival does, and who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// What is done.
    pub action: Action,
    /// The customer's place in the pool.
    pub place: usize,
    /// Which of the place's customers it is, counted over the whole run.
    pub number: u64,
}

/// An order as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its idempotency key.
    pub key: String,
    /// What was ordered.
    pub body: PlaceOrder,
}

// Tokens and passwords stay out of every log line.
impl std::fmt::Debug for Customer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Customer").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Customers {
    /// An empty pool. `run` keeps the customers of this run apart from those
    /// that an earlier run with the same seed has left in the database.
    pub fn new(run: String) -> Self {
        let places = std::iter::repeat_with(Customer::default).take(POOL).collect();
        Self { run, registered: 0, places }
    }

    /// What an arrival does, given the customer's state: whoever has no account
    /// registers first, whoever has no session logs in, and one whose access token has ended
    /// gets the next. While that is under way,
    /// another customer takes the arrival, so that it leaves in time.
    pub fn settle(&mut self, action: Action, place: usize, now: Instant) -> Ticket {
        let (action, place) = self.choose(action, place, now);
        Ticket { action, place, number: self.places[place].number }
    }

    fn choose(&mut self, action: Action, place: usize, now: Instant) -> (Action, usize) {
        use Action::{Anonymous, Login, Refresh, Register};
        let signs_in = matches!(action, Register | Login);
        let customer = &mut self.places[place];
        if action == Anonymous || (customer.signed_in(now) && !signs_in) {
            return (action, place);
        }
        match customer.account {
            Account::Registered if action != Register => {
                customer.account = Account::Underway;
                let goes_on = customer.session.is_some() && action != Login;
                return (if goes_on { Refresh } else { Login }, place);
            }
            Account::None | Account::Registered => return (self.replace(place), place),
            Account::Underway => {}
        }
        let mut others = (1..POOL).map(|step| (place + step) % POOL);
        match others.find(|other| self.places[*other].signed_in(now)) {
            Some(other) if signs_in => (Action::Me, other),
            Some(other) => (action, other),
            None => (Anonymous, place),
        }
    }

    fn replace(&mut self, place: usize) -> Action {
        self.registered += 1;
        let number = self.registered;
        let account = Account::Underway;
        self.places[place] = Customer { number, account, ..Customer::default() };
        Action::Register
    }

    /// The name and password of the customer at `place`.
    pub fn credentials(&self, place: usize) -> Credentials {
        let number = self.places[place].number;
        Credentials {
            email: format!("customer-{number}.{}@example.com", self.run),
            password: format!("correct horse {number} battery {}", self.run),
        }
    }

    /// The token of the customer at `place`.
    pub fn token(&self, place: usize) -> Option<&str> {
        self.places[place].session.as_ref().map(|session| session.token.as_str())
    }

    /// What the customer at `place` gets the next tokens with.
    pub fn refresh_token(&self, place: usize) -> Option<&str> {
        self.places[place].session.as_ref().map(|session| session.refresh.as_str())
    }

    /// One of the orders of the customer at `place`, with its payment if known.
    pub fn order(&self, place: usize, pick: u64) -> Option<(Uuid, Option<Uuid>)> {
        let orders = &self.places[place].orders;
        let count = u64::try_from(orders.len()).ok().filter(|count| *count > 0)?;
        orders.get(usize::try_from(pick % count).ok()?).copied()
    }

    /// The last order that the customer at `place` sent.
    pub fn last(&self, place: usize) -> Option<&Placed> {
        self.places[place].last.as_ref()
    }

    /// A key that no other run uses.
    pub fn key(&self, number: u64) -> String {
        format!("{}-{number}", self.run)
    }

    /// A registration was answered, or was not.
    pub fn on_registered(&mut self, ticket: Ticket, succeeded: bool) {
        if let Some(customer) = self.holder(ticket) {
            customer.account = if succeeded { Account::Registered } else { Account::None };
        }
    }

    /// A login, or the refresh of a session, gave tokens.
    pub fn on_login(&mut self, ticket: Ticket, given: contracts::accounts::Session, now: Instant) {
        let life = Duration::from_secs(given.expires_in_s).min(SESSION_LIMIT);
        if let Some(customer) = self.holder(ticket) {
            customer.account = Account::Registered;
            let ends = now + life.mul_f64(SESSION_USE);
            let (token, refresh) = (given.access_token, given.refresh_token);
            customer.session = Some(Session { token, ends, refresh });
        }
    }

    /// A login gave no token; an `unknown` account has to register again.
    pub fn on_login_failed(&mut self, ticket: Ticket, unknown: bool) {
        if let Some(customer) = self.holder(ticket) {
            customer.account = if unknown { Account::None } else { Account::Registered };
        }
    }

    /// A refresh gave no tokens: whether it was heard or not, its token must not come
    /// again. The customer logs in.
    pub fn on_refresh_failed(&mut self, ticket: Ticket) {
        if let Some(customer) = self.holder(ticket) {
            customer.session = None;
            customer.account = Account::Registered;
        }
    }

    /// A good request was refused with 401: the session is over.
    pub fn on_refused(&mut self, ticket: Ticket) {
        if let Some(customer) = self.holder(ticket) {
            customer.session = None;
        }
    }

    /// An order was accepted.
    pub fn on_placed(
        &mut self,
        ticket: Ticket,
        placed: Placed,
        order: Uuid,
        payment: Option<Uuid>,
    ) {
        let Some(customer) = self.holder(ticket) else { return };
        customer.last = Some(placed);
        if customer.orders.len() == ORDERS_REMEMBERED {
            customer.orders.pop_front();
        }
        customer.orders.push_back((order, payment));
    }

    /// Whoever sent the request, unless somebody new has taken the place since.
    fn holder(&mut self, ticket: Ticket) -> Option<&mut Customer> {
        Some(&mut self.places[ticket.place]).filter(|customer| customer.number == ticket.number)
    }
}

impl Customer {
    fn signed_in(&self, now: Instant) -> bool {
        self.session.as_ref().is_some_and(|session| now < session.ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{Anonymous, List, Login, Me, Refresh, Register};

    fn session(token: &str) -> contracts::accounts::Session {
        contracts::accounts::Session {
            access_token: token.to_owned(),
            token_type: "Bearer".to_owned(),
            expires_in_s: 100,
            refresh_token: format!("after {token}"),
            refresh_expires_in_s: 1000,
            session: Uuid::nil(),
        }
    }

    #[test]
    fn a_customer_registers_logs_in_and_then_shops() {
        let now = Instant::now();
        let late = now + Duration::from_secs(81);
        let mut customers = Customers::new("run".to_owned());
        let check = |customers: &mut Customers, (wanted, place), now, expected| {
            let ticket = customers.settle(wanted, place, now);
            assert_eq!((ticket.action, ticket.place), expected, "{wanted:?} at {place}");
            ticket
        };
        let first = check(&mut customers, (List, 0), now, (Register, 0));
        check(&mut customers, (List, 0), now, (Anonymous, 0));
        customers.on_registered(first, true);
        let login = check(&mut customers, (List, 0), now, (Login, 0));
        customers.on_login(login, session("token"), now);
        check(&mut customers, (List, 0), now, (List, 0));
        check(&mut customers, (Anonymous, 0), now, (Anonymous, 0));
        let second = check(&mut customers, (List, 1), now, (Register, 1));
        check(&mut customers, (List, 1), now, (List, 0));
        check(&mut customers, (Login, 1), now, (Me, 0));
        customers.on_registered(second, false);
        check(&mut customers, (List, 1), now, (Register, 1));
        let next = check(&mut customers, (List, 0), late, (Refresh, 0));
        assert_eq!(customers.refresh_token(0), Some("after token"));
        check(&mut customers, (List, 0), late, (Anonymous, 0));
        customers.on_login(next, session("next"), late);
        assert_eq!(customers.token(0), Some("next"));
        let late = late + Duration::from_secs(81);
        let next = check(&mut customers, (List, 0), late, (Refresh, 0));
        customers.on_refresh_failed(next);
        let again = check(&mut customers, (List, 0), late, (Login, 0));
        customers.on_login_failed(again, true);
        let other = check(&mut customers, (List, 0), late, (Register, 0));
        customers.on_login(login, session("late answer"), late);
        assert_eq!(customers.token(other.place), None, "the place has another customer now");
    }
}
