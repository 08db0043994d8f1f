//! Where traces go, as the environment says it in the words of OpenTelemetry.

use percent_encoding::percent_decode_str;
use reqwest::{
    Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use std::{fmt, time::Duration};

/// How long a collector may take, unless the environment says otherwise, and at most.
const TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(60);

/// A collector that takes traces over OTLP, as JSON over HTTP.
#[derive(Clone)]
pub struct Target {
    /// Where they are posted: the whole address, mostly with the path `/v1/traces`.
    pub(super) url: Url,
    /// What is sent with them, often a key of the collector's.
    pub(super) headers: HeaderMap,
    /// How long one part of them may take.
    pub(super) timeout: Duration,
}

impl fmt::Debug for Target {
    /// Without the headers and the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("url", &self.shown()).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// What the environment says, and what cannot be done with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {reason}")]
pub struct WrongTarget {
    variable: String,
    reason: String,
}

impl WrongTarget {
    fn new(variable: &str, reason: impl Into<String>) -> Self {
        Self { variable: variable.to_owned(), reason: reason.into() }
    }
}

impl Target {
    /// What variables of the environment say; nothing where they name no collector, or say that there are to be no traces.
    ///
    /// Read are `OTEL_EXPORTER_OTLP_ENDPOINT`, `…_HEADERS`, `…_TIMEOUT` and `…_PROTOCOL`, each after its like for traces alone
    /// (`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` …), `OTEL_TRACES_EXPORTER` and `OTEL_SDK_DISABLED`.
    ///
    /// # Errors
    /// [`WrongTarget`], without the value, which may hold a password.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, WrongTarget> {
        let variable = |name: &str| variable(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let either = |what: &str| {
            let names = [format!("OTEL_EXPORTER_OTLP_TRACES_{what}"), format!("OTEL_EXPORTER_OTLP_{what}")];
            names.into_iter().find_map(|name| variable(&name).map(|text| (name, text)))
        };
        if variable("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        match variable("OTEL_TRACES_EXPORTER").as_deref() {
            None | Some("otlp") => {}
            Some("none") => return Ok(None),
            Some(_) => return Err(WrongTarget::new("OTEL_TRACES_EXPORTER", "is `otlp` or `none` here")),
        }
        let Some((name, endpoint)) = either("ENDPOINT") else { return Ok(None) };
        let url = url(&name, &endpoint)?;
        if let Some((name, protocol)) = either("PROTOCOL")
            && protocol == "grpc"
        {
            let reason =
                "is `grpc`, which this program does not speak: use `http/json`, and the collector's port for HTTP";
            return Err(WrongTarget::new(&name, reason));
        }
        let headers = either("HEADERS").map(|(name, text)| headers(&name, &text)).transpose()?.unwrap_or_default();
        let timeout = match either("TIMEOUT") {
            None => TIMEOUT,
            Some((name, text)) => match text.parse().map(Duration::from_millis) {
                Ok(time) if (Duration::from_millis(1)..=LONGEST).contains(&time) => time,
                _ => return Err(WrongTarget::new(&name, "is a number of milliseconds, from 1 to 60000")),
            },
        };
        Ok(Some(Self { url, headers, timeout }))
    }

    /// The address without a password or a query, for people.
    pub(super) fn shown(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        // They fail for addresses that have no host, which are none here.
        let _ = url.set_password(None);
        let _ = url.set_username("");
        url.into()
    }
}

/// What is said for all kinds of signals gets the path of traces; what is said for traces is taken as it is.
fn url(name: &str, endpoint: &str) -> Result<Url, WrongTarget> {
    let wrong = || WrongTarget::new(name, "is no address like http://localhost:4318");
    let mut url = Url::parse(endpoint).map_err(|_| wrong())?;
    if !["http", "https"].contains(&url.scheme()) || url.host().is_none() {
        return Err(wrong());
    }
    if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
        url.path_segments_mut().map_err(|()| wrong())?.pop_if_empty().extend(["v1", "traces"]);
    }
    Ok(url)
}

/// `name=value,name=value`, the values percent-encoded.
fn headers(name: &str, text: &str) -> Result<HeaderMap, WrongTarget> {
    let wrong = || WrongTarget::new(name, "is a list like `name=value,name=value`, its values percent-encoded");
    let mut headers = HeaderMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(wrong)?;
        let key = HeaderName::from_bytes(key.trim().as_bytes()).map_err(|_| wrong())?;
        let value: Vec<u8> = percent_decode_str(value.trim()).collect();
        let mut value = HeaderValue::from_bytes(&value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.append(key, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<Target>, WrongTarget> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
        Target::of(find)
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");

    #[test]
    fn without_an_address_nothing_is_exported() {
        assert!(of(&[]).unwrap().is_none());
        assert!(of(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).unwrap().is_none());
        assert!(of(&[ENDPOINT, ("OTEL_SDK_DISABLED", "True")]).unwrap().is_none());
        assert!(of(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")]).unwrap().is_none());
    }

    #[test]
    fn the_address_of_all_signals_gets_a_path_and_that_of_traces_none() {
        for (name, text, url) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", "http://c:4318/v1/traces"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c/otlp/", "https://c/otlp/v1/traces"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:4318/in", "http://c:4318/in"),
        ] {
            assert_eq!(of(&[(name, text)]).unwrap().unwrap().url.as_str(), url);
        }
        let both = [ENDPOINT, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces/")];
        assert_eq!(of(&both).unwrap().unwrap().url.as_str(), "http://traces/");
    }

    #[test]
    fn headers_are_sent_and_shown_to_nobody() {
        let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b, authorization=Bearer%20hush");
        let target =
            of(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:hush@c:4318/?key=hush"), headers]).unwrap().unwrap();
        assert_eq!(target.headers["x-key"], "a b");
        assert_eq!(target.headers["authorization"], "Bearer hush");
        for text in [format!("{target:?}"), target.shown()] {
            assert!(!text.contains("hush"), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_is_told_by_the_name_of_its_variable() {
        for (name, text) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:hush"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "file:///hush"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "hush"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "hush"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a b=hush"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=%0Ahush"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "hush"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "60001"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_TRACES_EXPORTER", "hush"),
        ] {
            let error = of(&[(name, text), ENDPOINT]).unwrap_err().to_string();
            assert!(error.starts_with(name) && !error.contains("hush"), "{name}={text}: {error}");
        }
    }
}
