//! How many replicas a service has, changed while it runs. More are started and
//! waited for; fewer are told about first, so that nobody sends them anything
//! when they end. [`crate::control`] asks for it.

use thiserror::Error;

use crate::crew::{Crew, StartError};
use crate::limits::MAX_REPLICAS;
use crate::plan::Service;

/// Why a service does not have as many replicas as was asked for.
#[derive(Debug, Error)]
pub enum ScaleError {
    /// No service is called so.
    #[error("no service is called `{name}`\nhelp: there are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The services.
        known: String,
    },
    /// There can be only one of it.
    #[error("`{name}` runs once only: {why}")]
    Alone {
        /// The service.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// None, or more than this machine is meant for.
    #[error("`{name}` cannot have {wanted} replicas\nhelp: it can have 1 to {MAX_REPLICAS}")]
    Senseless {
        /// The service.
        name: String,
        /// What was asked for.
        wanted: usize,
    },
    /// The new ones did not come up, and are gone again.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The fleet stops.
    #[error("`cloudscale up` is stopping")]
    Closing,
}

impl Crew {
    /// Lets a service have `wanted` replicas. Answers their names.
    pub(crate) async fn scale(&self, name: &str, wanted: usize) -> Result<Vec<String>, ScaleError> {
        let service = self.scalable(name)?;
        if !(1..=MAX_REPLICAS).contains(&wanted) {
            return Err(ScaleError::Senseless { name: name.to_owned(), wanted });
        }
        let _turn = self.turn.lock().await;
        let numbers = self.numbers(name);
        if numbers.len() < wanted {
            let free = (1..).filter(|number| !numbers.contains(number));
            let more: Vec<usize> = free.take(wanted - numbers.len()).collect();
            self.add(&service, &more, &self.plan.version).await?;
        } else {
            let mut numbers = numbers;
            numbers.sort_unstable();
            let places = self.places(name, &numbers[wanted..]);
            if !places.is_empty() {
                self.retire(&places, self.limits.notice).await;
            }
        }
        let members = self.members();
        let of = members.iter().filter(|member| member.service.name == name);
        Ok(of.map(|member| member.instance.clone()).collect())
    }

    /// Starts replicas of a service and waits for them. When one does not come
    /// up, none stays.
    pub(crate) async fn add(
        &self,
        service: &Service,
        numbers: &[usize],
        version: &str,
    ) -> Result<Vec<usize>, ScaleError> {
        let mut places = Vec::new();
        for number in numbers {
            if self.closing.is_cancelled() {
                return Err(ScaleError::Closing);
            }
            match self.enlist(service, *number, version) {
                Ok(place) => places.push(place),
                Err(error) => {
                    self.retire(&places, std::time::Duration::ZERO).await;
                    return Err(error.into());
                }
            }
        }
        places.iter().for_each(|place| self.start(*place));
        tokio::select! {
            ready = self.ready(&places) => match ready {
                Ok(()) => Ok(places),
                Err(error) => {
                    self.retire(&places, std::time::Duration::ZERO).await;
                    Err(error.into())
                }
            },
            // Whoever stops the fleet stops these too.
            () = self.closing.cancelled() => Err(ScaleError::Closing),
        }
    }

    /// The service of that name, if there may be several of it.
    pub(crate) fn scalable(&self, name: &str) -> Result<Service, ScaleError> {
        let services = &self.plan.services;
        let Some(service) = services.iter().find(|service| service.name == name) else {
            let known: Vec<_> = services.iter().map(|service| service.name.as_str()).collect();
            return Err(ScaleError::Unknown { name: name.to_owned(), known: known.join(", ") });
        };
        match service.alone {
            Some(why) => Err(ScaleError::Alone { name: name.to_owned(), why }),
            None => Ok(service.clone()),
        }
    }

    fn numbers(&self, name: &str) -> Vec<usize> {
        let members = self.members();
        let of = members.iter().filter(|member| member.service.name == name);
        of.map(|member| member.number).collect()
    }

    fn places(&self, name: &str, numbers: &[usize]) -> Vec<usize> {
        let members = self.members();
        let of = members
            .iter()
            .filter(|member| member.service.name == name && numbers.contains(&member.number));
        of.map(|member| member.place).collect()
    }
}
