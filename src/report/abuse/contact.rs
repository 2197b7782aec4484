//! Who is written to: contacts in a stated order, and addresses that nothing is ever written to.

use std::net::IpAddr;

use crate::report::registry::{AnswersFor, Contact, Registry};

/// Mailboxes that are never an abuse desk for somebody's host: those of the registries. A domain stands for all in and below it.
pub const NEVER: [&str; 10] = [
    "ripe.net",
    "arin.net",
    "apnic.net",
    "lacnic.net",
    "afrinic.net",
    "iana.org",
    "icann.org",
    "nic.br",
    "nic.mx",
    "jpnic.ad.jp",
];

/// What looking for a contact gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The first that may be written to.
    pub contact: Option<Contact>,
    /// Those before it, and why each was passed over.
    pub passed: Vec<String>,
}

/// The contact of the smallest network around an address.
#[must_use]
pub fn of_network(registry: &Registry, address: IpAddr) -> Resolved {
    let mut fits: Vec<&Contact> = registry
        .contacts
        .iter()
        .filter(|one| matches!(one.answers_for, AnswersFor::Network(network) if network.contains(&address)))
        .collect();
    let length = |one: &Contact| match one.answers_for {
        AnswersFor::Network(network) => network.prefix_len(),
        AnswersFor::Asn(_) => 0,
    };
    fits.sort_by_key(|one| (std::cmp::Reverse(length(one)), one.origin));
    first(registry, &fits)
}

/// The contact of an AS.
#[must_use]
pub fn of_asn(registry: &Registry, asn: u32) -> Resolved {
    let mut fits: Vec<&Contact> =
        registry.contacts.iter().filter(|one| one.answers_for == AnswersFor::Asn(asn)).collect();
    fits.sort_by_key(|one| one.origin);
    first(registry, &fits)
}

fn first(registry: &Registry, fits: &[&Contact]) -> Resolved {
    let mut resolved = Resolved::default();
    for one in fits {
        let shown = crate::facet::escape_terminal(&one.mail);
        if !is_mail(&one.mail) {
            resolved.passed.push(format!("`{shown}` ({}) is no mail address", one.origin));
        } else if never(registry, &one.mail) {
            resolved.passed.push(format!("{shown} ({}) is on the never-mail list", one.origin));
        } else {
            resolved.contact = Some((*one).clone());
            break;
        }
    }
    resolved
}

fn never(registry: &Registry, mail: &str) -> bool {
    let mail = mail.to_ascii_lowercase();
    let domain = mail.rsplit('@').next().unwrap_or_default();
    let listed = |entry: &str| {
        let entry = entry.trim().trim_start_matches('@').to_ascii_lowercase();
        entry == mail || entry == domain || (!entry.is_empty() && domain.ends_with(&format!(".{entry}")))
    };
    NEVER.iter().any(|entry| listed(entry)) || registry.never_mail.iter().any(|entry| listed(entry))
}

/// True for a plain `local@domain` of ASCII: nothing that could end a header line or name a second recipient.
#[must_use]
pub fn is_mail(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let word = |part: &str, more: &[u8]| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    let labels = domain.split('.').all(|label| word(label, b"-") && !label.starts_with('-') && label.len() <= 63);
    word(local, b".!#$%&'*+/=?^_`{|}~-") && local.len() <= 64 && domain.len() <= 253 && domain.contains('.') && labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::registry::ContactOrigin;

    fn contact(network: &str, origin: ContactOrigin, mail: &str) -> Contact {
        let answers_for = AnswersFor::Network(network.parse().unwrap());
        Contact { answers_for, origin, mail: mail.to_owned(), name: None, source: "test".to_owned() }
    }

    #[test]
    fn the_smallest_network_speaks_first_and_within_it_the_stated_order() {
        let contacts = vec![
            contact("203.0.113.0/24", ContactOrigin::Network, "wide@example.net"),
            contact("203.0.113.0/28", ContactOrigin::Person, "person@example.com"),
            contact("203.0.113.0/28", ContactOrigin::Organisation, "org@example.com"),
        ];
        let registry = Registry { contacts, ..Registry::default() };
        let mail = |address: &str| of_network(&registry, address.parse().unwrap()).contact.map(|one| one.mail);
        assert_eq!(mail("203.0.113.3").as_deref(), Some("person@example.com"));
        assert_eq!(mail("203.0.113.99").as_deref(), Some("wide@example.net"));
        assert_eq!(mail("198.51.100.1"), None);
    }

    #[test]
    fn registries_and_listed_addresses_are_passed_over_with_a_word() {
        let contacts = vec![
            contact("203.0.113.0/24", ContactOrigin::Network, "abuse@RIPE.net"),
            contact("203.0.113.0/24", ContactOrigin::Organisation, "us@mail.reseller.example"),
            contact("203.0.113.0/24", ContactOrigin::Rdap, "a@b.example\r\nBcc: all@c.example"),
            contact("203.0.113.0/24", ContactOrigin::Peering, "noc@example.net"),
        ];
        let registry = Registry { contacts, never_mail: vec!["@reseller.example".to_owned()], ..Registry::default() };
        let resolved = of_network(&registry, "203.0.113.3".parse().unwrap());
        assert_eq!(resolved.contact.unwrap().mail, "noc@example.net");
        assert_eq!(resolved.passed.len(), 3);
        assert!(resolved.passed[2].contains("no mail address") && !resolved.passed[2].contains('\n'));
    }
}
