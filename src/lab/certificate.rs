//! Certificates as data, and the mint that makes them when a street comes up. Keys are made anew for every run; hosts
//! that share a label share key and certificate.

use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer as Signer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::LabError;

/// One server certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Hosts with the same label show the same certificate.
    pub label: String,
    /// Its key: kind, and the label under which hosts share it.
    pub key: (CertKey, String),
    /// Who signs it.
    pub issuer: Issuer,
    /// Its subject, in order.
    pub subject: Vec<(Part, String)>,
    /// Names and addresses it is for.
    pub names: Vec<String>,
    /// Start: year, month, day and the second of that day (UTC).
    pub from: (i32, u8, u8, u64),
    /// Length of its validity in seconds.
    pub lasts: u64,
    /// Serial number; drawn from the key when `None`.
    pub serial: Option<u64>,
}

/// Kinds of certificate key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertKey {
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// Ed25519, which many clients cannot take.
    Ed25519,
}

/// Who signs a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// Its own key.
    Itself,
    /// An authority; its certificate is sent along.
    Authority(Vec<(Part, String)>),
}

/// A part of a distinguished name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// C.
    Country,
    /// ST.
    State,
    /// L.
    Locality,
    /// O.
    Organisation,
    /// OU.
    Unit,
    /// CN.
    Name,
}

/// Makes keys and certificates, each label once.
#[derive(Default)]
pub(super) struct Mint {
    keys: HashMap<(CertKey, String), Rc<KeyPair>>,
    authorities: HashMap<Vec<(Part, String)>, CertificateDer<'static>>,
    leaves: HashMap<String, CertificateDer<'static>>,
}

impl Mint {
    /// The chain of `wanted`, leaf first, and its private key.
    pub(super) fn chain(
        &mut self,
        wanted: &Certificate,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), LabError> {
        let key = self.key(wanted.key.0, &wanted.key.1)?;
        let mut chain = vec![self.leaf(wanted, &key)?];
        if let Issuer::Authority(name) = &wanted.issuer {
            chain.push(self.authority(name)?);
        }
        Ok((chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
    }

    fn key(&mut self, kind: CertKey, label: &str) -> Result<Rc<KeyPair>, LabError> {
        let place = (kind, label.to_owned());
        if let Some(known) = self.keys.get(&place) {
            return Ok(Rc::clone(known));
        }
        let made = Rc::new(KeyPair::generate_for(match kind {
            CertKey::P256 => &PKCS_ECDSA_P256_SHA256,
            CertKey::P384 => &PKCS_ECDSA_P384_SHA384,
            CertKey::Ed25519 => &PKCS_ED25519,
        })?);
        self.keys.insert(place, Rc::clone(&made));
        Ok(made)
    }

    fn leaf(&mut self, wanted: &Certificate, key: &KeyPair) -> Result<CertificateDer<'static>, LabError> {
        if let Some(known) = self.leaves.get(&wanted.label) {
            return Ok(known.clone());
        }
        let params = leaf_params(wanted)?;
        let made = match &wanted.issuer {
            Issuer::Itself => params.self_signed(key)?,
            Issuer::Authority(name) => {
                let signing_key = self.key(CertKey::P256, &authority_label(name))?;
                params.signed_by(key, &Signer::new(authority_params(name, 3), &*signing_key))?
            }
        };
        self.leaves.insert(wanted.label.clone(), made.der().clone());
        Ok(made.der().clone())
    }

    /// The certificate of the authority `name`: an intermediate, signed by a root that is never sent.
    fn authority(&mut self, name: &[(Part, String)]) -> Result<CertificateDer<'static>, LabError> {
        if let Some(known) = self.authorities.get(name) {
            return Ok(known.clone());
        }
        let mut above = name.to_vec();
        above.push((Part::Unit, "Root".to_owned()));
        let root_key = self.key(CertKey::P256, &authority_label(&above))?;
        let key = self.key(CertKey::P256, &authority_label(name))?;
        let root = Signer::new(authority_params(&above, 10), &*root_key);
        let made = authority_params(name, 3).signed_by(&*key, &root)?.der().clone();
        self.authorities.insert(name.to_vec(), made.clone());
        Ok(made)
    }
}

fn authority_label(name: &[(Part, String)]) -> String {
    let parts: Vec<&str> = name.iter().map(|(_, value)| value.as_str()).collect();
    format!("authority/{}", parts.join("/"))
}

fn authority_params(name: &[(Part, String)], years: i32) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2024, 6, 1);
    params.not_after = date_time_ymd(2027 + years, 6, 1);
    params
}

fn leaf_params(wanted: &Certificate) -> Result<CertificateParams, LabError> {
    let (year, month, day, second) = wanted.from;
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished(&wanted.subject);
    params.not_before = date_time_ymd(year, month, day) + Duration::from_secs(second);
    params.not_after = params.not_before + Duration::from_secs(wanted.lasts);
    params.serial_number = wanted.serial.map(SerialNumber::from);
    params.use_authority_key_identifier_extension = matches!(wanted.issuer, Issuer::Authority(_));
    for name in &wanted.names {
        params.subject_alt_names.push(match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.as_str().try_into()?),
        });
    }
    Ok(params)
}

fn distinguished(parts: &[(Part, String)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (part, value) in parts {
        let part = match part {
            Part::Country => DnType::CountryName,
            Part::State => DnType::StateOrProvinceName,
            Part::Locality => DnType::LocalityName,
            Part::Organisation => DnType::OrganizationName,
            Part::Unit => DnType::OrganizationalUnitName,
            Part::Name => DnType::CommonName,
        };
        name.push(part, value.as_str());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(label: &str, issuer: Issuer) -> Certificate {
        Certificate {
            label: label.to_owned(),
            key: (CertKey::P256, "shared".to_owned()),
            issuer,
            subject: vec![(Part::Name, "a.example".to_owned())],
            names: vec!["a.example".to_owned(), "127.0.0.1".to_owned()],
            from: (2026, 1, 2, 3),
            lasts: 86_400,
            serial: Some(0x1234),
        }
    }

    #[test]
    fn one_label_is_one_certificate_and_one_key_label_one_key() {
        let mut mint = Mint::default();
        let (first, key) = mint.chain(&wanted("a", Issuer::Itself)).unwrap();
        let (again, same) = mint.chain(&wanted("a", Issuer::Itself)).unwrap();
        let (other, _) = mint.chain(&wanted("b", Issuer::Itself)).unwrap();
        assert_eq!(first, again);
        assert_eq!(key.secret_der(), same.secret_der());
        assert_ne!(first, other, "the signatures differ");
    }

    #[test]
    fn a_leaf_of_an_authority_brings_the_authority_along() {
        let issuer = Issuer::Authority(vec![(Part::Name, "Node CA".to_owned())]);
        let (chain, _) = Mint::default().chain(&wanted("a", issuer)).unwrap();
        assert_eq!(chain.len(), 2);
        let (_, leaf) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
        let (_, above) = x509_parser::parse_x509_certificate(&chain[1]).unwrap();
        assert_eq!(leaf.issuer().as_raw(), above.subject().as_raw());
        assert_eq!(leaf.validity().not_after.timestamp() - leaf.validity().not_before.timestamp(), 86_400);
        assert_eq!(leaf.raw_serial(), [0x12, 0x34]);
    }
}
