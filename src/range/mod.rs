//! Public files about addresses and networks, read and asked: BGP tables, registry data, deny lists, cloud ranges.
//!
//! In: files that the investigator fetched beforehand, each with the day it speaks of. Out: [`Fact`]s, bounded and
//! streamed, and [`Knowledge`], all facts of a case ready to be asked at a date. Nothing here opens a connection, reads
//! the case or sends.

mod asn;
pub mod dataset;
pub mod fact;
mod held;
mod infer;
mod knowledge;
mod object;
mod objects;
mod origins;
pub mod pack;
pub mod read;
mod sorted;
mod span;

pub use dataset::{Dataset, DatasetId, Format};
pub use fact::{Asn, Fact, FactKind, ObjectClass};
pub use held::{Held, HeldBuilder};
pub use infer::infer;
pub use knowledge::{Knowledge, Neighbour, Role};
pub use objects::By;
pub use origins::Announced;
pub use sorted::Sorted;
pub use span::AddressRange;
