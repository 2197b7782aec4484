//! The ladder of each group: its levels from the most specific value to the most general one.
//!
//! The design's word is *level of a group*; in code it is a [`Rung`], because [`crate::finding::Level`] is something else.
//! Rungs of one group are alternatives: a group gives one likelihood ratio, whichever rung decides it.

use crate::facet::{FacetKind, Group};

/// Number of groups.
pub(super) const GROUPS: usize = Group::ALL.len();
/// Number of rungs.
pub(super) const RUNGS: usize = Rung::ALL.len();

/// For each group, in the order of [`Group::ALL`], the place of its first rung in [`Rung::ALL`] and the one behind its
/// last.
pub(super) const SPANS: [(usize, usize); GROUPS] =
    [(0, 1), (1, 4), (4, 9), (9, 12), (12, 16), (16, 18), (18, 19), (19, 21), (21, 23)];

/// One level of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Rung {
    HostKey,
    SshdSetup,
    Kexinit,
    Hassh,
    Certificate,
    CertKey,
    CertScript,
    CertTemplate,
    CertNames,
    WebStack,
    HeaderOrder,
    Jarm,
    Body,
    FaviconTitle,
    PageFamily,
    Title,
    ComputerName,
    WindowsBuild,
    PortSet,
    Prefix,
    Asn,
    MailBanners,
    MailExtensions,
}

impl Rung {
    /// All, group by group in the order of [`Group::ALL`], within a group the most specific first.
    pub(super) const ALL: [Self; 23] = [
        Self::HostKey,
        Self::SshdSetup,
        Self::Kexinit,
        Self::Hassh,
        Self::Certificate,
        Self::CertKey,
        Self::CertScript,
        Self::CertTemplate,
        Self::CertNames,
        Self::WebStack,
        Self::HeaderOrder,
        Self::Jarm,
        Self::Body,
        Self::FaviconTitle,
        Self::PageFamily,
        Self::Title,
        Self::ComputerName,
        Self::WindowsBuild,
        Self::PortSet,
        Self::Prefix,
        Self::Asn,
        Self::MailBanners,
        Self::MailExtensions,
    ];

    /// Its place in [`Rung::ALL`].
    pub(super) fn place(self) -> usize {
        self as usize
    }

    /// Its group.
    pub(super) fn group(self) -> Group {
        match self {
            Self::HostKey => Group::Key,
            Self::SshdSetup | Self::Kexinit | Self::Hassh => Group::Sshd,
            Self::Certificate | Self::CertKey | Self::CertScript | Self::CertTemplate | Self::CertNames => Group::Cert,
            Self::WebStack | Self::HeaderOrder | Self::Jarm => Group::Web,
            Self::Body | Self::FaviconTitle | Self::PageFamily | Self::Title => Group::Page,
            Self::ComputerName | Self::WindowsBuild => Group::Rdp,
            Self::PortSet => Group::Ports,
            Self::Prefix | Self::Asn => Group::Net,
            Self::MailBanners | Self::MailExtensions => Group::Mail,
        }
    }

    /// The kinds whose values it is made of, joined by ` + ` as the evidence table names them.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::HostKey => "ssh.host_key",
            Self::SshdSetup => "ssh.banner + ssh.hassh_server",
            Self::Kexinit => "ssh.kexinit_sha256",
            Self::Hassh => "ssh.hassh_server",
            Self::Certificate => "cert.sha256",
            Self::CertKey => "cert.spki_sha256",
            Self::CertScript => {
                "cert.subject + cert.issuer + cert.validity_seconds + cert.serial + cert.san (patterns)"
            }
            Self::CertTemplate => "cert.template",
            Self::CertNames => "cert.subject + cert.issuer (patterns)",
            Self::WebStack => "http.server + http.header_order + tls.jarm",
            Self::HeaderOrder => "http.header_order",
            Self::Jarm => "tls.jarm",
            Self::Body => "http.body_sha256",
            Self::FaviconTitle => "http.favicon_mmh3 + http.title (pattern)",
            Self::PageFamily => "http.body_simhash (alike)",
            Self::Title => "http.title (pattern)",
            Self::ComputerName => "rdp.computer_name",
            Self::WindowsBuild => "rdp.build",
            Self::PortSet => "ports.open",
            Self::Prefix => "prefix",
            Self::Asn => "asn",
            Self::MailBanners => "smtp.banner + imap.banner + ftp.banner (patterns)",
            Self::MailExtensions => "smtp.ehlo",
        }
    }

    /// What it is in plain words, to follow "the same".
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::HostKey => "SSH host key",
            Self::SshdSetup => "SSH banner and algorithm lists",
            Self::Kexinit => "SSH algorithm lists, all ten",
            Self::Hassh => "SSH server algorithms (hassh)",
            Self::Certificate => "certificate",
            Self::CertKey => "certificate key",
            Self::CertScript => "way of making certificates (names, validity, serial)",
            Self::CertTemplate => "certificate template",
            Self::CertNames => "pattern of certificate subject and issuer",
            Self::WebStack => "web stack (Server header, header order, JARM)",
            Self::HeaderOrder => "order of HTTP headers",
            Self::Jarm => "TLS stack (JARM)",
            Self::Body => "page, byte for byte",
            Self::FaviconTitle => "favicon and title",
            Self::PageFamily => "page but for a few words",
            Self::Title => "page title",
            Self::ComputerName => "Windows computer name",
            Self::WindowsBuild => "Windows build",
            Self::PortSet => "set of unusual open ports",
            Self::Prefix => "network prefix",
            Self::Asn => "autonomous system",
            Self::MailBanners => "mail and file server banners",
            Self::MailExtensions => "SMTP extensions",
        }
    }

    /// The kinds that must all be known defaults for the whole value to be one, in the order of its parts. Parts behind
    /// these, and rungs without any, are never looked up.
    pub(super) fn labelled_by(self) -> &'static [FacetKind] {
        match self {
            Self::HostKey => &[FacetKind::SshHostKey],
            Self::SshdSetup => &[FacetKind::SshBanner, FacetKind::SshHasshServer],
            Self::Kexinit => &[FacetKind::SshKexinitSha256],
            Self::Hassh => &[FacetKind::SshHasshServer],
            Self::Certificate => &[FacetKind::CertSha256],
            Self::CertKey => &[FacetKind::CertSpkiSha256],
            Self::CertScript | Self::CertNames => &[FacetKind::CertSubject],
            Self::CertTemplate => &[FacetKind::CertTemplate],
            Self::WebStack => &[FacetKind::HttpServer, FacetKind::HttpHeaderOrder, FacetKind::TlsJarm],
            Self::HeaderOrder => &[FacetKind::HttpHeaderOrder],
            Self::Jarm => &[FacetKind::TlsJarm],
            Self::Body => &[FacetKind::HttpBodySha256],
            Self::FaviconTitle => &[FacetKind::HttpFaviconMmh3, FacetKind::HttpTitle],
            Self::Title => &[FacetKind::HttpTitle],
            Self::ComputerName => &[FacetKind::RdpComputerName],
            Self::WindowsBuild => &[FacetKind::RdpBuild],
            Self::MailBanners => &[FacetKind::SmtpBanner, FacetKind::ImapBanner, FacetKind::FtpBanner],
            Self::PageFamily | Self::PortSet | Self::Prefix | Self::Asn | Self::MailExtensions => &[],
        }
    }
}

/// True for groups that a provider sets and a customer rarely does; `Page` and `Cert` travel with customers, and so do
/// mail settings.
pub(super) fn is_provider_side(group: Group) -> bool {
    matches!(group, Group::Key | Group::Sshd | Group::Web | Group::Rdp | Group::Ports | Group::Net)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spans_are_those_of_the_groups() {
        for (group, (start, end)) in Group::ALL.into_iter().zip(SPANS) {
            let of_group = |rung: &&Rung| rung.group() == group;
            assert_eq!(Rung::ALL.iter().position(|rung| rung.group() == group), Some(start));
            assert_eq!(Rung::ALL.iter().filter(of_group).count(), end - start);
        }
        assert!(Rung::ALL.into_iter().enumerate().all(|(place, rung)| rung.place() == place));
    }

    #[test]
    fn rungs_stand_in_the_order_of_their_groups_and_of_their_numbers() {
        let groups: Vec<Group> = Rung::ALL.iter().map(|rung| rung.group()).collect();
        assert!(groups.is_sorted());
        assert!(Rung::ALL.is_sorted());
        assert!(Group::ALL.iter().all(|group| groups.contains(group)));
    }
}
