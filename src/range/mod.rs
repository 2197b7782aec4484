//! Public files about addresses and networks, read and asked: BGP tables, registry data, deny lists, cloud ranges.
//!
//! In: files that the investigator fetched beforehand, each with the day it speaks of. Out: [`Fact`]s, bounded and
//! streamed, and [`Knowledge`], all facts of a case ready to be asked at a date. Nothing here opens a connection, reads
//! the case or sends.

mod asn;
pub mod behaviour;
pub mod control;
pub mod dataset;
pub mod density;
pub mod fact;
mod flat;
pub mod hazard;
mod held;
mod holder;
mod infer;
mod knowledge;
mod links;
mod name;
mod object;
mod objects;
mod origins;
pub mod pack;
mod peering;
mod rank;
pub mod read;
mod reason;
mod sibling;
mod sorted;
mod span;
mod view;

pub use behaviour::Behaviour;
pub use control::{Control, control};
pub use dataset::{Dataset, DatasetId, Format};
pub use density::Densities;
pub use fact::{Asn, Fact, FactKind, ObjectClass};
pub use hazard::Hazard;
pub use held::{Held, HeldBuilder};
pub use holder::{Sameness, same_as_holder, same_space_holder};
pub use infer::infer;
pub use knowledge::{Knowledge, Neighbour, Role};
pub use links::{Links, Start, links};
pub use name::{core_name, netname_stem, plain_name};
pub use object::peeringdb_desk;
pub use objects::By;
pub use origins::Announced;
pub use peering::{Cone, Peering};
pub use rank::{Candidate, Looked, Ranking, rank, rank_with};
pub use reason::{Link, Reason};
pub use sibling::{Sibling, Siblings, Tie};
pub use sorted::Sorted;
pub use span::AddressRange;
pub use view::{Cell, Neighbourhood, Node, Surroundings, neighbourhood, surroundings};
