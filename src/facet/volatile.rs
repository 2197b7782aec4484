//! Header names that come and go between two answers of one server, and so say nothing about its set-up.

/// Version of [`VOLATILE_HEADERS`]. `http.header_order` carries it as `list`; values of different versions do not compare.
pub const VOLATILE_HEADERS_VERSION: i64 = 1;

/// The names left out of `http.header_order`, lower case. Any change makes a new version.
pub const VOLATILE_HEADERS: &[&str] = &[
    "date",
    "content-length",
    "set-cookie",
    "connection",
    "keep-alive",
    "age",
    "expires",
    "transfer-encoding",
    "last-modified",
    "etag",
    "x-request-id",
    "x-trace-id",
    "x-runtime",
    "server-timing",
    "cf-ray",
];

/// True for a name on the list, in any case.
#[must_use]
pub fn is_volatile_header(name: &[u8]) -> bool {
    VOLATILE_HEADERS.iter().any(|one| name.eq_ignore_ascii_case(one.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_hide_a_volatile_name() {
        assert!(is_volatile_header(b"ETag") && is_volatile_header(b"CF-RAY"));
        assert!(!is_volatile_header(b"Server") && !is_volatile_header(b"Date "));
    }

    #[test]
    fn the_list_is_lower_case_and_has_no_name_twice() {
        for (place, name) in VOLATILE_HEADERS.iter().enumerate() {
            assert_eq!(*name, name.to_ascii_lowercase());
            assert!(!VOLATILE_HEADERS[..place].contains(name));
        }
    }
}
