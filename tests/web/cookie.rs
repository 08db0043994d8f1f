//! The cookie: encrypted where the browser's connection is, and good for the page alone.

use crate::{
    bed::{Bed, stack},
    visitor::{Visitor, cookie_of, filled},
};
use graphium_core::{agent::AgentLink as _, runtime::label};
use graphium_server::{ServerOptions, start, tls::Certificate};
use reqwest::{Method, Response};
use serde_json::json;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{self, client::IntoClientRequest as _, http::HeaderValue},
};

/// The attributes of the cookie that an answer sets.
fn attributes(answer: &Response) -> Vec<String> {
    let set = answer.headers()["set-cookie"].to_str().unwrap();
    set.split("; ").skip(1).map(str::to_owned).collect()
}

/// Logs in and out again, by what another program before the server says of the connection.
async fn in_and_out(mut visitor: Visitor, token: &str, proto: Option<&str>) -> [Vec<String>; 2] {
    let post = |visitor: &Visitor, path: &str| match proto {
        Some(proto) => visitor.request(Method::POST, path).header("x-forwarded-proto", proto),
        None => visitor.request(Method::POST, path),
    };
    let entered = filled(post(&visitor, "/web/login"), &[("token", token)]).send().await.unwrap();
    assert_eq!(entered.status(), 303);
    visitor.cookie = Some(cookie_of(&entered));
    let csrf = visitor.csrf().await;
    let left = filled(post(&visitor, "/web/logout"), &[("csrf", &csrf)]).send().await.unwrap();
    assert_eq!(left.status(), 303);
    [attributes(&entered), attributes(&left)]
}

#[tokio::test]
async fn the_cookie_is_secure_where_the_connection_is_encrypted_here_or_before_the_server() {
    let bed = Bed::new().await;
    for (proto, is_secure) in [(None, false), (Some("http"), false), (Some("https"), true)] {
        for set in in_and_out(Visitor::of(&bed), &bed.token, proto).await {
            assert_eq!(set.contains(&"Secure".to_owned()), is_secure, "{proto:?}: {set:?}");
            assert!(set.contains(&"HttpOnly".to_owned()) && set.contains(&"SameSite=Strict".to_owned()), "{set:?}");
        }
    }

    let data = bed.folder().join("encrypted");
    let certificate = Certificate::own(&data, &["localhost".to_owned()], &[]).unwrap();
    let options = ServerOptions {
        notes: None,
        certificate: Some(certificate),
        ..ServerOptions::new("127.0.0.1:0".parse().unwrap(), "memory:", &data)
    };
    let server = start(options).await.unwrap();
    let token = std::fs::read_to_string(server.admin_token_file()).unwrap().trim().to_owned();
    // Whatever is said in front of it: it knows that its own connections are encrypted.
    for proto in [None, Some("http")] {
        for set in in_and_out(Visitor::at(&server.url()), &token, proto).await {
            assert!(set.contains(&"Secure".to_owned()), "{proto:?}: {set:?}");
        }
    }
    server.shutdown().await;
}

#[tokio::test]
async fn the_cookie_alone_opens_no_socket() {
    let bed = Bed::new().await;
    let (vm1, grant) = bed.host("vm1").await;
    bed.deploy(&stack("shop", "vm1")).await;
    let web = json!({"@id": "id-of-web", "name": "shop-web", "hostedOn": "vm1",
        "labels": {label::MANAGED: "true", label::STACK: "stack:shop"}});
    let mut seen = crate::bed::report("vm1", grant.session.epoch);
    seen.containers = Some(serde_json::from_value(json!([web])).unwrap());
    vm1.observe(&seen).await.unwrap();
    let visitor = Visitor::with(&bed, &bed.token).await;
    let cookie = HeaderValue::from_str(visitor.cookie.as_ref().unwrap()).unwrap();
    let (http, ws) = (bed.server.url(), bed.server.url().replace("http", "ws"));
    for path in ["/api/v1/ws", "/api/v1/ws/graph", "/api/v1/containers/vm1%2Fshop-web/exec"] {
        for origin in ["https://evil.example", http.as_str()] {
            let mut request = format!("{ws}{path}").into_client_request().unwrap();
            request.headers_mut().insert("cookie", cookie.clone());
            request.headers_mut().insert("origin", HeaderValue::from_str(origin).unwrap());
            let refused = connect_async(request).await.map(|_open| ()).unwrap_err();
            let tungstenite::Error::Http(answer) = refused else { panic!("{path} from {origin}: {refused}") };
            assert_eq!(answer.status(), 401, "{path} from {origin}");
        }
        // With a token it opens: nothing but that was missing.
        connect_async(format!("{ws}{path}?access_token={}", bed.token)).await.unwrap();
    }
}
