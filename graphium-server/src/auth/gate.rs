//! Lets a request through, or says why not.

use super::{Identity, Known, Needs, Reach, Token, needs, reach::about};
use crate::api::{
    AppState, Peer,
    around::Within,
    audit::{Deed, Trail, kind_of, shown},
    crowd::{Caller, Kind, Place, Seat},
    problem::Problem,
};
use axum::{
    RequestPartsExt as _,
    extract::{MatchedPath, RawPathParams, Request},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::future::BoxFuture;
use graphium_core::{
    control::{AuditObject, Purpose, Role, TokenRecord},
    id::{HostId, TaskId},
};
use std::sync::Arc;
use subtle::ConstantTimeEq;

const UNKNOWN: &str = "the token is not known to this server: it was revoked, or it is another server's";
const MISSING: &str = "this needs a token: send `Authorization: Bearer gph_…`. On the server's own machine the command line finds the \
                       administrator's by itself; elsewhere set GRAPHIUM_TOKEN";

/// Runs before every route, and after routing, so that the policy is of routes and not of texts.
pub(crate) fn gate(state: &AppState, request: Request, within: Within) -> BoxFuture<'static, Response> {
    let trail = Arc::clone(&state.trail);
    // Boxed: a parked request should not carry what only its beginning needs.
    let admitted = Box::pin(admitted(state.clone(), request));
    Box::pin(async move { answer(admitted.await, trail, within).await })
}

/// The answer to a request that was let in, or was not.
fn answer(
    admitted: Result<(Admitted, Held), Refused>,
    trail: Arc<Trail>,
    within: Within,
) -> BoxFuture<'static, Response> {
    match admitted {
        Ok((Admitted::ToWork(request), _)) => within.answer(request),
        Ok((Admitted::ToChange(request, deed), place)) => Box::pin(async move {
            let _place = place;
            trail.change(deed, request, within).await
        }),
        Ok((Admitted::Other(request, deed), place)) => {
            let answered = within.answer(request);
            Box::pin(async move {
                let _place = place;
                let response = answered.await;
                if deed.is_counted(response.status()) {
                    Box::pin(counted(trail, deed, response)).await
                } else {
                    response
                }
            })
        }
        Err(refused) => Box::pin(async move {
            let (problem, deed) = *refused;
            let unauthorized = problem.status == 401;
            let mut response = problem.into_response();
            if unauthorized {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            match deed {
                Some(deed) if deed.is_counted(response.status()) => counted(trail, deed, response).await,
                _ => response,
            }
        }),
    }
}

async fn counted(trail: Arc<Trail>, deed: Box<Deed>, mut response: Response) -> Response {
    trail.count(*deed, &mut response).await;
    response
}

/// A request with who asks in its extensions, and what the audit is told of it.
enum Admitted {
    /// Of an agent, which may wait: nobody is told, and it needs no place.
    ToWork(Request),
    ToChange(Request, Box<Deed>),
    Other(Request, Box<Deed>),
}

/// A place among those that are served, kept for the length of a request.
type Held = Option<Arc<Place>>;

/// Why a request is not let in, and what the audit is told of it: nothing, where nobody knows what it is about.
type Refused = Box<(Problem, Option<Box<Deed>>)>;

async fn admitted(state: AppState, request: Request) -> Result<(Admitted, Held), Refused> {
    let (mut request, route, path) = routed(request).await.map_err(|problem| Box::new((problem, None)))?;
    let mut deed = Deed::of(route.as_str(), &path, &request);
    match identified(&state, route.as_str(), &path, &mut request, &mut deed).await {
        Ok(None) if is_of_agent(&request) && !deed.is_told() => Ok((Admitted::ToWork(request), None)),
        Ok(place) if deed.is_change() => Ok((Admitted::ToChange(request, deed), place)),
        Ok(place) => Ok((Admitted::Other(request, deed), place)),
        Err(problem) => Err(Box::new((problem, Some(deed)))),
    }
}

/// The route that a request has found, and what its path says.
async fn routed(request: Request) -> Result<(Request, MatchedPath, RawPathParams), Problem> {
    let (mut parts, body) = request.into_parts();
    let route = parts.extract().await.map_err(|_| Problem::new(500, "internal", "the route is not known"))?;
    let path = parts.extract::<RawPathParams>().await;
    let path = path.map_err(|wrong| Problem::new(wrong.status().as_u16(), "bad-request", wrong.body_text()))?;
    Ok((Request::from_parts(parts, body), route, path))
}

fn is_of_agent(request: &Request) -> bool {
    request.extensions().get::<Identity>().is_some_and(|identity| identity.role == Role::Agent)
}

async fn identified(
    state: &AppState,
    route: &str,
    path: &RawPathParams,
    request: &mut Request,
    deed: &mut Deed,
) -> Result<Held, Problem> {
    let method = request.method().clone();
    let needs = needs(&method, route);
    // First of all: whoever finds none costs nothing more.
    let kind = Kind::of(&method, route);
    let place = match kind {
        Some(kind) => Some(state.crowd.enter(kind).await?),
        None => None,
    };
    if let Some(place) = &place {
        request.extensions_mut().insert(Seat::of(place));
    }
    let count = |caller| match kind {
        Some(kind) if kind.may_change() => state.crowd.count(caller, state.environment.elapsed()),
        _ => Ok(()),
    };
    if needs == Needs::Nobody {
        count(Caller::at(Peer::address(request.extensions())))?;
        return Ok(place);
    }
    let id = path.iter().find(|(name, _)| *name == "id").map(|(_, id)| id.to_owned());
    let known = request.extensions().get::<Known>().map(|known| known.0.clone());
    let identity = match known {
        Some(hash) => of_session(state, hash).await?,
        None => identify(state, presented(request, route)).await?,
    };
    let about = about(&method, route);
    let permitted = async {
        count(Caller::Token(identity.token.hash.clone()))?;
        permit(state, &identity, needs, id.as_deref()).await?;
        identity.reach.permit(state, about, id.as_deref().unwrap_or_default()).await
    };
    let permitted = permitted.await;
    // An agent that waits is parked without: nobody asks who it is.
    if permitted.is_err() || identity.role != Role::Agent || deed.is_change() {
        deed.who = Some((&identity).into());
    }
    if permitted.is_err() && deed.on.is_none() {
        deed.on = id.as_deref().map(|id| AuditObject::new(kind_of(route), shown(id)));
    }
    permitted?;
    note_use(state, &identity);
    request.extensions_mut().insert(identity);
    Ok(place)
}

async fn identify(state: &AppState, token: Option<String>) -> Result<Identity, Problem> {
    let text = token.ok_or_else(|| Problem::new(401, "token-missing", MISSING))?;
    let token = Token::parse(&text).ok_or_else(|| Problem::new(401, "token-unknown", UNKNOWN))?;
    of_hash(state, token.hash()).await
}

fn unknown() -> Problem {
    Problem::new(401, "token-unknown", UNKNOWN)
}

/// Who has the token of that hash, as long as it is good.
pub(crate) async fn of_hash(state: &AppState, hash: String) -> Result<Identity, Problem> {
    let token = good(state, hash, Purpose::Access).await?;
    identity(state, token, None).await
}

/// Whose the page's session of that hash is, as long as it is good, and whatever it was opened with.
pub(crate) async fn of_session(state: &AppState, hash: String) -> Result<Identity, Problem> {
    let session = good(state, hash, Purpose::Page).await?;
    let Some(opened_by) = &session.opened_by else { return identity(state, session, None).await };
    let token = state.control.token(opened_by).await?.filter(|token| token.purpose == Purpose::Access);
    identity(state, token.ok_or_else(unknown)?, Some(session)).await
}

/// The credential of that hash, which opens nothing but what it is for.
async fn good(state: &AppState, hash: String, purpose: Purpose) -> Result<TokenRecord, Problem> {
    let record = state.control.token_by_hash(&hash).await?;
    let is_it = |record: &TokenRecord| bool::from(record.hash.as_bytes().ct_eq(hash.as_bytes()));
    record.filter(|record| is_it(record) && record.purpose == purpose).ok_or_else(unknown)
}

async fn identity(state: &AppState, token: TokenRecord, session: Option<TokenRecord>) -> Result<Identity, Problem> {
    // A session is worth what its person may do now.
    let person = match &token.user {
        None => None,
        Some(name) => Some(state.control.user(name).await?.ok_or_else(unknown)?),
    };
    let hash = session.as_ref().unwrap_or(&token).key(person.as_ref());
    let (role, grants, name) = match person {
        None => (token.role, token.stacks.clone(), token.name.clone().unwrap_or_else(|| token.id.clone())),
        Some(person) => (person.role, person.stacks, person.name),
    };
    let reach = Reach::of(state, &grants).await?;
    let (host, user) = (token.host.clone(), token.user.clone());
    Ok(Identity { role, host, name, hash, user, reach, token: Arc::new(token), session: session.map(Arc::new) })
}

/// The token that a request shows. A browser cannot set headers on streams, so there it may come in two other ways.
fn presented(request: &Request, route: &str) -> Option<String> {
    let header = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if let Some(authorization) = header(header::AUTHORIZATION) {
        let (scheme, token) = authorization.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| token.to_owned());
    }
    let streams = ["/api/v1/events", "/api/v1/ws", "/api/v1/ws/graph", "/api/v1/containers/{id}/exec"];
    if !streams.contains(&route) {
        return None;
    }
    if let Some(protocols) = header(header::SEC_WEBSOCKET_PROTOCOL) {
        let mut protocols = protocols.split(',').map(str::trim);
        if protocols.next() == Some("bearer") {
            return protocols.next().map(str::to_owned);
        }
    }
    let pairs = request.uri().query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(name, _)| *name == "access_token").map(|(_, token)| token.to_owned())
}

/// Lets the store know that a token is used, beside everything else: a store that is slow holds up nobody for it.
pub(crate) fn note_use(state: &AppState, identity: &Identity) {
    let used = [Some(&identity.token), identity.session.as_ref()].into_iter().flatten();
    for token in used.filter(|token| state.control.is_use_of_note(token)) {
        let Ok(place) = Arc::clone(&state.noting).try_acquire_owned() else { return };
        let (control, token) = (Arc::clone(&state.control), Arc::clone(token));
        tokio::spawn(async move {
            control.note_use(&token).await;
            drop(place);
        });
    }
}

async fn permit(state: &AppState, identity: &Identity, needs: Needs, id: Option<&str>) -> Result<(), Problem> {
    let own = |host: &HostId| identity.host.as_ref() == Some(host);
    let permitted = match (identity.role, needs) {
        (Role::Admin, _) | (_, Needs::Nobody) => true,
        (Role::Operator, needs) => matches!(needs, Needs::Viewer | Needs::Operator | Needs::AgentOrViewer),
        (Role::Viewer, needs) => matches!(needs, Needs::Viewer | Needs::AgentOrViewer),
        (Role::Agent, Needs::Agent | Needs::AgentOrViewer) => id.is_some_and(|id| own(&HostId::new(id))),
        (Role::Agent, Needs::AgentOfTask) => {
            let id = TaskId::new(id.unwrap_or_default());
            let task = state.control.store().task(&id).await.map_err(Problem::from)?;
            let task = task.ok_or_else(|| Problem::new(404, "not-found", format!("no task `{id}`")))?;
            own(&task.host_id)
        }
        (Role::Agent, Needs::Viewer | Needs::Operator | Needs::Admin) => false,
    };
    if permitted {
        return Ok(());
    }
    let detail = match (identity.role, &identity.host) {
        (Role::Agent, Some(host)) => format!("this token is for the agent of host `{host}` and reaches nothing else"),
        (Role::Viewer, _) => {
            "you may look and change nothing; ask with the token of an operator or administrator".to_owned()
        }
        (Role::Operator, _) => "this is for administrators; you may change stacks".to_owned(),
        _ => "this token may not do that".to_owned(),
    };
    Err(Problem::new(403, "not-allowed", detail))
}
