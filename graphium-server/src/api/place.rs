//! Where something is that was made: the value of `Location`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but what RFC 3986 leaves as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path of something by its id, whatever that holds: a header takes no other characters.
pub(super) fn of(list: &str, id: &str) -> String {
    format!("/api/v1/{list}/{}", utf8_percent_encode(id, ENCODED))
}
