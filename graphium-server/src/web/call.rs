//! What the page asks of the API, within this process.

use super::{Web, guard::User};
use crate::{api::problem::Problem, auth::Known, serve::Limits};
use axum::{
    body::Body,
    http::{HeaderMap, Method, Request, header},
    response::Response,
};
use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{Serialize, de::DeserializeOwned};
use tower::ServiceExt as _;

/// The largest answer that becomes a page: more than the API's lists and plans have.
const LARGEST: usize = 256 * 1024 * 1024;

const PART: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'/')
    .add(b';')
    .add(b'<')
    .add(b'=')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A text as one part of a path, or a value of a query.
pub(super) fn part(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}

impl Web {
    /// Reads something.
    pub(super) async fn get<T: DeserializeOwned>(&self, user: &User, path: &str) -> Result<T, Problem> {
        read(self.ask(user, Method::GET, path, None, HeaderMap::new()).await?)
    }

    /// Reads what is not of some stacks; nothing, where the user was granted some.
    pub(super) async fn get_of_all<T: DeserializeOwned>(&self, user: &User, path: &str) -> Result<Option<T>, Problem> {
        if user.reaches_all { self.get(user, path).await.map(Some) } else { Ok(None) }
    }

    /// Changes something; nothing is sent.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        user: &User,
        method: Method,
        path: &str,
    ) -> Result<T, Problem> {
        read(self.ask(user, method, path, None, HeaderMap::new()).await?)
    }

    /// Posts JSON.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        user: &User,
        path: &str,
        body: &(impl Serialize + Sync),
        headers: HeaderMap,
    ) -> Result<T, Problem> {
        read(self.ask(user, Method::POST, path, Some(json(body)?), headers).await?)
    }

    /// Puts JSON in a place.
    pub(super) async fn put<T: DeserializeOwned>(
        &self,
        user: &User,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Problem> {
        read(self.ask(user, Method::PUT, path, Some(json(body)?), HeaderMap::new()).await?)
    }

    /// Changes something to what JSON says.
    pub(super) async fn patch<T: DeserializeOwned>(
        &self,
        user: &User,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Problem> {
        read(self.ask(user, Method::PATCH, path, Some(json(body)?), HeaderMap::new()).await?)
    }

    async fn ask(
        &self,
        user: &User,
        method: Method,
        path: &str,
        body: Option<Bytes>,
        mut headers: HeaderMap,
    ) -> Result<Bytes, Problem> {
        headers.insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
        let mut response = self.pass(user, method, path, body.map_or_else(Body::empty, Body::from), headers).await?;
        let status = response.status();
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            return Err(problem);
        }
        let bytes = axum::body::to_bytes(response.into_body(), LARGEST)
            .await
            .map_err(|error| Problem::new(500, "internal", format!("an answer broke off: {error}")))?;
        if status.is_success() {
            return Ok(bytes);
        }
        Err(Problem::new(status.as_u16(), "error", String::from_utf8_lossy(&bytes)))
    }

    /// The API's own answer, for streams.
    pub(super) async fn pass(
        &self,
        user: &User,
        method: Method,
        path: &str,
        body: Body,
        headers: HeaderMap,
    ) -> Result<Response, Problem> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = format!("/api/v1{path}")
            .parse()
            .map_err(|error| Problem::new(400, "bad-query", format!("this address is none: {error}")))?;
        *request.headers_mut() = headers;
        request.extensions_mut().insert(Known(user.hash.clone()));
        if let Some(peer) = user.peer {
            request.extensions_mut().insert(peer);
        }
        request.extensions_mut().insert(Limits::default());
        match self.api.clone().oneshot(request).await {
            Ok(response) => Ok(response),
            Err(never) => match never {},
        }
    }
}

fn json(body: &impl Serialize) -> Result<Bytes, Problem> {
    let text = serde_json::to_vec(body).map_err(|error| Problem::new(500, "internal", error.to_string()))?;
    Ok(text.into())
}

fn read<T: DeserializeOwned>(bytes: Bytes) -> Result<T, Problem> {
    let text: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
    serde_json::from_slice(text)
        .map_err(|error| Problem::new(500, "internal", format!("an answer does not fit: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_part_whatever_is_in_it() {
        assert_eq!(part("vm1/shop-web"), "vm1%2Fshop-web");
        assert_eq!(part("stack:shop"), "stack:shop");
        assert_eq!(part("a b?c#d&e=ü%"), "a%20b%3Fc%23d%26e%3D%C3%BC%25");
    }
}
