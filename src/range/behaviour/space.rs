//! Features of what an AS announces, in one table and from table to table.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use jiff::civil::Date;

use super::Behaviour;
use crate::range::density::Densities;
use crate::range::fact::{Asn, FactKind};
use crate::range::knowledge::Knowledge;

impl Behaviour {
    /// What the newest table of origins tells.
    pub(super) fn space(&mut self, knowledge: &Knowledge, densities: &Densities, date: Option<Date>) {
        #[derive(Default)]
        struct Space {
            v4: Vec<(u32, u8)>,
            all: u32,
            shared: u32,
            seen: Vec<u32>,
        }
        let mut spaces: BTreeMap<Asn, Space> = BTreeMap::new();
        let mut most_seen = 0;
        for found in knowledge.each_announced(date) {
            most_seen = most_seen.max(found.peers_seen.unwrap_or(0));
            for asn in found.origins {
                let space = spaces.entry(*asn).or_default();
                space.all += 1;
                space.shared += u32::from(found.origins.len() > 1 && !found.is_set);
                space.seen.extend(found.peers_seen);
                if let IpNet::V4(net) = found.prefix {
                    space.v4.push((net.network().to_bits(), net.prefix_len()));
                }
            }
        }
        for (asn, mut space) in spaces {
            self.set(asn, "prefixes", f64::from(space.all));
            self.set(asn, "addresses", densities.count(asn).addresses as f64);
            self.set(asn, "shared_origin", f64::from(space.shared) / f64::from(space.all.max(1)));
            if most_seen > 1 && !space.seen.is_empty() {
                space.seen.sort_unstable();
                let median = space.seen.get(space.seen.len() / 2).copied().unwrap_or(0);
                self.set(asn, "visibility", f64::from(median) / f64::from(most_seen));
            }
            let count = space.v4.len() as f64;
            if space.v4.is_empty() {
                continue;
            }
            let nets: Vec<ipnet::Ipv4Net> = space
                .v4
                .iter()
                .filter_map(|(bits, length)| ipnet::Ipv4Net::new((*bits).into(), *length).ok())
                .collect();
            let joined = ipnet::Ipv4Net::aggregate(&nets).len() as f64;
            self.set(asn, "fragmentation", count / joined.max(1.0));
            let small = space.v4.iter().filter(|(_, length)| *length == 24).count() as f64;
            self.set(asn, "share_24", small / count);
            self.set(asn, "mean_length", space.v4.iter().map(|(_, length)| f64::from(*length)).sum::<f64>() / count);
            for (name, shift) in [("spread_8", 24), ("spread_16", 16)] {
                let blocks: BTreeSet<u32> = space.v4.iter().map(|(bits, _)| bits >> shift).collect();
                self.set(asn, name, blocks.len() as f64);
            }
        }
    }

    /// What several tables of origins tell together.
    pub(super) fn history(&mut self, knowledge: &Knowledge, date: Option<Date>) {
        #[derive(Default, Clone, Copy)]
        struct Past {
            tables: u32,
            gone: u32,
            steps: u32,
            churn: f64,
        }
        let tables = knowledge.datasets().filter(|one| one.count(FactKind::Origins) > 0 && one.whole);
        let days: BTreeSet<Date> =
            tables.map(|one| one.date).filter(|day| date.is_none_or(|last| *day <= last)).collect();
        if days.len() < 2 {
            return;
        }
        let mut past: BTreeMap<Asn, Past> = BTreeMap::new();
        let mut before: BTreeMap<Asn, BTreeSet<IpNet>> = BTreeMap::new();
        for day in &days {
            let mut now: BTreeMap<Asn, BTreeSet<IpNet>> = BTreeMap::new();
            for found in knowledge.each_announced(Some(*day)) {
                for asn in found.origins {
                    now.entry(*asn).or_default().insert(found.prefix);
                }
            }
            for (asn, networks) in &now {
                let one = past.entry(*asn).or_default();
                one.tables += 1;
                if let Some(earlier) = before.get(asn) {
                    let both = networks.intersection(earlier).count() as f64;
                    let either = (networks.len() + earlier.len()) as f64 - both;
                    one.steps += 1;
                    one.churn += 1.0 - both / either.max(1.0);
                }
            }
            for asn in before.keys().filter(|asn| !now.contains_key(asn)) {
                past.entry(*asn).or_default().gone += 1;
            }
            before = now;
        }
        let all = days.len() as f64;
        let known: Vec<Asn> = self.values.keys().copied().collect();
        for asn in known {
            let one = past.get(&asn).copied().unwrap_or_default();
            self.set(asn, "uptime", f64::from(one.tables) / all);
            self.set(asn, "gone", f64::from(one.gone));
            if one.steps > 0 {
                self.set(asn, "churn", one.churn / f64::from(one.steps));
            }
        }
    }
}
