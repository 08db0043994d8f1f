//! The table of who may do what, by method and route.

use axum::http::Method;

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nobody,
    /// Any person's token.
    Viewer,
    /// The token of whoever may change stacks.
    Operator,
    /// An administrator's token.
    Admin,
    /// The token of the agent whose host the path names, or an administrator's.
    Agent,
    /// As [`Agent`](Self::Agent), or a viewer's.
    AgentOrViewer,
    /// The token of the agent whose host does the task that the path names, or an administrator's.
    AgentOfTask,
}

/// What a route needs. A route that is not thought of here needs a viewer to read and an administrator for all else.
///
/// Which stacks it may be about is another question: that of the caller's reach.
pub fn needs(method: &Method, route: &str) -> Needs {
    let route = route.strip_prefix("/api/v1").unwrap_or(route);
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match route {
        "/healthz" | "/livez" | "/readyz" => Needs::Nobody,
        // What the API is like is no secret.
        "/docs" | "/docs/style.css" | "/openapi.json" | "/api/openapi.json" => Needs::Nobody,
        // Who logs in, or redeems a code, has nothing else yet.
        "/auth/login" | "/auth/setup" | "/auth/join" => Needs::Nobody,
        _ if route.starts_with("/auth/") => Needs::Viewer,
        // Names of credentials are nobody's business but the administrator's.
        _ if route.starts_with("/tokens") || route.starts_with("/users") => Needs::Admin,
        // What everybody does neither.
        _ if route.starts_with("/audit") => Needs::Admin,
        "/tasks/{id}/renew" | "/tasks/{id}/status" | "/tasks/{id}/secrets" => Needs::AgentOfTask,
        // Whoever is inside a container can do there what he likes.
        "/containers/{id}/exec" => Needs::Operator,
        // What a command is given is for its agent alone.
        "/agents/{id}/streams/{stream}" => Needs::Agent,
        _ if route.starts_with("/agents/{id}/") && reads => Needs::AgentOrViewer,
        _ if route.starts_with("/agents/{id}/") => Needs::Agent,
        _ if reads => Needs::Viewer,
        _ if ["/stacks", "/tasks", "/adoptions", "/orphans", "/secrets"].iter().any(|part| route.starts_with(part)) => {
            Needs::Operator
        }
        _ => Needs::Admin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_thought_of_is_closed() {
        assert_eq!(needs(&Method::GET, "/api/v1/anything"), Needs::Viewer);
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            assert_eq!(needs(&method, "/api/v1/anything"), Needs::Admin, "{method}");
        }
        assert_eq!(needs(&Method::GET, "/api/v1/tokens"), Needs::Admin);
        assert_eq!(needs(&Method::GET, "/api/v1/users/{id}"), Needs::Admin);
        assert_eq!(needs(&Method::GET, "/api/v1/audit"), Needs::Admin);
    }
}
