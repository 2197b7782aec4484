//! hostkin: from one confirmed bulletproof host to the rest of its provider.
//!
//! A written [`scope`] permits; [`range`] reads public files about who
//! announces, holds and lists addresses; [`target`] puts its services in a seeded order; [`net`] is the only door to the network;
//! [`discover`] finds who answers; [`proto`] speaks and reads, without sockets; [`probe`] decides which conversations a
//! host gets; [`scan`] joins these into a run; [`facet`] names what was read; [`store`] keeps every byte and every facet
//! in one file, each step sealed ([`seal`]); [`evidence`] signs, bundles and verifies; [`link`] weighs shared habits against a background; [`report`] writes it down. [`lab`] is a street of
//! servers with known truth, and [`cli`] joins the stages.

pub mod clock;
pub mod observation;

pub mod scope;
pub mod target;

pub mod facet;
pub mod finding;
pub mod proto;

pub mod range;

pub mod net;

pub mod discover;
pub mod probe;

pub mod seal;
pub mod store;

pub mod scan;

pub mod evidence;

pub mod link;
pub mod report;

pub mod lab;

pub mod cli;
