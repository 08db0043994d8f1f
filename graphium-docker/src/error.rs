//! Bollard's errors, mapped once.

use bollard::errors::Error;
use graphium_core::runtime::RuntimeError;

/// What came back instead of an answer.
///
/// The steps of an operation look at the status number; what leaves this crate is a [`RuntimeError`].
#[derive(Debug)]
pub(crate) enum Fault {
    /// The engine answered with an error of its own.
    Status {
        /// The HTTP status.
        code: u16,
        /// The engine's words.
        message: String,
    },
    /// Everything else.
    Other(RuntimeError),
}

impl Fault {
    /// Sorts an error of bollard's. A failure to talk at all is [`RuntimeError::Unreachable`].
    pub(crate) fn new(error: Error, endpoint: &dyn std::fmt::Display) -> Self {
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                Self::Status { code: status_code, message: message.trim().to_owned() }
            }
            Error::DockerStreamError { error } => Self::Status { code: 500, message: error },
            Error::SocketNotFoundError(path) => Self::Other(RuntimeError::Unreachable {
                endpoint: endpoint.to_string(),
                reason: format!("there is no socket at {path}"),
            }),
            Error::HyperLegacyError { .. } | Error::HyperResponseError { .. } | Error::IOError { .. } => {
                Self::Other(RuntimeError::Unreachable { endpoint: endpoint.to_string(), reason: root_cause(&error) })
            }
            // A request that cannot even be written: asking again changes nothing.
            Error::InvalidURIError { .. } | Error::URLParseError { .. } | Error::HttpClientError { .. } => {
                Self::Other(RuntimeError::Refused(error.to_string()))
            }
            other => Self::Other(RuntimeError::Failed(other.to_string())),
        }
    }

    /// Whether the engine answered with this status.
    pub(crate) fn is(&self, status: u16) -> bool {
        matches!(self, Self::Status { code, .. } if *code == status)
    }

    /// As the outcome of something that needs an image, which may be what is missing.
    pub(crate) fn about_image(self, image: &str) -> RuntimeError {
        match self {
            Self::Status { code, message } if no_such_image(code, &message) => {
                RuntimeError::ImageNotFound { image: image.to_owned(), reason: message }
            }
            other => other.into(),
        }
    }
}

impl From<RuntimeError> for Fault {
    fn from(error: RuntimeError) -> Self {
        Self::Other(error)
    }
}

impl From<Fault> for RuntimeError {
    fn from(fault: Fault) -> Self {
        let (code, message) = match fault {
            Fault::Other(error) => return error,
            Fault::Status { code, message } => (code, message),
        };
        match code {
            // A port that cannot be bound comes as 500, from two places of the engine.
            _ if message.contains("port is already allocated") || message.contains("address already in use") => {
                Self::PortTaken { reason: message }
            }
            // More than it will do now (500), or against what somebody has set by hand (409): it stays as it was.
            _ if message.to_ascii_lowercase().contains("cannot update container") => Self::Refused(message),
            // A network that is in use comes as 403, a volume or container as 409.
            _ if message.contains("has active endpoints") => Self::InUse(message),
            409 => Self::InUse(message),
            404 => Self::NotFound(message),
            // Busy, as registries and proxies say it.
            408 | 429 => Self::Failed(message),
            400..=499 => Self::Refused(message),
            _ => Self::Failed(message),
        }
    }
}

/// Whether the engine or its registry says that an image is not to be had. What comes within the stream of a pull
/// bears no number of its own, so there the words decide.
fn no_such_image(code: u16, message: &str) -> bool {
    const SAID_BY: [&str; 11] = [
        "No such image",
        "pull access denied",
        "manifest unknown",
        "not found: manifest",
        "no matching manifest",
        "does not match the specified platform",
        "unauthorized",
        "authentication required",
        // Of the engine itself, where a registry asks who it is and it has no login.
        "no basic auth credentials",
        "name unknown",
        // Of a registry, or a proxy before it, that answers in words of its own.
        "parsing HTTP 404 response",
    ];
    // The engine passes a registry's own word on as 500; with 403 it would be that of a plugin of the engine.
    let is_denied = code == 500 && message.contains(": denied");
    is_denied || matches!(code, 401 | 403 | 404 | 500) && SAID_BY.iter().any(|words| message.contains(words))
}

/// The words of the operating system, which lie under those of three libraries.
fn root_cause(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    // Bollard's own wrappers are transparent, so the chain may begin anywhere.
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(code: u16, message: &str) -> RuntimeError {
        Fault::Status { code, message: message.to_owned() }.about_image("web:1")
    }

    #[test]
    fn statuses_and_words_of_the_engine_become_kinds() {
        let port = "driver failed programming external connectivity on endpoint a: Bind for 0.0.0.0:80 failed: port is already allocated";
        assert!(matches!(mapped(500, port), RuntimeError::PortTaken { .. }));
        let bind = "listen tcp4 0.0.0.0:80: bind: address already in use";
        assert!(matches!(mapped(500, bind), RuntimeError::PortTaken { .. }));
        assert!(matches!(mapped(404, "No such image: web:1"), RuntimeError::ImageNotFound { .. }));
        assert!(matches!(mapped(404, "network shop not found"), RuntimeError::NotFound(_)));
        assert!(matches!(mapped(403, "network shop id ab has active endpoints"), RuntimeError::InUse(_)));
        assert!(matches!(mapped(409, "remove v: volume is in use - [ab]"), RuntimeError::InUse(_)));
        assert!(matches!(mapped(400, "invalid mount config"), RuntimeError::Refused(_)));
        let in_use = "Cannot update container ab: runc did not terminate successfully: unable to set memory limit to 8";
        assert!(matches!(mapped(500, in_use), RuntimeError::Refused(_)));
        assert!(matches!(mapped(429, "toomanyrequests"), RuntimeError::Failed(_)));
        assert!(matches!(mapped(500, "no space left on device"), RuntimeError::Failed(_)));
    }

    #[test]
    fn a_registry_that_denies_is_told_from_one_that_is_away() {
        let denied = "pull access denied for web, repository does not exist or may require 'docker login'";
        assert!(matches!(mapped(404, denied), RuntimeError::ImageNotFound { .. }));
        assert!(matches!(
            mapped(500, "manifest for web:1 not found: manifest unknown"),
            RuntimeError::ImageNotFound { .. }
        ));
        for said in [
            "name unknown",
            "Head \"https://reg/v2/web/manifests/1\": no basic auth credentials",
            "Head \"https://reg/v2/web/manifests/1\": unauthorized: authentication required",
            "repository reg:5000/web not found: name unknown: repository name not known to registry",
            "error parsing HTTP 404 response body: invalid character '<' looking for beginning of value: \"<html>\"",
            "Head \"https://reg/v2/web/manifests/1\": denied",
            "Get \"https://reg/v2/web/manifests/1\": denied: requested access to the resource is denied",
        ] {
            assert!(matches!(mapped(500, said), RuntimeError::ImageNotFound { .. }), "{said}");
        }
        let denied_by_the_host = "open /var/lib/docker/tmp/GetImageBlob1: permission denied";
        assert!(matches!(mapped(500, denied_by_the_host), RuntimeError::Failed(_)));
        let away = "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host";
        assert!(matches!(mapped(500, away), RuntimeError::Failed(_)));
    }
}
