//! Writes a bundle: everything a stranger needs to check a case, or what concerns chosen hosts of it.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::IpAddr;

use serde_json::value::RawValue;

use super::EvidenceError;
use super::archive::{MOST_TEXT, Writer};
use super::chain::{self, Chain, Stretch};
use super::layout::{self, Manifest, ObservationLine, ResultLine, SignatureLine};
use super::report::Report;
use super::sign::{fingerprint, public_pem};
use crate::seal::{Details, Digest, RecordLine, hex, leaf_hash, path};
use crate::store::{Action, Case, ChainedRecord};

/// Records of these kinds say nothing of a host; a bundle of chosen hosts shows their details too.
pub(super) const SHOWN: [Action; 12] = [
    Action::New,
    Action::Import,
    Action::ScanStarted,
    Action::ScanEnded,
    Action::Reread,
    Action::Sealed,
    Action::Head,
    Action::Key,
    Action::Chained,
    Action::Timestamp,
    Action::Retention,
    Action::Redact,
];

/// What went into a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundleCounts {
    /// Records.
    pub records: u64,
    /// Observations.
    pub observations: u64,
    /// Captures.
    pub captures: u64,
    /// Observations that are not sealed yet and were left out.
    pub waiting: u64,
    /// Fingerprints of those who signed.
    pub signers: Vec<String>,
}

/// Writes the case, or what concerns `hosts` of it, as a bundle. The same case gives the same bytes.
///
/// # Errors
/// `NoHost` for a host the case does not know; when the case cannot be read or `out` not be written.
pub fn write_bundle(case: &Case, hosts: Option<&[IpAddr]>, out: impl Write) -> Result<BundleCounts, EvidenceError> {
    let hosts: Option<BTreeSet<IpAddr>> = hosts.map(|hosts| hosts.iter().copied().collect());
    let records = case.chain()?;
    let chain = chain::check(&records, chain::From::Case, &[], &mut Report::default());
    if !chain.keys.is_empty() && !case.is_signed()? {
        return Err(EvidenceError::Unsigned);
    }
    let mut writer = Writer::new(out);
    writer.add(layout::README_FILE, layout::README.as_bytes())?;
    put_records(&mut writer, &records, hosts.as_ref())?;
    let mut signers: Vec<String> = Vec::new();
    for key in &chain.keys {
        let print = fingerprint(key);
        writer.add(&layout::signer(&print), public_pem(key).as_bytes())?;
        signers.push(print);
    }
    let scopes: Vec<_> = case.scopes()?.into_iter().filter(|(sha256, _)| chain.scopes.contains(sha256)).collect();
    for (sha256, text) in &scopes {
        writer.add(&layout::scope(sha256), text.as_bytes())?;
    }
    let stamps = case.stamps()?;
    for (seq, answer) in &stamps {
        writer.add(&layout::stamp(u64::try_from(*seq).unwrap_or(0)), answer)?;
    }
    let mut put = Put {
        case,
        hosts: hosts.as_ref(),
        captures: BTreeSet::new(),
        met: BTreeSet::new(),
        leaves: 0,
        observations: 0,
    };
    for stretch in &chain.stretches {
        put.stretch(&mut writer, *stretch)?;
    }
    if let Some(missing) = hosts.iter().flatten().find(|host| !put.met.contains(host)) {
        return Err(EvidenceError::NoHost { ip: missing.to_string() });
    }
    let results = put_results(&mut writer, case, &chain, hosts.as_ref())?;
    let mut captures = 0;
    for sha256 in &put.captures {
        if let Some(body) = case.packed_capture(sha256)? {
            writer.add(&layout::capture(&hex(sha256)), &body)?;
            captures += 1;
        }
    }
    let sealed = chain.stretches.last().map_or(0, |stretch| stretch.last);
    let manifest = Manifest {
        schema: layout::SCHEMA.to_owned(),
        hosts: hosts.as_ref().map(|hosts| hosts.iter().map(ToString::to_string).collect()),
        records: u64::try_from(records.len()).unwrap_or(u64::MAX),
        last_record_sha256: last_digest(&chain),
        signers: signers.clone(),
        scopes: u64::try_from(scopes.len()).unwrap_or(u64::MAX),
        leaves: put.leaves,
        observations: put.observations,
        captures,
        results,
        stamps: u64::try_from(stamps.len()).unwrap_or(u64::MAX),
    };
    writer.add(layout::MANIFEST, manifest.to_text().as_bytes())?;
    writer.finish()?;
    Ok(BundleCounts {
        records: manifest.records,
        observations: put.observations,
        captures,
        waiting: u64::try_from(case.leaves()?).unwrap_or(0).saturating_sub(sealed),
        signers,
    })
}

/// The digest of the last record's line.
pub(super) fn last_digest(chain: &Chain) -> String {
    chain.lines.last().map(|line| hex(&crate::seal::sha256(line.as_bytes()))).unwrap_or_default()
}

fn put_records<W: Write>(
    writer: &mut Writer<W>,
    records: &[ChainedRecord],
    hosts: Option<&BTreeSet<IpAddr>>,
) -> Result<(), EvidenceError> {
    let (mut lines, mut details, mut signatures) = (String::new(), String::new(), String::new());
    for record in records {
        let line = record.line.as_deref().unwrap_or_default();
        lines.push_str(line);
        lines.push('\n');
        let shown = record.details.as_deref().filter(|text| hosts.is_none_or(|hosts| is_shown(line, text, hosts)));
        details.push_str(shown.unwrap_or("null"));
        details.push('\n');
        if let Some(signature) = record.signature {
            let line = SignatureLine {
                seq: u64::try_from(record.seq).unwrap_or(0),
                public_key: hex(&signature.public_key),
                signature: hex(&signature.signature),
            };
            signatures.push_str(&serde_json::to_string(&line).unwrap_or_default());
            signatures.push('\n');
        }
    }
    text(writer, layout::RECORDS, &lines)?;
    text(writer, layout::DETAILS, &details)?;
    text(writer, layout::SIGNATURES, &signatures)
}

/// True when a record's details say nothing of other hosts than the chosen ones.
fn is_shown(line: &str, details: &str, hosts: &BTreeSet<IpAddr>) -> bool {
    let Some(line) = RecordLine::parse(line) else { return false };
    let subject = serde_json::from_str::<Details<'_>>(details).map(|details| details.subject).unwrap_or_default();
    let is_chosen = subject.parse().is_ok_and(|host| hosts.contains(&host));
    is_chosen || SHOWN.iter().any(|action| action.as_str() == line.action)
}

fn text<W: Write>(writer: &mut Writer<W>, name: &str, text: &str) -> Result<(), EvidenceError> {
    if u64::try_from(text.len()).is_ok_and(|length| length <= MOST_TEXT) {
        writer.add(name, text.as_bytes())
    } else {
        Err(EvidenceError::TooLarge { name: name.to_owned() })
    }
}

/// Puts observations in, and remembers what they refer to.
struct Put<'a> {
    case: &'a Case,
    hosts: Option<&'a BTreeSet<IpAddr>>,
    captures: BTreeSet<Digest>,
    met: BTreeSet<IpAddr>,
    leaves: u64,
    observations: u64,
}

impl Put<'_> {
    fn stretch<W: Write>(&mut self, writer: &mut Writer<W>, stretch: Stretch) -> Result<(), EvidenceError> {
        let bound = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let mut hashes = Vec::new();
        let mut leaves = Vec::new();
        self.case.sealed::<EvidenceError>((bound(stretch.first), bound(stretch.last)), false, |one| {
            let is_chosen = self.hosts.is_none_or(|hosts| one.ip.is_some_and(|ip| hosts.contains(&ip)));
            if is_chosen {
                self.met.extend(one.ip);
                self.captures.extend(one.capture_sha256);
                self.observations += u64::from(one.leaf.is_some());
                leaves.push((hashes.len(), one.number, one.leaf, one.reading));
            }
            hashes.push(one.hash);
            Ok(())
        })?;
        if leaves.is_empty() {
            return Ok(());
        }
        self.leaves = self.leaves.saturating_add(u64::try_from(leaves.len()).unwrap_or(0));
        let mut out = String::new();
        for (place, number, leaf, reading) in leaves {
            let line = ObservationLine {
                leaf: u64::try_from(number).unwrap_or(0),
                hash: hashes.get(place).map(|hash| hex(hash)).unwrap_or_default(),
                observation: leaf.as_deref().and_then(raw),
                reading: reading.as_deref().and_then(raw),
                path: self.hosts.is_some().then(|| path(&hashes, place).iter().map(|hash| hex(hash)).collect()),
            };
            out.push_str(&serde_json::to_string(&line).unwrap_or_default());
            out.push('\n');
        }
        text(writer, &layout::observations(stretch.first, stretch.last), &out)
    }
}

/// The rows of the last linkage, or those of the chosen hosts. Gives how many.
fn put_results<W: Write>(
    writer: &mut Writer<W>,
    case: &Case,
    chain: &Chain,
    hosts: Option<&BTreeSet<IpAddr>>,
) -> Result<u64, EvidenceError> {
    let Some((_, Some(salt), _)) = chain.results else { return Ok(0) };
    let rows = case.result_rows(&salt)?;
    let texts: Vec<String> = rows.iter().map(crate::seal::ResultRow::to_text).collect();
    let hashes: Vec<Digest> = texts.iter().map(|text| leaf_hash(text.as_bytes())).collect();
    let mut out = String::new();
    let mut count = 0;
    for (place, (row, text)) in rows.iter().zip(&texts).enumerate() {
        let is_chosen = hosts.is_none_or(|hosts| row.ip.parse().is_ok_and(|ip| hosts.contains(&ip)));
        let Some(raw) = raw(text).filter(|_| is_chosen) else { continue };
        let line = ResultLine {
            place: u64::try_from(place).unwrap_or(u64::MAX),
            of: u64::try_from(texts.len()).unwrap_or(u64::MAX),
            row: raw,
            path: hosts.is_some().then(|| path(&hashes, place).iter().map(|hash| hex(hash)).collect()),
        };
        out.push_str(&serde_json::to_string(&line).unwrap_or_default());
        out.push('\n');
        count += 1;
    }
    text(writer, layout::RESULTS, &out)?;
    Ok(count)
}

fn raw(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}
