//! Names that an engine takes.

/// A label of DNS is no longer, and names become host names.
const LONGEST: usize = 63;

/// Whether the name can be used as it is.
pub(super) fn is_usable(name: &str) -> bool {
    name.len() <= LONGEST
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'))
}

/// The nearest usable name: lower case, one `-` for each run of anything else; `None` where nothing is left.
pub(super) fn slug(name: &str) -> Option<String> {
    let mut slug = String::with_capacity(name.len());
    for character in name.chars() {
        let character = character.to_ascii_lowercase();
        let fits = character.is_ascii_lowercase() || character.is_ascii_digit();
        if fits || matches!(character, '_' | '.') && !slug.is_empty() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches(['-', '_', '.']).to_owned();
    is_usable(&slug).then_some(slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_usable_and_stable() {
        let cases = [
            ("My Shop", Some("my-shop")),
            ("  a  b ", Some("a-b")),
            ("web_1.x", Some("web_1.x")),
            ("-x-", Some("x")),
            ("Größe", Some("gr-e")),
            ("日本", None),
            ("", None),
        ];
        for (name, expected) in cases {
            assert_eq!(slug(name).as_deref(), expected, "{name}");
            assert!(slug(name).is_none_or(|slugged| slug(&slugged) == Some(slugged.clone())));
        }
        assert_eq!(slug(&"x".repeat(64)), None);
    }
}
