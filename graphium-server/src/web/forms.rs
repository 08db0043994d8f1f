//! What forms say.

use super::call::part;

/// The fields of a form that was sent, or of a query.
#[derive(Clone, Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `a=1&b=2`.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// A field as it was sent; empty where it was not.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// A field that says something.
    pub(super) fn some(&self, name: &str) -> Option<&str> {
        Some(self.text(name).trim()).filter(|text| !text.is_empty())
    }

    /// What a field lists, with commas or spaces in between.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let all = self.text(name).split([',', ' ', '\t', '\r', '\n']);
        all.filter(|one| !one.is_empty()).map(str::to_owned).collect()
    }

    /// Whether a box was ticked.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.some(name).is_some()
    }
}

/// A query of those that say something; with its question mark, or nothing at all.
pub(super) fn query<'a>(fields: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let said = fields.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", part(value?))));
    let said: Vec<String> = said.collect();
    if said.is_empty() { String::new() } else { format!("?{}", said.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_queries_written() {
        let form = Form::parse(b"document=%7B%7D%0A&key=a+b&empty=");
        assert_eq!((form.text("document"), form.some("key"), form.some("empty")), ("{}\n", Some("a b"), None));
        assert!(form.is_set("key") && !form.is_set("none"));
        assert_eq!(Form::parse(b"stacks=shop,+blog%0A").list("stacks"), ["shop", "blog"]);
        assert_eq!(query([("a", Some("x/y")), ("b", None)]), "?a=x%2Fy");
        assert_eq!(query([("b", None)]), "");
    }
}
