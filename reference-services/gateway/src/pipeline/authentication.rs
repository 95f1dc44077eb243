//! Stage 2: who is calling, and whether the route is for him.

use chassis::{Caller, Failure};
use http::HeaderMap;

use super::State;
use crate::domain::{Guard, Route};

/// The caller, where the route wants to know.
pub(crate) async fn check(
    state: &State,
    route: &Route,
    headers: &HeaderMap,
) -> Result<Option<Caller>, Failure> {
    let Guard::Role(role) = route.guard else { return Ok(None) };
    let caller = state.verifier.check(headers).await.map_err(|error| {
        state.refuse("token");
        Failure::from(error)
    })?;
    if caller.roles.iter().any(|has| has == role) {
        Ok(Some(caller))
    } else {
        state.refuse("role");
        Err(Failure::forbidden(format!("the role `{role}` is needed")))
    }
}
