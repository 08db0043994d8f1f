//! Somebody with a browser, as far as a test needs none: one who keeps a cookie and fills in forms.

use crate::bed::Bed;
use reqwest::{Method, RequestBuilder, Response, redirect::Policy};
use std::time::Duration;

pub struct Visitor {
    http: reqwest::Client,
    url: String,
    pub cookie: Option<String>,
}

impl Visitor {
    /// One who has not logged in.
    pub fn of(bed: &Bed) -> Self {
        Self::at(&bed.server.url())
    }

    /// The same, at the address of a server.
    pub fn at(url: &str) -> Self {
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .timeout(Duration::from_secs(20))
            // Of a server's own certificate a browser asks whoever sits before it.
            .tls_danger_accept_invalid_certs(true)
            .build()
            .unwrap();
        Self { http, url: url.to_owned(), cookie: None }
    }

    /// One who has.
    pub async fn with(bed: &Bed, token: &str) -> Self {
        let mut visitor = Self::of(bed);
        let answer = visitor.post("/web/login", &[("token", token)]).await;
        assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
        visitor.cookie = Some(cookie_of(&answer));
        visitor
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// A page that is there.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    /// The word that forms of this session bear.
    pub async fn csrf(&self) -> String {
        let page = self.page("/web/").await;
        between(&page, "data-csrf=\"", "\"").to_owned()
    }

    /// A form as it stands there.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        filled(self.request(Method::POST, path), fields).send().await.unwrap()
    }

    /// A form of a page of ours.
    pub async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let csrf = self.csrf().await;
        self.post(path, &[&[("csrf", csrf.as_str())], fields].concat()).await
    }
}

/// A request with a form that was filled in.
pub fn filled(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    request.header("content-type", "application/x-www-form-urlencoded").body(body)
}

/// Name and value of the cookie that an answer sets.
pub fn cookie_of(answer: &Response) -> String {
    let set = answer.headers()["set-cookie"].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

pub fn place_of(answer: &Response) -> String {
    answer.headers()["location"].to_str().unwrap().to_owned()
}

/// What stands between two texts.
pub fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let start = text.find(before).unwrap_or_else(|| panic!("no {before} in {text}")) + before.len();
    let end = text[start..].find(after).unwrap_or_else(|| panic!("no {after} after {before}"));
    &text[start..start + end]
}
