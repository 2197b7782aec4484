//! Integration tests.

mod golden_http;
