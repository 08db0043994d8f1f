//! Which stacks somebody reaches.

use super::Identity;
use crate::api::{AppState, problem::Problem};
use axum::http::Method;
use graphium_core::{
    control::{ControlError, Grants},
    id::{DeploymentId, TaskId},
    runtime::label,
    stack::Stack,
};
use std::{collections::BTreeSet, sync::Arc};

/// The stacks that a caller may see, and change as the role allows.
#[derive(Clone, Debug, Default)]
pub(crate) enum Reach {
    /// All of them, and what is of no stack.
    #[default]
    Everything,
    /// Those that were granted.
    Stacks(Arc<Granted>),
}

/// Stacks that were granted, by what was said and by what it means now.
#[derive(Debug)]
pub(crate) struct Granted {
    grants: Grants,
    /// The ids of those that there are, and what was said: one that is gone is known by its id.
    ids: BTreeSet<String>,
}

/// What the `{id}` of a route is, or what it would show of others' stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// Nothing of stacks, or whoever answers looks at the caller's reach.
    Nothing,
    Stack,
    Deployment,
    Task,
    Container,
    /// More than some stacks.
    All,
}

/// What a route is about. One that is not thought of here is for those who reach everything.
pub(super) fn about(method: &Method, route: &str) -> About {
    let route = route.strip_prefix("/api/v1").unwrap_or(route);
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match route {
        "/stacks" | "/stacks/jsonld" | "/stacks/plan" | "/stacks/plan/save" | "/stacks/plan/apply" => About::Nothing,
        "/stacks/jsonld/validate" | "/stacks/jsonld/deployments" | "/events" | "/ws" | "/ws/graph" => About::Nothing,
        "/hosts" | "/hosts/{id}" | "/tasks" | "/containers" if reads => About::Nothing,
        _ if route.starts_with("/auth/") => About::Nothing,
        "/stacks/jsonld/deployments/{id}" => About::Deployment,
        _ if route.starts_with("/stacks/{id}") => About::Stack,
        "/tasks/{id}" | "/tasks/{id}/retry" | "/tasks/{id}/cancel" => About::Task,
        _ if route.starts_with("/containers/{id}") => About::Container,
        _ => About::All,
    }
}

impl Reach {
    /// What grants mean at present.
    pub(super) async fn of(state: &AppState, grants: &Grants) -> Result<Self, Problem> {
        if grants.are_all() {
            return Ok(Self::Everything);
        }
        let mut ids: BTreeSet<String> = grants.stacks().iter().cloned().collect();
        let mut after = None;
        loop {
            let page = state.control.stacks(after, 1000).await?;
            let granted = page.items.iter().filter(|stack| grants.include(stack.id.as_str(), &stack.name));
            ids.extend(granted.map(|stack| stack.id.to_string()));
            after = page.next;
            if after.is_none() {
                return Ok(Self::Stacks(Arc::new(Granted { grants: grants.clone(), ids })));
            }
        }
    }

    /// Whether something of a stack may be seen, or of none.
    pub(crate) fn includes(&self, stack: Option<&str>) -> bool {
        match self {
            Self::Everything => true,
            Self::Stacks(granted) => stack.is_some_and(|id| granted.ids.contains(id)),
        }
    }

    /// Refuses a document of a stack that is not reached. One of an id that others have, under a name that is granted, is not.
    pub(crate) async fn admit(&self, state: &AppState, stack: &Stack) -> Result<(), Problem> {
        let Self::Stacks(granted) = self else { return Ok(()) };
        let is_granted = granted.grants.include(stack.id.as_str(), &stack.name);
        let is_anothers = match state.control.stack(stack.id.as_str()).await {
            Ok(existing) => !granted.ids.contains(existing.id.as_str()),
            Err(ControlError::NotFound { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        if !is_granted || is_anothers {
            return Err(granted.refusal());
        }
        self.admit_secrets(state, stack).await
    }

    /// Refuses a document that asks for secrets which were not set for its stack: whoever is inside a container reads them.
    async fn admit_secrets(&self, state: &AppState, stack: &Stack) -> Result<(), Problem> {
        let names = stack.secret_names();
        let meant = state.control.secrets_meant_for(&names, stack.id.as_str(), &stack.name).await?;
        let Some(name) = names.difference(&meant).next() else { return Ok(()) };
        let detail = format!(
            "the stack `{}` asks for the secret `{name}`, which was not set for it by name; ask somebody who reaches all stacks: graphium secret \
             set {name} --stack {}",
            stack.name, stack.name
        );
        Err(Problem::new(403, "not-granted", detail))
    }

    /// Refuses what a route names and is of a stack that is not reached.
    pub(super) async fn permit(&self, state: &AppState, about: About, id: &str) -> Result<(), Problem> {
        let Self::Stacks(granted) = self else { return Ok(()) };
        let stack = match about {
            About::Nothing => return Ok(()),
            About::All => None,
            About::Stack => match state.control.stack(id).await {
                Ok(stack) => Some(stack.id.to_string()),
                // Whether there is one is not told to whom it is none of their business.
                Err(ControlError::NotFound { .. }) => Some(id.to_owned()),
                Err(error) => return Err(error.into()),
            },
            About::Deployment => {
                found(state.control.deployment(&DeploymentId::new(id)).await)?.map(|found| found.stack_id.to_string())
            }
            About::Task => {
                let task = state.control.store().task(&TaskId::new(id)).await.map_err(Problem::from)?;
                task.and_then(|task| task.stack_id).map(|stack| stack.to_string())
            }
            About::Container => crate::api::container_of(state, id)
                .await
                .ok()
                .and_then(|container| container.label(label::STACK).map(str::to_owned)),
        };
        if self.includes(stack.as_deref()) { Ok(()) } else { Err(granted.refusal()) }
    }
}

fn found<T>(answer: Result<T, ControlError>) -> Result<Option<T>, Problem> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(ControlError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Granted {
    fn refusal(&self) -> Problem {
        let stacks: Vec<_> = self.grants.stacks().iter().map(|stack| format!("`{stack}`")).collect();
        Problem::new(403, "not-granted", format!("you reach the stack {} and nothing else", stacks.join(", ")))
    }
}

impl Identity {
    /// Whether something of a stack may be seen, or of none.
    pub(crate) fn reaches(&self, stack: Option<&str>) -> bool {
        self.reach.includes(stack)
    }
}
