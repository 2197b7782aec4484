//! SSH servers as data: banner, algorithm lists, host keys. The lists are what real programs send; post-quantum key
//! exchanges are left out, since a list must not promise what [`super::ssh`] cannot keep to a client that prefers it.

/// One SSH server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sshd {
    /// The identification line without its end.
    pub banner: &'static str,
    /// Lines sent before it (RFC 4253 section 4.2).
    pub before: &'static [&'static str],
    /// What its KEXINIT lists.
    pub lists: &'static Lists,
    /// Its host keys, in the order it lists them.
    pub keys: Vec<HostKey>,
}

/// The algorithm lists of a KEXINIT; the same in both directions. Host key algorithms follow from the keys.
#[derive(Debug, PartialEq, Eq)]
pub struct Lists {
    /// Key exchange.
    pub kex: &'static [&'static str],
    /// Encryption.
    pub ciphers: &'static [&'static str],
    /// Message authentication.
    pub macs: &'static [&'static str],
    /// Compression.
    pub compression: &'static [&'static str],
}

/// One host key. Hosts with the same label and kind hold the same key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostKey {
    /// Its kind.
    pub kind: KeyKind,
    /// What its material comes from.
    pub label: String,
}

/// Kinds of host key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyKind {
    /// `ssh-ed25519`: the same in every run of a seed.
    Ed25519,
    /// `ecdsa-sha2-nistp256`: made anew for every run.
    P256,
    /// `ecdsa-sha2-nistp384`: made anew for every run.
    P384,
}

impl KeyKind {
    /// The name of the host key algorithm, which is also the type of the key blob.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::P256 => "ecdsa-sha2-nistp256",
            Self::P384 => "ecdsa-sha2-nistp384",
        }
    }
}

/// The banner of Debian 12, which half the street shows.
pub(super) const DEBIAN_12: &str = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3";
/// The banner of Debian 11.
pub(super) const DEBIAN_11: &str = "SSH-2.0-OpenSSH_8.4p1 Debian-5+deb11u3";
/// The banner of Ubuntu 22.04.
pub(super) const UBUNTU_22: &str = "SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.10";
/// A banner without a distribution's mark.
pub(super) const BARE_8: &str = "SSH-2.0-OpenSSH_8.0";
/// The small server of routers and rescue systems.
pub(super) const DROPBEAR: &str = "SSH-2.0-dropbear_2022.83";
/// The banner a well-known honeypot shows unless told otherwise.
pub(super) const HONEYPOT: &str = "SSH-2.0-OpenSSH_6.0p1 Debian-4+deb7u2";

const OPENSSH_MACS: &[&str] = &[
    "umac-64-etm@openssh.com",
    "umac-128-etm@openssh.com",
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha1-etm@openssh.com",
    "umac-64@openssh.com",
    "umac-128@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-sha1",
];
const OPENSSH_CIPHERS: &[&str] = &[
    "chacha20-poly1305@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
];
const DELAYED: &[&str] = &["none", "zlib@openssh.com"];

/// OpenSSH as shipped, with the strict key exchange of 2023.
pub(super) static STOCK: Lists = Lists {
    kex: &[
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "diffie-hellman-group-exchange-sha256",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group18-sha512",
        "diffie-hellman-group14-sha256",
        "kex-strict-s-v00@openssh.com",
    ],
    ciphers: OPENSSH_CIPHERS,
    macs: OPENSSH_MACS,
    compression: DELAYED,
};

/// OpenSSH as shipped before the patch.
pub(super) static STOCK_OLD: Lists = Lists {
    kex: &[
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "diffie-hellman-group-exchange-sha256",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group18-sha512",
        "diffie-hellman-group14-sha256",
        "diffie-hellman-group14-sha1",
    ],
    ciphers: OPENSSH_CIPHERS,
    macs: OPENSSH_MACS,
    compression: DELAYED,
};

/// OpenSSH under a system-wide policy, as some distributions ship it.
pub(super) static STOCK_POLICY: Lists = Lists {
    kex: &[
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "diffie-hellman-group-exchange-sha256",
        "diffie-hellman-group14-sha256",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group18-sha512",
    ],
    ciphers: &[
        "aes256-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
        "aes256-ctr",
        "aes128-gcm@openssh.com",
        "aes128-ctr",
    ],
    macs: &[
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha1-etm@openssh.com",
        "umac-128-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
        "hmac-sha2-256",
        "hmac-sha1",
        "umac-128@openssh.com",
        "hmac-sha2-512",
    ],
    compression: DELAYED,
};

/// Dropbear.
pub(super) static SMALL: Lists = Lists {
    kex: &[
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp521",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp256",
        "diffie-hellman-group14-sha256",
        "kexguess2@matt.ucc.asn.au",
    ],
    ciphers: &["chacha20-poly1305@openssh.com", "aes128-ctr", "aes256-ctr"],
    macs: &["hmac-sha1", "hmac-sha2-256"],
    compression: &["zlib@openssh.com", "none"],
};

/// A honeypot's idea of OpenSSH.
pub(super) static BAIT: Lists = Lists {
    kex: &["curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384"],
    ciphers: &["aes128-ctr", "aes192-ctr", "aes256-ctr", "aes256-cbc", "aes192-cbc", "aes128-cbc", "3des-cbc"],
    macs: &["hmac-sha2-512", "hmac-sha2-384", "hmac-sha2-256", "hmac-sha1", "hmac-md5"],
    compression: &["zlib@openssh.com", "zlib", "none"],
};

/// The first provider's sshd: a few lines of its own in the image's `sshd_config`.
pub(super) static FIRST: Lists = Lists {
    kex: &["curve25519-sha256@libssh.org", "curve25519-sha256", "ecdh-sha2-nistp256", "diffie-hellman-group16-sha512"],
    ciphers: &["aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"],
    macs: &["hmac-sha2-512-etm@openssh.com", "umac-128-etm@openssh.com", "hmac-sha2-512"],
    compression: &["none"],
};

/// The second provider's sshd.
pub(super) static SECOND: Lists = Lists {
    kex: &[
        "curve25519-sha256",
        "ecdh-sha2-nistp384",
        "diffie-hellman-group18-sha512",
        "diffie-hellman-group-exchange-sha256",
        "kex-strict-s-v00@openssh.com",
    ],
    ciphers: &["chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes128-gcm@openssh.com"],
    macs: &["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"],
    compression: DELAYED,
};

/// The sshd of a lawful company's fleet.
pub(super) static FLEET: Lists = Lists {
    kex: &["ecdh-sha2-nistp256", "curve25519-sha256", "diffie-hellman-group14-sha256"],
    ciphers: &["aes256-ctr", "aes192-ctr", "aes128-ctr"],
    macs: &["hmac-sha2-256", "hmac-sha2-512"],
    compression: &["none"],
};
