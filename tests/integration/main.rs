//! Integration tests.

mod golden_jarm;
