//! Tests of the whole linkage.
