//! A hunt: which hosts need not be captured in full, because they differ from every seed.
//!
//! The rule. Services are asked in one order, fixed for the run ([`order`]). A service is *like* a seed's when it shows
//! one of the seed's looks ([`template`]), *differs* when settled answers contradict all of them, and decides nothing
//! when nobody is there. [`By`] says which services speak for a host; by [`By::Each`], the default, it is ruled out only
//! when its TLS and its SSH both differ, as far as it offers them. A host that is like any seed, or of which time-outs
//! leave it open, is captured in full: a time-out is never a mismatch.
//!
//! Everything here is pure and can be written down with the run's plan.

pub mod order;
pub mod template;

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use order::Background;
pub use template::{Answer, SeedFacts, ServiceFacts, Shown, Template, has_own_issuer, leaf_of};

use super::Want;
use crate::facet::Labels;
use crate::observation::Speech;

/// What a hunt can go by, one kind of service each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Telling {
    /// JARM, certificate keys and issuers, of TLS services.
    Jarm,
    /// Host keys and algorithm lists.
    Ssh,
    /// Header order and `Server`, in clear.
    Http,
}

impl Telling {
    /// All.
    pub const ALL: [Self; 3] = [Self::Jarm, Self::Ssh, Self::Http];

    /// The stable word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jarm => "jarm",
            Self::Ssh => "ssh",
            Self::Http => "http",
        }
    }
}

/// Which services speak for a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The first in order that it offers.
    First,
    /// TLS and SSH, each that it offers: it is ruled out only when both differ. HTTP speaks where neither does.
    Each,
    /// All that it offers: it is ruled out only when each differs.
    Any,
}

impl By {
    /// True when this kind of service speaks for a host even where another has told it apart from the seed already.
    fn adds(self, telling: Telling) -> bool {
        match self {
            Self::First => false,
            Self::Each => telling != Telling::Http,
            Self::Any => true,
        }
    }
}

/// A hunt as it is carried through a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hunt {
    /// Which services speak for a host.
    pub by: By,
    /// What was asked to go first, if anything was.
    pub lead: Option<Telling>,
    /// The order in which kinds of services are asked.
    pub services: Vec<Telling>,
    /// The order of JARM's probes.
    pub jarm_order: [u8; 10],
    /// The seeds that tell something.
    pub seeds: Vec<Template>,
    /// Seeds of which nothing telling is on record: the hunt cannot look for them.
    pub unseen: Vec<String>,
}

impl Hunt {
    /// The hunt for these seeds; `None` when nothing telling is on record of any of them.
    #[must_use]
    pub fn new(
        seeds: &[SeedFacts],
        want: Want,
        by: By,
        lead: Option<Telling>,
        labels: &Labels,
        background: &Background,
    ) -> Option<Self> {
        let wanted = |telling: Telling| match telling {
            Telling::Jarm => want.jarm,
            Telling::Ssh => want.ssh,
            Telling::Http => want.http,
        };
        let (mut told, mut unseen) = (Vec::new(), Vec::new());
        for seed in seeds {
            let mut template = Template::of(seed, labels, background);
            if !want.cert {
                template.cert.clear();
            }
            if by == By::Each {
                template.drop_stock();
            }
            if Telling::ALL.into_iter().any(|telling| wanted(telling) && template.tells(telling.speech())) {
                told.push(template);
            } else {
                unseen.push(template.seed);
            }
        }
        let (jarm_order, hellos) = order::probes(&told, labels, background);
        let mut services = order::services(&told, background, hellos);
        services.retain(|telling| wanted(*telling));
        // Stable, so that the others keep their order.
        services.sort_by_key(|telling| by == By::Each && !by.adds(*telling));
        if let Some(lead) = lead {
            services.sort_by_key(|telling| *telling != lead);
        }
        (!services.is_empty()).then_some(Self { by, lead, services, jarm_order, seeds: told, unseen })
    }

    /// The seeds' names: a run is continued only by a hunt for the same.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        self.seeds.iter().map(|seed| seed.seed.as_str()).chain(self.unseen.iter().map(String::as_str)).collect()
    }

    /// True for the address of a seed: those are always captured in full.
    #[must_use]
    pub fn is_seed(&self, address: IpAddr) -> bool {
        let address = address.to_string();
        self.unseen.contains(&address) || self.seeds.iter().any(|seed| seed.seed == address)
    }

    /// Compares what one service has shown so far with every seed.
    #[must_use]
    pub fn compare(&self, shown: &Shown) -> Vec<Answer> {
        self.seeds.iter().map(|seed| seed.compare(shown)).collect()
    }

    /// The answers of a service that discovery saw refused.
    #[must_use]
    pub fn refused(&self, speech: Speech) -> Vec<Answer> {
        let answer = |seed: &Template| if seed.tells(speech) { Answer::Absent } else { Answer::Nothing };
        self.seeds.iter().map(answer).collect()
    }

    /// True when no further hello can tell, but a certificate that no answer has shown yet could.
    #[must_use]
    pub fn lacks_leaf(&self, shown: &Shown) -> bool {
        let open = |seed: &&Template| seed.compare(shown) == Answer::Open;
        let mut open = self.seeds.iter().filter(open).peekable();
        open.peek().is_some() && open.all(|seed| seed.lacks_leaf(shown))
    }
}

/// What a hunt makes of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is like a seed.
    Like,
    /// It differs from every seed, or refuses the services by which one could be told.
    RuledOut,
    /// Neither: nothing decided, or time ran out.
    Open,
}

/// What is known of one host while it is being asked: which seeds it can still be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    by: By,
    seeds: Vec<Fate>,
}

/// One seed as seen from one host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of what its services came to")]
struct Fate {
    like: bool,
    open: bool,
    differs: bool,
    absent: bool,
}

impl Standing {
    /// Nothing is known.
    #[must_use]
    pub fn new(hunt: &Hunt) -> Self {
        Self { by: hunt.by, seeds: vec![Fate::default(); hunt.seeds.len()] }
    }

    /// Takes in what all services of one kind answered in the end: for each service one answer per seed.
    pub fn hear(&mut self, telling: Telling, services: &[Vec<Answer>]) {
        for (place, fate) in self.seeds.iter_mut().enumerate() {
            if !self.by.adds(telling) && (fate.differs || fate.open) {
                continue;
            }
            let has = |wanted| services.iter().any(|answers| answers.get(place) == Some(&wanted));
            fate.like |= has(Answer::Like);
            fate.open |= has(Answer::Open);
            // One service that is like the seed's, or may be, stands against any that differ.
            fate.differs |= has(Answer::Differs);
            fate.absent |= has(Answer::Absent);
        }
    }

    /// What is settled before all was asked: `None` when more must be asked. `rest`: what was not asked yet.
    #[must_use]
    pub fn so_far(&self, rest: &[Telling]) -> Option<Verdict> {
        let verdict = self.verdict();
        let settled = match verdict {
            Verdict::Like => true,
            // A service that is not there leaves the word to the next.
            Verdict::RuledOut => {
                self.seeds.iter().all(|fate| fate.differs) && !rest.iter().any(|telling| self.by.adds(*telling))
            }
            // Time-outs keep the host whatever the rest says.
            Verdict::Open => self.seeds.iter().any(|fate| fate.open),
        };
        settled.then_some(verdict)
    }

    /// What the host is when nothing more can be asked.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.seeds.iter().any(|fate| fate.like) {
            return Verdict::Like;
        }
        let out = |fate: &Fate| (fate.differs || fate.absent) && !fate.open;
        if !self.seeds.is_empty() && self.seeds.iter().all(out) { Verdict::RuledOut } else { Verdict::Open }
    }
}

#[cfg(test)]
mod tests;
