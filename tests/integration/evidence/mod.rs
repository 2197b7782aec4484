//! Evidence: what is sealed verifies, whatever is changed is found and named, and what is erased is gone.

mod case;
mod erase;
mod stamp;
mod tamper;
mod tar;
