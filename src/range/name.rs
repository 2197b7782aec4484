//! What is left of a holder's name when legal forms and the words of the trade are taken away: two names with one core
//! are often one holder's ("Aeza Group LLC" and "AEZA INTERNATIONAL LTD").

/// Legal forms: they say nothing about who.
const FORMS: &[&str] = &[
    "ltd",
    "limited",
    "llc",
    "inc",
    "incorporated",
    "corp",
    "corporation",
    "co",
    "company",
    "gmbh",
    "ug",
    "ag",
    "kg",
    "bv",
    "nv",
    "sa",
    "srl",
    "sro",
    "sl",
    "sas",
    "sarl",
    "sasu",
    "spa",
    "ou",
    "oy",
    "oyj",
    "ab",
    "as",
    "aps",
    "uab",
    "sia",
    "doo",
    "dooel",
    "ad",
    "eood",
    "ood",
    "ooo",
    "oao",
    "zao",
    "pjsc",
    "jsc",
    "cjsc",
    "ojsc",
    "plc",
    "pte",
    "pty",
    "pvt",
    "private",
    "fop",
    "lp",
    "llp",
    "kft",
    "bvba",
    "asn",
    "the",
    "sp",
    "zoo",
    "haftungsbeschrankt",
    "trading",
    "tic",
    "sti",
    "ve",
    "ltda",
    "eirl",
];

/// Words of the trade and of geography: shared by strangers.
const TRADE: &[&str] = &[
    "international",
    "group",
    "holding",
    "holdings",
    "network",
    "networks",
    "net",
    "technology",
    "technologies",
    "tech",
    "tehnologii",
    "solutions",
    "solution",
    "services",
    "service",
    "server",
    "servers",
    "cloud",
    "hosting",
    "host",
    "hosted",
    "telecom",
    "telekom",
    "telecommunications",
    "communications",
    "communication",
    "comunicatii",
    "comunications",
    "internet",
    "data",
    "datacenter",
    "datacentre",
    "center",
    "centre",
    "digital",
    "global",
    "online",
    "systems",
    "system",
    "media",
    "web",
    "vps",
    "dedicated",
    "connect",
    "provider",
    "isp",
    "ip",
    "it",
    "ddos",
    "antiddos",
    "protection",
    "security",
    "peering",
    "byoip",
    "clients",
    "hk",
    "ru",
    "us",
    "uk",
    "eu",
    "europe",
    "asia",
    "usa",
    "germany",
    "hong",
    "kong",
    "ap",
    "cn",
    "in",
    "de",
    "nl",
    "bilgi",
    "iletisim",
    "teknolojileri",
    "ticaret",
    "bilisim",
    "and",
    "of",
    "for",
    "is",
    "one",
    "two",
];

/// Words that many strangers begin their names with: alone, or with each other, they set nobody apart ("Euro Telecom" and
/// "Euro Hosting"); beside another word they stay.
const COMMON: &[&str] = &[
    "euro",
    "european",
    "nordic",
    "baltic",
    "russia",
    "russian",
    "ukraine",
    "china",
    "america",
    "american",
    "india",
    "turkey",
    "italia",
    "france",
    "africa",
    "east",
    "west",
    "north",
    "south",
    "city",
    "metro",
    "first",
    "national",
    "university",
    "bank",
    "mobile",
    "wireless",
    "broadband",
    "fiber",
    "fibre",
    "optic",
    "cable",
    "link",
    "line",
    "smart",
    "fast",
    "speed",
    "mega",
    "prime",
    "power",
    "plus",
    "premium",
    "express",
    "universal",
    "united",
    "next",
    "star",
    "alfa",
    "alpha",
    "beta",
    "delta",
    "omega",
    "sigma",
    "virtual",
    "private",
    "secure",
];

/// A core must be at least this long to stand for a name.
const SHORTEST: usize = 4;

/// The words of a name: lower case, letters and digits of any script; dots inside an abbreviation vanish (`S.R.L.`).
fn words(name: &str) -> Vec<String> {
    let plain: String = name.chars().filter(|c| !matches!(c, '.' | '\'' | '"')).flat_map(char::to_lowercase).collect();
    plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The name without legal forms: equal for two spellings of one company. Empty when nothing is left.
///
/// A first word that is a handle (`changway-as Chang Way Technologies`) is left out where a name of two words or more follows.
#[must_use]
pub fn plain_name(name: &str) -> String {
    let name = match name.split_once(' ') {
        Some((handle, rest)) if handle.contains('-') && rest.trim().contains(' ') => rest,
        _ => name,
    };
    words(name).into_iter().filter(|word| !FORMS.contains(&word.as_str())).collect()
}

/// What sets the name apart: neither legal forms nor words of the trade. Empty when too little is left to say anything.
#[must_use]
pub fn core_name(name: &str) -> String {
    let name = match name.split_once(' ') {
        Some((handle, rest)) if handle.contains('-') && rest.trim().contains(' ') => rest,
        _ => name,
    };
    let kept = words(name).into_iter().filter(|word| {
        let plain = word.trim_end_matches(|c: char| c.is_ascii_digit());
        !plain.is_empty() && !FORMS.contains(&plain) && !TRADE.contains(&plain)
    });
    let kept: Vec<String> = kept.collect();
    let core = kept.concat();
    if core.chars().count() < SHORTEST || kept.iter().all(|word| COMMON.contains(&word.as_str())) {
        String::new()
    } else {
        core
    }
}

/// Words by which strangers name networks alike: what it is for, and nobody's name.
const PLACES: &[&str] = &[
    "customer",
    "customers",
    "client",
    "cust",
    "user",
    "users",
    "pool",
    "pools",
    "dynamic",
    "static",
    "dhcp",
    "infra",
    "infrastructure",
    "wan",
    "lan",
    "vlan",
    "adsl",
    "vdsl",
    "dsl",
    "ftth",
    "gpon",
    "broadband",
    "mobile",
    "wireless",
    "cable",
    "residential",
    "business",
    "home",
    "office",
    "corporate",
    "assignment",
    "assigned",
    "allocation",
    "block",
    "range",
    "subnet",
    "space",
    "public",
    "private",
    "reserved",
    "unused",
    "free",
    "test",
    "default",
    "main",
    "core",
    "backbone",
    "loopback",
    "link",
    "links",
    "nat",
    "cgnat",
    "colo",
    "colocation",
    "rack",
    "housing",
    "mgmt",
    "management",
    "kvm",
    "cpe",
    "ipv",
    "inet",
    "legacy",
    "erx",
];

/// Beginnings of the names of registries' entries for space that they do not manage or have not given out.
const PLACEHOLDERS: &[&str] = &["NON-RIPE-NCC-MANAGED", "IANA-", "EU-ZZ-", "ERX-NETBLOCK", "APNIC-ERX", "STUB-"];

/// Whether a network's name is a registry's own for space that is nobody's in it: such an entry holds strangers.
pub(super) fn is_placeholder(name: &str) -> bool {
    let upper = name.trim().to_ascii_uppercase();
    PLACEHOLDERS.iter().any(|one| upper.starts_with(one))
}

/// The stem of a network's name: what is before its last number (`KONTRAST-NET-14` is `KONTRAST-NET`). Empty when too
/// little is left, and where all that is left are words of the trade (`CUSTOMER-NET-14`).
#[must_use]
pub fn netname_stem(name: &str) -> String {
    let upper = name.trim().to_ascii_uppercase();
    let stem = upper.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | '.'));
    let is_common = |word: &str| {
        let plain = word.trim_end_matches(|c: char| c.is_ascii_digit());
        plain.len() < 3 || [FORMS, TRADE, PLACES].iter().any(|words| words.contains(&plain))
    };
    if stem.chars().count() < SHORTEST || words(stem).iter().all(|word| is_common(word)) {
        String::new()
    } else {
        stem.to_owned()
    }
}

/// The registered domain of a host's name, roughly: its last two labels, or three under the likes of `co.uk` and `com.br`.
/// `None` for a name without a dot.
pub(super) fn registered_domain(name: &str) -> Option<String> {
    const SECOND: &[&str] = &["co", "com", "net", "org", "gov", "ac", "edu", "ne", "or", "in-addr"];
    let labels: Vec<&str> = name.trim_end_matches('.').split('.').filter(|label| !label.is_empty()).collect();
    let wide = matches!(labels.as_slice(), [.., second, top] if top.len() == 2 && SECOND.contains(second));
    let from = labels.len().checked_sub(if wide { 3 } else { 2 })?;
    labels.get(from..).map(|labels| labels.join(".").to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_companies_of_one_core_meet_and_strangers_do_not() {
        assert_eq!(core_name("Aeza Group LLC"), core_name("AEZA INTERNATIONAL LTD"));
        assert_eq!(core_name("Contrust Solutions S.R.L."), core_name("Contrust-Solutions"));
        assert_eq!(core_name("UFO Hosting LLC"), "", "three letters set nobody apart");
        assert_eq!(core_name("Global Telecom Group LLC"), "", "words of the trade alone are nobody's");
        assert_eq!(core_name("Euro Telecom GmbH"), "", "any town has one");
        assert_eq!(core_name("Alpha Beispiel Ltd"), "alphabeispiel");
        assert_eq!(plain_name("Global Telecom Group LLC"), plain_name("GLOBAL TELECOM GROUP, L.L.C."));
        assert_eq!(plain_name("changway-as Chang Way Technologies Co. Limited"), "changwaytechnologies");
    }

    #[test]
    fn a_netname_loses_its_number() {
        assert_eq!(netname_stem("Example-Net-14"), "EXAMPLE-NET");
        assert_eq!(netname_stem("NET1"), "");
        for nobodys in ["CUSTOMER-14", "Static-Pool-2", "NETWORK", "RU-CLIENT-NET-20", "HOSTING_7"] {
            assert_eq!(netname_stem(nobodys), "", "{nobodys}");
        }
        assert_eq!(netname_stem("EXAMPLIX-CUSTOMER-2"), "EXAMPLIX-CUSTOMER");
        assert!(is_placeholder("Non-RIPE-NCC-Managed-Address-Block") && !is_placeholder("Stubborn-Net"));
    }
}
