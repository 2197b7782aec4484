//! What the features are, and what a value and a score are.

/// A feature: its stable word, what it is in plain words, and which end of it is the unusual one.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Stable word, in JSON.
    pub name: &'static str,
    /// In plain words.
    pub words: &'static str,
    /// `Some(true)`: high values speak for a shifting, leased network; `Some(false)`: low ones; `None`: not part of the score.
    pub high: Option<bool>,
}

const fn about(name: &'static str, words: &'static str, high: Option<bool>) -> About {
    About { name, words, high }
}

/// All features, in the order of values.
pub const FEATURES: [About; 24] = [
    about("prefixes", "networks it announces", None),
    about("addresses", "IPv4 addresses it announces", None),
    about("fragmentation", "networks announced for each that would do, were neighbours joined", Some(true)),
    about("share_24", "share of its networks that are as small as can be (256 addresses)", Some(true)),
    about("mean_length", "mean prefix length of its IPv4 networks", None),
    about("spread_8", "blocks of 16 million addresses that its networks are strewn over", Some(true)),
    about("spread_16", "blocks of 65,536 addresses that its networks are strewn over", None),
    about("shared_origin", "share of its networks that another AS announces too", None),
    about("visibility", "share of the observers on file that see its networks (median)", Some(false)),
    about("churn", "share of its networks that changed from one table on file to the next", Some(true)),
    about("uptime", "share of the tables on file in which it announces anything", Some(false)),
    about("gone", "times it vanished between two tables on file", Some(true)),
    about("registries", "regional registries that its addresses come from", Some(true)),
    about("top_registry", "share of its networks from its commonest registry", Some(false)),
    about("countries", "countries that its addresses are registered in", Some(true)),
    about("providers", "upstreams on file", None),
    about("customers", "customers on file", None),
    about("provider_churn", "share of its upstreams that changed from one table on file to the next", Some(true)),
    about("link_stability", "share of its upstreams ever on file that are in four of five tables or more", Some(false)),
    about("provider_listed", "share of its upstreams' other customers that are listed (mean)", Some(true)),
    about("provider_size", "size of its upstreams, as the mean logarithm of the ASes behind them", Some(false)),
    about(
        "leased",
        "share of its addresses that the registry records for another organisation than its own",
        Some(true),
    ),
    about("age_days", "days since its number was given out", Some(false)),
    about("enabler", "how much more often walks up from listed ASes pass it than walks from all; 1 is usual", None),
];

/// One value of an AS.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// The value.
    pub value: f64,
    /// Share of ASes of like size with a lower value, counting half of those with the same, 0 to 1; `None` where fewer than
    /// [`super::FEWEST`] have one.
    pub percentile: Option<f64>,
}

/// The combined score and what it is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Mean of the percentiles that count, each turned so that 1 is the unusual end.
    pub score: f64,
    /// Features that took part.
    pub features: usize,
    /// ASes that have a score.
    pub ases: usize,
    /// Of these, ASes that are listed by name or announce a listed network: the base rate.
    pub listed: usize,
    /// Listed ASes that score as high or higher.
    pub listed_as_high: usize,
    /// ASes that nobody lists and that score as high or higher: innocents, as far as anybody knows.
    pub unlisted_as_high: usize,
}
