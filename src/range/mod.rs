//! Public files about addresses and networks, read and asked: BGP tables, registry data, deny lists, cloud ranges.
//!
//! In: files that the investigator fetched beforehand, each with the day it speaks of. Out: [`Fact`]s, bounded and
//! streamed, and [`Knowledge`], all facts of a case ready to be asked at a date. Nothing here opens a connection, reads
//! the case or sends.

pub mod dataset;
pub mod fact;
mod infer;
mod knowledge;
mod origins;
pub mod pack;
pub mod read;
mod sorted;
mod span;

pub use dataset::{Dataset, DatasetId, Format};
pub use fact::{Asn, Fact, FactKind, ObjectClass};
pub use infer::infer;
pub use knowledge::{By, Held, HeldBuilder, Knowledge, Neighbour, Role};
pub use origins::Announced;
pub use sorted::Sorted;
pub use span::AddressRange;
