//! One street, captured in full and hunted: who is found, and what it cost each group.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hostkin::observation::{Outcome, Step};
use hostkin::probe::hunt::has_own_issuer;
use hostkin::proto::flight;
use hostkin::store::{Case, ObservationFilter, StoreError};

use super::street::{Counts, Resident, Role, Street};

/// Connections that one who differs at once may cost, on average over a group: where all offer both TLS and SSH, one for
/// each of these is the least that finds the full mode's matches, and some stacks need a second hello.
pub(crate) fn most_each(all_ports: bool) -> f64 {
    if all_ports { 2.2 } else { 1.6 }
}

/// Of the full mode's connections.
pub(crate) const MOST_SHARE: f64 = 0.25;

/// One scan of the street, and what the far side counted.
pub(crate) struct Scanned {
    pub(crate) label: &'static str,
    pub(crate) counts: Counts,
    pub(crate) summary: serde_json::Value,
    pub(crate) matches: BTreeSet<Ipv4Addr>,
    /// Hosts in which the capture was cut short.
    pub(crate) pruned: BTreeSet<Ipv4Addr>,
}

impl Scanned {
    /// All that were begun, refused ones included.
    pub(crate) fn begun(&self) -> u64 {
        self.summary["connections"].as_u64().unwrap()
    }
}

/// A folder, the program, and the street it is let loose on.
pub(crate) struct Bench<'a> {
    pub(crate) program: PathBuf,
    pub(crate) folder: &'a Path,
    pub(crate) street: &'a Street,
    /// As the scope grants it.
    pub(crate) network: String,
}

impl Bench<'_> {
    pub(crate) fn hostkin(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.folder).stdin(Stdio::null()).env("NO_COLOR", "1");
        let output = command.env("HOSTKIN_ACTOR", "tester").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "hostkin {arguments:?}: {}\n{said}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// A new case under a scope that grants the street.
    pub(crate) fn open(&self, case: &str) {
        let [tls, ssh, http] = self.street.ports;
        let scope = format!(
            "schema = \"hostkin/scope/1\"\ntitle = \"A street\"\nauthority = \"The test itself\"\nlab = true\n\
             valid_from = 2020-01-01T00:00:00Z\nvalid_until = 2100-01-01T00:00:00Z\n[[grant]]\nnetworks = [\"{}\"]\n\
             ports = {{ tls = [{tls}], ssh = [{ssh}], http = [{http}] }}\n",
            self.network
        );
        std::fs::write(self.folder.join("scope.toml"), scope).unwrap();
        self.hostkin(&["new", case, "--scope", "scope.toml"]);
    }

    /// A new case of one observed seed, and one scan of everybody; both with the fewest connections of each mode.
    pub(crate) fn scan(&self, label: &'static str, options: &[&str]) -> Scanned {
        let case = format!("{}.case", label.replace(' ', "-"));
        let seed = self.seed().to_string();
        let few = ["--favicon", "off", "--ssh-keys", "first"];
        self.open(&case);
        self.hostkin(&[&["scan", &case, "--targets", &seed][..], &few].concat());
        self.hostkin(&["seed", &case, &seed, "--why", "the test says so"]);
        self.street.take_counts();
        self.hostkin(&[&["scan", &case, "--seed", "1", "--summary", "s.json"][..], &few, options].concat());
        let counts = self.street.take_counts();
        let summary: serde_json::Value =
            serde_json::from_slice(&std::fs::read(self.folder.join("s.json")).unwrap()).unwrap();
        assert_eq!(summary["complete"], true);
        let (matches, pruned) = self.read(&self.folder.join(case));
        Scanned { label, counts, summary, matches, pruned }
    }

    fn seed(&self) -> Ipv4Addr {
        *self.street.residents.iter().find(|(_, one)| one.number == 7).unwrap().0
    }

    /// Who agrees with the seed in a telling service, by facets on record alone: the whole JARM, a certificate's key or
    /// its private authority, an SSH host key or the SSH lists; and the page's header order with its `Server`, of hosts
    /// that offer neither TLS nor SSH.
    fn read(&self, path: &Path) -> (BTreeSet<Ipv4Addr>, BTreeSet<Ipv4Addr>) {
        let case = Case::open_read_only(path).unwrap();
        let mut shown: BTreeMap<Ipv4Addr, BTreeSet<(String, Vec<u8>)>> = BTreeMap::new();
        let mut pruned = BTreeSet::new();
        let filter = ObservationFilter { run: Some(2), captures: true, ..ObservationFilter::default() };
        case.observations::<StoreError>(&filter, |one| {
            let std::net::IpAddr::V4(at) = one.address else { unreachable!() };
            let facets = shown.entry(at).or_default();
            if one.outcome == Outcome::Pruned {
                pruned.insert(at);
            }
            if one.over_tls {
                return Ok(());
            }
            let of = |kind: &str| one.facets.iter().find(|facet| facet.kind.as_str() == kind);
            for kind in ["tls.jarm_raw", "cert.spki_sha256", "ssh.host_key", "ssh.kexinit_sha256"] {
                facets.extend(of(kind).map(|facet| (kind.to_owned(), facet.value.clone())));
            }
            if one.protocol == "http" {
                let value = ["http.header_order", "http.server"].map(|kind| of(kind).map(|facet| facet.value.clone()));
                facets.insert(("page".to_owned(), format!("{value:?}").into_bytes()));
            } else {
                facets.insert(("more than a page".to_owned(), at.octets().to_vec()));
            }
            let hellos = one.capture.iter().flat_map(|capture| &capture.exchanges);
            for hello in hellos.filter(|hello| matches!(hello.step, Step::Jarm(_))) {
                let chain = flight::read(&hello.heard).chain;
                if chain.first().is_some_and(|leaf| has_own_issuer(leaf)) {
                    let mut issuer = of("cert.issuer").unwrap().value.clone();
                    issuer.retain(|byte| !byte.is_ascii_digit());
                    facets.insert(("authority".to_owned(), issuer));
                }
            }
            Ok(())
        })
        .unwrap();
        let seed = shown[&self.seed()].clone();
        let agrees = |facets: &BTreeSet<(String, Vec<u8>)>| {
            let more = facets.iter().any(|(kind, _)| kind == "more than a page");
            facets.intersection(&seed).any(|(kind, _)| kind != "page" || !more)
        };
        (shown.iter().filter(|(_, facets)| agrees(facets)).map(|(at, _)| *at).collect(), pruned)
    }
}

/// Connections of some hosts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) hosts: u32,
    pub(crate) connections: u32,
    pub(crate) most: u32,
}

impl Cost {
    pub(crate) fn mean(self) -> f64 {
        f64::from(self.connections) / f64::from(self.hosts.max(1))
    }
}

/// What the hosts that `wanted` picks cost in a scan.
pub(crate) fn cost(street: &Street, scanned: &Scanned, wanted: impl Fn(&Resident) -> bool) -> Cost {
    let mut cost = Cost::default();
    for (at, _) in street.residents.iter().filter(|(_, one)| wanted(one)) {
        let connections = scanned.counts.get(at).map_or(0, |services| services.iter().sum());
        cost.hosts += 1;
        cost.connections += connections;
        cost.most = cost.most.max(connections);
    }
    cost
}

/// What is wrong with a hunt beside the full capture of the same street; empty when it keeps all bounds.
pub(crate) fn faults(street: &Street, full: &Scanned, hunt: &Scanned, most_each: f64) -> Vec<String> {
    let mut faults = Vec::new();
    let truth: BTreeSet<Ipv4Addr> =
        street.residents.iter().filter(|(_, one)| one.role.matches()).map(|(at, _)| *at).collect();
    if full.matches != truth {
        let odd: Vec<_> = full.matches.symmetric_difference(&truth).map(|at| (at, street.residents[at].role)).collect();
        faults.push(format!("the full mode's matches are not those of the street: {odd:?}"));
    }
    if hunt.matches != full.matches {
        let odd: Vec<_> =
            hunt.matches.symmetric_difference(&full.matches).map(|at| (at, street.residents[at].role)).collect();
        faults.push(format!("the hunt's matches are not the full mode's: {odd:?}"));
    }
    let cut: Vec<_> = hunt.pruned.intersection(&truth).collect();
    if !cut.is_empty() {
        faults.push(format!("matches that were cut short: {cut:?}"));
    }
    for role in Role::ALL.into_iter().filter(|role| role.differs_at_once()) {
        let each = cost(street, hunt, |one| one.role == role).mean();
        if each > most_each {
            faults.push(format!("{each:.3} connections for each of the {}", role.words()));
        }
    }
    let (all, of_full) = (cost(street, hunt, |_| true).connections, cost(street, full, |_| true).connections);
    if f64::from(all) > MOST_SHARE * f64::from(of_full) {
        faults.push(format!("{all} connections of {}, {of_full} of {}", hunt.label, full.label));
    }
    for scanned in [full, hunt] {
        let stood = u64::from(cost(street, scanned, |_| true).connections);
        if stood > scanned.begun() {
            faults.push(format!("{}: {stood} connections stood and {} were begun", scanned.label, scanned.begun()));
        }
    }
    faults
}
