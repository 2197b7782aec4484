//! What a seed shows, and what a stranger has shown so far, in a form in which the two can be compared.
//!
//! Pure: made of facets and captures, no network, no clock. Values are text as [`show_bytes`] shows it, so that a template
//! can be written down in a run's plan and read back.

use serde::{Deserialize, Serialize};

use super::super::tls::may_speak_tls;
use super::order::{Background, STOCK_SHARE};
use crate::facet::{FacetKind, Labels, show_bytes};
use crate::observation::{Capture, End, Exchange, Speech, Step};
use crate::proto::jarm::{self, Slot, fold};
use crate::proto::{self, flight, ssh, x509};

/// A void answer as `tls.jarm_raw` writes it.
const VOID: &str = "|||";

/// Facets that must all be shown for a service to look like the seed's: kind and value.
pub type Look = Vec<(String, String)>;

/// What is on record of one service of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceFacts {
    /// What was spoken.
    pub speech: Speech,
    /// True when others heard it: digests of theirs need not be made as ours are.
    pub imported: bool,
    /// True when its certificates come from an authority of somebody's own ([`has_own_issuer`]).
    pub own_issuer: bool,
    /// The facets, values as stored.
    pub facets: Vec<(FacetKind, Vec<u8>)>,
}

impl ServiceFacts {
    /// Takes a later look in: of each kind that it shows its values, else those known already.
    pub fn look_again(&mut self, later: Self) {
        match (self.imported, later.imported) {
            // What others heard does not replace what we heard.
            (false, true) => return,
            (true, false) => self.facets.clear(),
            _ => self.facets.retain(|(kind, _)| later.facets.iter().all(|(of, _)| of != kind)),
        }
        self.imported = later.imported;
        // Which authority it is goes with the certificates.
        if later.facets.iter().any(|(kind, _)| *kind == FacetKind::CertIssuer) {
            self.own_issuer = later.own_issuer;
        }
        self.facets.extend(later.facets);
    }
}

/// What is on record of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedFacts {
    /// Its address, or its facet as text.
    pub name: String,
    /// Service by service; those inside TLS left out.
    pub services: Vec<ServiceFacts>,
}

/// What a host must show to be like one seed, service by service. Of several looks of one kind, any will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// The seed: its address, or its facet as text.
    pub seed: String,
    /// Whole JARMs: ten raw parts each, or ten three-character codes where no more is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jarm: Vec<[String; 10]>,
    /// Public keys of its certificates, and issuers of its own: one of them seen in clear is enough, whatever the JARM.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cert: Look,
    /// SSH: a host key, or the algorithm lists (with the banner where the lists are stock).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ssh: Vec<Look>,
    /// HTTP in clear: the order of header names with the `Server` values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<Look>,
}

impl Template {
    /// The template of one seed. Empty when nothing telling is on record.
    #[must_use]
    pub fn of(seed: &SeedFacts, labels: &Labels, background: &Background) -> Self {
        let mut template =
            Self { seed: seed.name.clone(), jarm: Vec::new(), cert: Vec::new(), ssh: Vec::new(), http: Vec::new() };
        for service in &seed.services {
            let all =
                |kind: FacetKind| service.facets.iter().filter(move |(of, _)| *of == kind).map(|(_, value)| value);
            match service.speech {
                Speech::Tls => {
                    let raw = all(FacetKind::TlsJarmRaw).filter_map(|value| raw_parts(value));
                    let parts: Vec<_> = raw.chain(all(FacetKind::TlsJarm).filter_map(|value| codes(value))).collect();
                    // The codes alone say less than the raw parts of the same JARM.
                    add(&mut template.jarm, parts.into_iter().take(1));
                    if !service.imported {
                        let kinds = [FacetKind::CertSpkiSha256, FacetKind::CertIssuer];
                        let told = |kind: &FacetKind| *kind != FacetKind::CertIssuer || service.own_issuer;
                        for kind in kinds.into_iter().filter(told) {
                            add(&mut template.cert, all(kind).map(|value| certificate_pair(kind, value)));
                        }
                    }
                }
                Speech::Ssh => add(&mut template.ssh, ssh_looks(service, labels, background)),
                Speech::Http if service.imported => {}
                Speech::Http => {
                    let server = all(FacetKind::HttpServer).map(|value| pair(FacetKind::HttpServer, value));
                    let server: Look = server.collect();
                    add(
                        &mut template.http,
                        all(FacetKind::HttpHeaderOrder).map(|value| {
                            let mut look = vec![pair(FacetKind::HttpHeaderOrder, value)];
                            look.extend(server.iter().cloned());
                            look
                        }),
                    );
                }
            }
        }
        template
    }

    /// True when the seed shows something to compare with in services of this kind.
    #[must_use]
    pub fn tells(&self, speech: Speech) -> bool {
        match speech {
            Speech::Tls => !self.jarm.is_empty() || !self.cert.is_empty(),
            Speech::Ssh => !self.ssh.is_empty(),
            Speech::Http => !self.http.is_empty(),
        }
    }

    /// Compares what a service has shown so far.
    #[must_use]
    pub fn compare(&self, shown: &Shown) -> Answer {
        if !self.tells(shown.speech) {
            return Answer::Nothing;
        }
        match shown.state {
            State::Nobody => return Answer::Nothing,
            State::Refused => return Answer::Absent,
            State::Settled | State::Unknown => {}
        }
        if shown.speech == Speech::Tls {
            return self.compare_tls(shown);
        }
        let looks = if shown.speech == Speech::Ssh { &self.ssh } else { &self.http };
        if looks.iter().any(|look| look.iter().all(|facet| shown.facets.contains(facet))) {
            return Answer::Like;
        }
        if shown.state == State::Settled { Answer::Differs } else { Answer::Open }
    }

    fn compare_tls(&self, shown: &Shown) -> Answer {
        if self.cert.iter().any(|facet| shown.facets.contains(facet)) {
            return Answer::Like;
        }
        let jarm = self.compare_jarm(shown);
        if jarm == Answer::Differs && self.lacks_leaf(shown) { Answer::Open } else { jarm }
    }

    fn compare_jarm(&self, shown: &Shown) -> Answer {
        let mut open = false;
        for look in &self.jarm {
            let fits = |(wanted, slot): (&String, &Option<SlotText>)| slot.as_ref().map(|slot| slot.fits(wanted));
            let fates: Vec<Option<bool>> = look.iter().zip(&shown.slots).map(fits).collect();
            if fates.iter().all(|fate| *fate == Some(true)) {
                return Answer::Like;
            }
            open |= !fates.contains(&Some(false));
        }
        if open { Answer::Open } else { Answer::Differs }
    }

    /// True when the hellos tell no more of this seed, but a certificate that no answer has shown yet could.
    pub(super) fn lacks_leaf(&self, shown: &Shown) -> bool {
        !self.cert.is_empty() && !shown.leaf_settled && self.compare_jarm(shown) == Answer::Differs
    }

    /// Leaves out algorithm lists that many have, where the seed shows anything better: by these alone a stranger with
    /// the same distribution would pass for the provider's.
    pub(super) fn drop_stock(&mut self) {
        let is_stock = |look: &Look| look.iter().any(|(kind, _)| kind == FacetKind::SshBanner.as_str());
        if self.tells(Speech::Tls) || !self.ssh.iter().all(is_stock) {
            self.ssh.retain(|look| !is_stock(look));
        }
    }
}

/// What comparing a service with one seed came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is like the seed's.
    Like,
    /// It differs: settled answers say so, never a time-out.
    Differs,
    /// It may be either: not all was asked, or time ran out.
    Open,
    /// The host refuses the service by which the seed could be told.
    Absent,
    /// Nothing to compare: nobody there, or nothing on record of the seed.
    Nothing,
}

/// How far a service has shown itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Every connection was refused.
    Refused,
    /// No connection stood, or it ended without a byte and not by a time-out.
    Nobody,
    /// All that was asked was answered.
    Settled,
    /// Time ran out, or our own side gave up.
    Unknown,
}

/// What one service has shown so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    speech: Speech,
    state: State,
    /// JARM: the settled ones.
    slots: [Option<SlotText>; 10],
    /// TLS: a certificate was seen, or there is none to be had.
    leaf_settled: bool,
    facets: Look,
}

/// One settled slot, in both forms in which templates write it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SlotText {
    part: String,
    code: String,
}

impl SlotText {
    fn of(slot: &Slot) -> Option<Self> {
        use jarm::VoidReason::{Refused, Unreachable};
        match slot {
            Slot::Answered(part) => {
                Some(Self { part: show_bytes(part.to_string().as_bytes()), code: fold::code(Some(part)) })
            }
            // A port that stood and refuses now refuses us, and says nothing of its TLS.
            Slot::Void(Refused | Unreachable) | Slot::Unknown => None,
            Slot::Void(_) => Some(Self { part: VOID.to_owned(), code: fold::code(None) }),
        }
    }

    fn fits(&self, wanted: &str) -> bool {
        wanted == self.part || wanted == self.code
    }
}

impl Shown {
    /// Reads what one service gave so far.
    #[must_use]
    pub fn read(speech: Speech, capture: &Capture) -> Self {
        let mut shown = Self {
            speech,
            state: State::Unknown,
            slots: [const { None }; 10],
            leaf_settled: false,
            facets: Vec::new(),
        };
        match speech {
            Speech::Tls => shown.read_tls(&capture.exchanges),
            Speech::Ssh => {
                let kinds = [
                    FacetKind::SshBanner,
                    FacetKind::SshHasshServer,
                    FacetKind::SshKexinitSha256,
                    FacetKind::SshHostKey,
                ];
                shown.read_facets(&ssh::read(capture), &kinds);
                // A tarpit that is still talking when time runs out counts as late here, not as another server.
                let settles = |one: &Exchange| ssh::is_settled(one) && !one.end.is_timeout() && !one.heard.is_empty();
                let settled = capture.exchanges.iter().any(settles);
                shown.state = state(&capture.exchanges, settled || shown.has(FacetKind::SshHostKey));
            }
            Speech::Http => {
                let reading = proto::read(Speech::Http, capture);
                shown.read_facets(&reading, &[FacetKind::HttpHeaderOrder, FacetKind::HttpServer]);
                let settles = |one: &Exchange| match one.end {
                    End::Full => true,
                    end => !end.is_timeout() && !one.heard.is_empty() && !one.heard.starts_with(b"HTTP/"),
                };
                let settled = capture.exchanges.iter().any(settles);
                shown.state = state(&capture.exchanges, settled || shown.has(FacetKind::HttpHeaderOrder));
            }
        }
        shown
    }

    fn read_tls(&mut self, exchanges: &[Exchange]) {
        self.slots = jarm::slots(exchanges).each_ref().map(SlotText::of);
        self.state = state(exchanges, true);
        let leaves: Vec<Vec<u8>> = exchanges.iter().filter_map(leaf_of).collect();
        let session_ended = |one: &Exchange| {
            matches!(one.step, Step::Session(_)) && matches!(one.end, End::Done | End::Closed | End::Reset | End::Full)
        };
        self.leaf_settled = !leaves.is_empty() || !may_speak_tls(exchanges) || exchanges.iter().any(session_ended);
        for leaf in &leaves {
            let facets = x509::leaf_facets(leaf, "jarm", None);
            let telling =
                facets.iter().filter(|facet| matches!(facet.kind, FacetKind::CertSpkiSha256 | FacetKind::CertIssuer));
            add(&mut self.facets, telling.map(|facet| certificate_pair(facet.kind, &facet.stored())));
        }
    }

    fn read_facets(&mut self, reading: &proto::Reading, kinds: &[FacetKind]) {
        let wanted = reading.facets.iter().filter(|facet| kinds.contains(&facet.kind));
        self.facets = wanted.map(|facet| pair(facet.kind, &facet.stored())).collect();
    }

    fn has(&self, kind: FacetKind) -> bool {
        self.facets.iter().any(|(of, _)| of == kind.as_str())
    }
}

/// The leaf that a connection showed, in clear or in a session.
#[must_use]
pub fn leaf_of(exchange: &Exchange) -> Option<Vec<u8>> {
    match exchange.step {
        Step::Jarm(_) => flight::read(&exchange.heard).chain.into_iter().next(),
        Step::Session(_) => exchange.session.as_ref()?.chain.first().map(|leaf| leaf.0.clone()),
        _ => None,
    }
}

/// How far the connections went; `settled` where what was heard decides, however they ended.
fn state(exchanges: &[Exchange], settled: bool) -> State {
    let ours = |one: &Exchange| matches!(one.end, End::Failed | End::OutOfScope | End::Stopped);
    let nobody = |one: &Exchange| one.heard.is_empty() && one.end != End::ReadTimedOut && !ours(one);
    if !exchanges.is_empty() && exchanges.iter().all(|one| one.end == End::Refused) {
        return State::Refused;
    }
    if exchanges.iter().all(nobody) {
        // On JARM's connections a close or a reset is an answer: the slot is void.
        let answered = exchanges
            .iter()
            .any(|one| matches!(one.step, Step::Jarm(_)) && matches!(one.end, End::Done | End::Closed | End::Reset));
        return if answered { State::Settled } else { State::Nobody };
    }
    let last_is_ours = exchanges.last().is_some_and(ours);
    if settled && !last_is_ours { State::Settled } else { State::Unknown }
}

/// Looks of an SSH service: each host key by itself, and the algorithm lists, which are the software's and its settings'.
/// Lists that many have tell little alone, so there the banner must agree too.
fn ssh_looks(service: &ServiceFacts, labels: &Labels, background: &Background) -> Vec<Look> {
    let all = |kind: FacetKind| service.facets.iter().filter(move |(of, _)| *of == kind).map(|(_, value)| value);
    let whole = |value: &&Vec<u8>| !service.imported || value.starts_with(b"SHA256:");
    let mut looks: Vec<Look> =
        all(FacetKind::SshHostKey).filter(whole).map(|value| vec![pair(FacetKind::SshHostKey, value)]).collect();
    if service.imported {
        return looks;
    }
    let stock = all(FacetKind::SshHasshServer).any(|hassh| labels.find(FacetKind::SshHasshServer, hassh).is_some());
    let banner = all(FacetKind::SshBanner).next();
    let kinds = [FacetKind::SshKexinitSha256, FacetKind::SshHasshServer];
    // Of the two digests of the lists the one over all ten.
    let lists = kinds.into_iter().find_map(|kind| all(kind).next().map(|value| (kind, value)));
    if let Some((kind, value)) = lists {
        let common = stock || background.share(kind, value).is_some_and(|share| share > STOCK_SHARE);
        let mut look = vec![pair(kind, value)];
        look.extend(banner.filter(|_| common).map(|banner| pair(FacetKind::SshBanner, banner)));
        looks.push(look);
    }
    looks
}

fn pair(kind: FacetKind, value: &[u8]) -> (String, String) {
    (kind.as_str().to_owned(), show_bytes(value))
}

/// As [`pair`]; numbers in an issuer are left out, since authorities number their generations.
fn certificate_pair(kind: FacetKind, value: &[u8]) -> (String, String) {
    let (kind_text, text) = pair(kind, value);
    if kind != FacetKind::CertIssuer {
        return (kind_text, text);
    }
    (kind_text, text.chars().filter(|c| !c.is_ascii_digit()).collect())
}

/// True where a certificate was issued by an authority of somebody's own: not by the certificate's own key, and without
/// the timestamps of public logs (RFC 6962) that browsers ask of public authorities. Such an issuer is a habit; others are
/// everybody's.
#[must_use]
pub fn has_own_issuer(leaf: &[u8]) -> bool {
    const TIMESTAMPS: &[u8] = &[0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x02];
    let facets = x509::leaf_facets(leaf, "", None);
    let of = |kind: FacetKind| facets.iter().find(|facet| facet.kind == kind).map(crate::facet::Facet::stored);
    let issuer = of(FacetKind::CertIssuerSha256);
    issuer.is_some()
        && issuer != of(FacetKind::CertSubjectSha256)
        && !leaf.windows(TIMESTAMPS.len()).any(|window| window == TIMESTAMPS)
}

fn add<T: PartialEq>(to: &mut Vec<T>, more: impl IntoIterator<Item = T>) {
    for one in more {
        if !to.contains(&one) {
            to.push(one);
        }
    }
}

/// The ten parts of a `tls.jarm_raw` as stored; `None` where all are void, since nobody is known by that.
fn raw_parts(value: &[u8]) -> Option<[String; 10]> {
    let parts: Vec<String> = serde_json::from_slice(value).ok()?;
    let parts: [String; 10] = parts.try_into().ok()?;
    parts.iter().any(|part| part != VOID).then_some(parts)
}

/// The ten codes of a JARM.
pub(super) fn codes(value: &[u8]) -> Option<[String; 10]> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() == 62 && *text != fold::ZERO)?;
    let mut parts = [const { String::new() }; 10];
    for (place, part) in parts.iter_mut().enumerate() {
        text.get(place * 3..place * 3 + 3)?.clone_into(part);
    }
    Some(parts)
}

/// The code of a template's slot, in whichever form it stands.
pub(super) fn code_of(slot: &str) -> String {
    if slot == VOID {
        return fold::code(None);
    }
    let mut fields = slot.split('|');
    match (fields.next(), fields.next()) {
        (Some(cipher), Some(version)) => {
            let cipher: Option<Vec<u8>> = (0..cipher.len() / 2)
                .map(|at| cipher.get(at * 2..at * 2 + 2).and_then(|byte| u8::from_str_radix(byte, 16).ok()))
                .collect();
            let part = jarm::answer::Part {
                cipher: cipher.unwrap_or_default(),
                version: u16::from_str_radix(version, 16).unwrap_or_default(),
                alpn: String::new(),
                extensions: Vec::new(),
            };
            fold::code(Some(&part))
        }
        _ => slot.to_owned(),
    }
}
