//! The kinds of facets (DESIGN 4.4): names are final, places in [`FacetKind::ALL`] are not.

use std::fmt;
use std::str::FromStr;

/// Facets with a common cause; evidence is counted once per group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// SSH host keys.
    Key,
    /// The SSH server program and its settings.
    Sshd,
    /// Certificates and their keys.
    Cert,
    /// The web and TLS stack and its settings.
    Web,
    /// What the page says.
    Page,
    /// Windows and remote-desktop names.
    Rdp,
    /// Which ports answer.
    Ports,
    /// Where the host is in the network.
    Net,
    /// Mail and file banners.
    Mail,
}

impl Group {
    /// All groups, in the order they are shown.
    pub const ALL: [Self; 9] =
        [Self::Key, Self::Sshd, Self::Cert, Self::Web, Self::Page, Self::Rdp, Self::Ports, Self::Net, Self::Mail];

    /// What the group is about, in words for a reader who is no engineer.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Key => "SSH host key",
            Self::Sshd => "SSH server and its settings",
            Self::Cert => "certificate",
            Self::Web => "web and TLS stack",
            Self::Page => "page",
            Self::Rdp => "Windows name and build",
            Self::Ports => "set of open ports",
            Self::Net => "network",
            Self::Mail => "mail and file banners",
        }
    }

    /// The stable word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Sshd => "sshd",
            Self::Cert => "cert",
            Self::Web => "web",
            Self::Page => "page",
            Self::Rdp => "rdp",
            Self::Ports => "ports",
            Self::Net => "net",
            Self::Mail => "mail",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose habit a facet shows first: the level of a claim that rests on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Habit {
    /// The customer who rents the machine.
    Tenant,
    /// The hoster who sets machines up.
    Provider,
    /// The maker of a panel, appliance or image.
    Vendor,
    /// A distribution's default.
    Distribution,
}

impl Habit {
    /// The stable word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Provider => "provider",
            Self::Vendor => "vendor",
            Self::Distribution => "distribution",
        }
    }
}

impl FromStr for Habit {
    type Err = super::kind::ParseKindError;

    fn from_str(text: &str) -> Result<Self, ParseKindError> {
        [Self::Tenant, Self::Provider, Self::Vendor, Self::Distribution]
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| ParseKindError(text.to_owned()))
    }
}

/// What the registry knows of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// The dotted, final name.
    pub name: &'static str,
    /// Facets with the same cause; `None` for facts that link nothing by themselves.
    pub group: Option<Group>,
    /// Whose habit it shows.
    pub habit: Habit,
    /// How much it costs to show this value without being its owner, 0 (free) to 3 (needs a private key).
    pub forge_cost: u8,
    /// One line of plain words.
    pub words: &'static str,
}

macro_rules! kinds {
    ($($variant:ident $name:literal $group:expr, $habit:ident, $cost:literal, $words:literal;)*) => {
        /// A kind of facet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FacetKind {
            $(#[doc = $words] $variant,)*
        }

        impl FacetKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// What the registry knows of this kind.
            #[must_use]
            pub fn info(self) -> Info {
                match self {
                    $(Self::$variant => Info {
                        name: $name, group: $group, habit: Habit::$habit, forge_cost: $cost, words: $words,
                    },)*
                }
            }
        }
    };
}

use Group::{Cert, Key, Mail, Page, Ports, Rdp, Sshd, Web};

kinds! {
    TlsJarm "tls.jarm" Some(Web), Distribution, 1, "JARM of the TLS stack";
    TlsJarmRaw "tls.jarm_raw" None, Distribution, 1, "the ten raw parts behind the JARM";
    TlsJarmFirstRead "tls.jarm_first_read" None, Distribution, 1, "JARM as a parser of the first segment alone would see it";
    TlsJa3s "tls.ja3s" None, Distribution, 1, "JA3S of the answer to JARM probe 0";
    TlsVersion "tls.version" None, Distribution, 1, "TLS version negotiated by the full handshake";
    TlsCipher "tls.cipher" None, Distribution, 1, "cipher suite negotiated by the full handshake";
    TlsAlpn "tls.alpn" None, Distribution, 1, "ALPN name the server chose";
    CertSha256 "cert.sha256" Some(Cert), Tenant, 3, "certificate";
    CertSpkiSha256 "cert.spki_sha256" Some(Cert), Tenant, 3, "public key of the certificate";
    CertChain "cert.chain" None, Tenant, 1, "digests of the certificates sent, in order";
    CertSubject "cert.subject" None, Tenant, 0, "certificate subject";
    CertIssuer "cert.issuer" None, Vendor, 0, "certificate issuer";
    CertSubjectSha256 "cert.subject_sha256" Some(Cert), Tenant, 0, "certificate subject as sent";
    CertIssuerSha256 "cert.issuer_sha256" Some(Cert), Vendor, 0, "certificate issuer as sent";
    CertSerial "cert.serial" None, Tenant, 0, "certificate serial number";
    CertNotBefore "cert.not_before" None, Tenant, 0, "start of the certificate's validity";
    CertNotAfter "cert.not_after" None, Tenant, 0, "end of the certificate's validity";
    CertValiditySeconds "cert.validity_seconds" None, Vendor, 0, "length of the certificate's validity in seconds";
    CertSan "cert.san" None, Tenant, 0, "name the certificate is for";
    CertKeyType "cert.key_type" None, Distribution, 0, "type and size of the certificate's key";
    CertTemplate "cert.template" Some(Cert), Vendor, 0, "the pattern the certificate was made to";
    HttpStatus "http.status" None, Tenant, 0, "HTTP status";
    HttpServer "http.server" Some(Web), Distribution, 0, "Server header";
    HttpTitle "http.title" Some(Page), Tenant, 0, "page title";
    HttpLocation "http.location" None, Tenant, 0, "where the page redirects to";
    HttpRealm "http.realm" Some(Page), Tenant, 0, "login realm";
    HttpEtag "http.etag" Some(Page), Tenant, 0, "ETag of the page";
    HttpLastModified "http.last_modified" None, Tenant, 0, "Last-Modified of the page";
    HttpCookieName "http.cookie_name" None, Vendor, 0, "name of a cookie the page sets";
    HttpHeaderNames "http.header_names" None, Provider, 0, "HTTP header names in order";
    HttpHhhash "http.hhhash" None, Provider, 0, "HHHash over the HTTP header names";
    HttpHeaderOrder "http.header_order" Some(Web), Provider, 0, "order of the stable HTTP header names";
    HttpBodySha256 "http.body_sha256" Some(Page), Tenant, 0, "page body";
    HttpBodyPrefixSha256 "http.body_prefix_sha256" None, Tenant, 0, "the part of the page body that was read";
    HttpBodySimhash "http.body_simhash" Some(Page), Tenant, 0, "simhash of the page's words";
    HttpBodyTlsh "http.body_tlsh" None, Tenant, 0, "TLSH of the page body";
    HttpFaviconMmh3 "http.favicon_mmh3" Some(Page), Vendor, 0, "favicon (MurmurHash3 as Shodan computes it)";
    HttpFaviconSha256 "http.favicon_sha256" None, Vendor, 0, "favicon file";
    SshBanner "ssh.banner" Some(Sshd), Distribution, 0, "SSH identification line";
    SshHasshServer "ssh.hassh_server" Some(Sshd), Distribution, 1, "hasshServer of the SSH algorithm lists";
    SshKexinitSha256 "ssh.kexinit_sha256" Some(Sshd), Distribution, 1, "all ten SSH algorithm lists";
    SshHostKey "ssh.host_key" Some(Key), Provider, 3, "SSH host key";
    SshHostKeyMissing "ssh.host_key_missing" None, Distribution, 0, "host key algorithm offered whose key could not be had";
    RdpComputerName "rdp.computer_name" Some(Rdp), Provider, 0, "Windows computer name";
    RdpBuild "rdp.build" Some(Rdp), Distribution, 0, "Windows build";
    SmtpBanner "smtp.banner" Some(Mail), Tenant, 0, "SMTP banner";
    SmtpEhlo "smtp.ehlo" Some(Mail), Distribution, 0, "SMTP extensions in order";
    ImapBanner "imap.banner" Some(Mail), Distribution, 0, "IMAP banner";
    FtpBanner "ftp.banner" Some(Mail), Distribution, 0, "FTP banner";
    PortsOpen "ports.open" Some(Ports), Provider, 0, "set of ports that answer";
}

impl FacetKind {
    /// The dotted, final name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.info().name
    }
}

impl fmt::Display for FacetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no facet kind.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a facet kind; kinds look like `ssh.host_key` or `cert.sha256`")]
pub struct ParseKindError(pub String);

impl FromStr for FacetKind {
    type Err = ParseKindError;

    fn from_str(text: &str) -> Result<Self, ParseKindError> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or_else(|| ParseKindError(text.to_owned()))
    }
}
