//! Made-up names. Any likeness to a real company is chance; all domains end in `.example` (RFC 2606).

use super::draw::Draw;

/// A made-up company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct House {
    /// `Northlight Hosting`.
    pub(super) name: String,
    /// `northlight`.
    pub(super) short: String,
    /// `northlight.example`.
    pub(super) domain: String,
}

/// The names of one street.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// The provider that is looked for.
    pub(super) first: House,
    /// The other provider.
    pub(super) second: House,
    /// A content delivery network.
    pub(super) edge: House,
    /// A lawful company with machines of its own.
    pub(super) fleet: House,
    /// The maker of a control panel.
    pub(super) panel: House,
    /// A customer with hosts at both providers.
    pub(super) shop: House,
}

const HEADS: &[&str] = &[
    "North", "Amber", "Grey", "Silver", "Copper", "Winter", "Stone", "Moss", "Cedar", "Harbour", "Ember", "Quartz",
    "Heron", "Larch", "Marsh", "Pewter",
];
const TAILS: &[&str] =
    &["light", "brook", "gate", "field", "haven", "ridge", "cross", "mere", "ford", "wick", "dale", "point"];

impl Names {
    /// The names drawn from `seed`, no two alike.
    pub(super) fn new(seed: u64) -> Self {
        let mut draw = Draw::new(seed, "names");
        let mut heads = HEADS.to_vec();
        let mut tails = TAILS.to_vec();
        draw.shuffle(&mut heads);
        draw.shuffle(&mut tails);
        let mut pairs = heads.into_iter().zip(tails);
        let mut house = |trade: &str| {
            let (head, tail) = pairs.next().unwrap_or(("Some", "where"));
            let word = format!("{head}{tail}");
            let short = word.to_ascii_lowercase();
            House { name: format!("{word} {trade}"), domain: format!("{short}.example"), short }
        };
        Self {
            first: house("Hosting"),
            second: house("Cloud"),
            edge: house("Edge"),
            fleet: house("Dairy"),
            panel: house("Deck"),
            shop: house("Store"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_houses_of_a_street_share_a_name() {
        for seed in 0..50 {
            let Names { first, second, edge, fleet, panel, shop } = Names::new(seed);
            let mut all = [first, second, edge, fleet, panel, shop].map(|house| house.short);
            all.sort();
            assert!(all.windows(2).all(|two| two[0] != two[1]), "seed {seed}");
        }
    }
}
