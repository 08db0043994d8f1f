//! What a container and its successor are called while both are there.
//!
//! A successor that is to run first is made as `<name>.NEXT`. When it does its work the old one becomes `<name>.OLD`, the
//! successor takes the name, and the old one goes. Names within stacks have no capitals, so none of these is a container's own.
//!
//! # Example
//! ```
//! use graphium_core::runtime::beside;
//!
//! let successor = beside::next("shop-web");
//! assert_ne!(successor, beside::old("shop-web"));
//! assert_eq!(beside::principal(&successor), Some("shop-web"));
//! assert_eq!(beside::principal(&beside::old("shop-web")), Some("shop-web"));
//! assert_eq!(beside::principal("shop-web"), None);
//! ```

const NEXT: &str = ".NEXT";
const OLD: &str = ".OLD";

/// The name under which the successor of a container is made.
pub fn next(name: &str) -> String {
    [name, NEXT].concat()
}

/// The name of a container that has given its own to its successor.
pub fn old(name: &str) -> String {
    [name, OLD].concat()
}

/// Whose successor or predecessor is called so; nothing, where it is a container's own name.
pub fn principal(name: &str) -> Option<&str> {
    name.strip_suffix(NEXT).or_else(|| name.strip_suffix(OLD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_lead_back_and_no_other_does() {
        assert_eq!((next("shop-web"), old("shop-web")), ("shop-web.NEXT".to_owned(), "shop-web.OLD".to_owned()));
        assert_eq!([next("a"), old("a")].map(|name| principal(&name) == Some("a")), [true, true]);
        assert_eq!(["shop-web", "shop-web.next", "shop-web.old", "NEXT"].map(principal), [None; 4]);
    }
}
