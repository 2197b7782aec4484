//! Host key algorithms: the names a server offers, the type of key each shows, and which of them we can verify.
//!
//! Several names show one key: `rsa-sha2-512`, `rsa-sha2-256` and `ssh-rsa` differ only in the signature. A key is asked
//! for once.

use super::wire::names;

/// Longest name that counts ([RFC 4251 section 6](https://www.rfc-editor.org/rfc/rfc4251#section-6)).
const MAX_NAME: usize = 64;
/// Most key types of one server that are looked at.
const MAX_TYPES: usize = 32;

/// `(name in KEXINIT, type in the key blob, whether we can verify its signatures)`.
const ALGORITHMS: &[(&str, &str, bool)] = &[
    ("ssh-ed25519", "ssh-ed25519", true),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", true),
    ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", true),
    ("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", true),
    ("rsa-sha2-512", "ssh-rsa", true),
    ("rsa-sha2-256", "ssh-rsa", true),
    ("ssh-rsa", "ssh-rsa", true),
    ("ssh-rsa-sha224@ssh.com", "ssh-rsa", false),
    ("ssh-rsa-sha256@ssh.com", "ssh-rsa", false),
    ("ssh-rsa-sha384@ssh.com", "ssh-rsa", false),
    ("ssh-rsa-sha512@ssh.com", "ssh-rsa", false),
    ("ssh-dss", "ssh-dss", true),
    ("sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519@openssh.com", true),
    ("sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", true),
    ("ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519-cert-v01@openssh.com", true),
    ("ecdsa-sha2-nistp256-cert-v01@openssh.com", "ecdsa-sha2-nistp256-cert-v01@openssh.com", true),
    ("ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp384-cert-v01@openssh.com", true),
    ("ecdsa-sha2-nistp521-cert-v01@openssh.com", "ecdsa-sha2-nistp521-cert-v01@openssh.com", true),
    ("rsa-sha2-512-cert-v01@openssh.com", "ssh-rsa-cert-v01@openssh.com", true),
    ("rsa-sha2-256-cert-v01@openssh.com", "ssh-rsa-cert-v01@openssh.com", true),
    ("ssh-rsa-cert-v01@openssh.com", "ssh-rsa-cert-v01@openssh.com", true),
    ("ssh-dss-cert-v01@openssh.com", "ssh-dss-cert-v01@openssh.com", true),
    ("sk-ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com", true),
    ("sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", true),
];

/// How many types of key can be asked for: one connection each.
pub const KEY_TYPES: u64 = 16;

/// What ends the type of a certificate.
pub(super) const CERTIFICATE: &[u8] = b"-cert-v01@openssh.com";

/// One type of key that a server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyType<'a> {
    /// The type as in the key blob; for an unknown algorithm its own name.
    pub(super) blob: &'a [u8],
    /// The first name offered for it.
    pub(super) offered_as: &'a [u8],
    /// The first name offered for it that we can verify.
    pub(super) ask_as: Option<&'a [u8]>,
}

/// The type of key that an algorithm shows; the name itself when it is unknown.
pub(super) fn blob_type(name: &[u8]) -> &[u8] {
    known(name).map_or(name, |(_, blob, _)| blob.as_bytes())
}

fn known(name: &[u8]) -> Option<&'static (&'static str, &'static str, bool)> {
    ALGORITHMS.iter().find(|(known, _, _)| known.as_bytes() == name)
}

/// The key types in a server's host key list, in its order, each once.
pub(super) fn key_types(list: &[u8]) -> Vec<KeyType<'_>> {
    let mut types: Vec<KeyType<'_>> = Vec::new();
    for name in names(list).filter(|name| name.len() <= MAX_NAME) {
        let blob = blob_type(name);
        let ask_as = known(name).filter(|(_, _, ours)| *ours).map(|_| name);
        if let Some(seen) = types.iter_mut().find(|seen| seen.blob == blob) {
            seen.ask_as = seen.ask_as.or(ask_as);
        } else if types.len() < MAX_TYPES {
            types.push(KeyType { blob, offered_as: name, ask_as });
        }
    }
    types
}

/// What the first connection asks for: the first type we can verify, in the server's order, plain keys before
/// certificates.
pub(super) fn first_choice(list: &[u8]) -> Option<&[u8]> {
    let types = key_types(list);
    let ask = |certificates: bool| {
        types.iter().filter(|one| one.blob.ends_with(CERTIFICATE) == certificates).find_map(|one| one.ask_as)
    };
    ask(false).or_else(|| ask(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_types_is_that_of_the_table() {
        let ours = ALGORITHMS.iter().filter(|(_, _, ours)| *ours).map(|(_, blob, _)| *blob);
        let types = ours.collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!(u64::try_from(types).unwrap(), KEY_TYPES);
    }

    #[test]
    fn the_names_of_one_rsa_key_are_one_type() {
        let types = key_types(b"ssh-rsa-sha256@ssh.com,rsa-sha2-512,ssh-rsa,ssh-ed25519,ssh-ed448");
        let blobs: Vec<_> = types.iter().map(|one| one.blob).collect();
        assert_eq!(blobs, [b"ssh-rsa".as_slice(), b"ssh-ed25519", b"ssh-ed448"]);
        assert_eq!(types[0].offered_as, b"ssh-rsa-sha256@ssh.com");
        assert_eq!(types[0].ask_as, Some(b"rsa-sha2-512".as_slice()));
        assert_eq!(types[2].ask_as, None);
    }

    #[test]
    fn a_plain_key_is_asked_for_before_a_certificate() {
        assert_eq!(first_choice(b"ssh-ed25519-cert-v01@openssh.com,x,ssh-rsa"), Some(b"ssh-rsa".as_slice()));
        let only = b"x,ssh-ed25519-cert-v01@openssh.com";
        assert_eq!(first_choice(only), Some(b"ssh-ed25519-cert-v01@openssh.com".as_slice()));
        assert_eq!(first_choice(b"x,y"), None);
    }

    #[test]
    fn a_list_of_thousands_of_names_is_bounded() {
        let list: Vec<u8> = (0..9000).flat_map(|n| format!("{n},").into_bytes()).collect();
        assert_eq!(key_types(&list).len(), MAX_TYPES);
        assert!(key_types(&[b'x'; 65]).is_empty());
    }
}
