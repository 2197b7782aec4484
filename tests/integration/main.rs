//! Integration tests.
mod golden_x509;
