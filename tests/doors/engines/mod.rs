//! Engines that a team has already, behind the traits of the one built in: the same suite runs on each, and `loggia serve`
//! shows what they tell, and for how long they have not.

mod metrics;
mod recorded;
mod serve;
mod traces;
