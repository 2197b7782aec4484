//! The written authorisation: grants, exclusions, opt-outs, dates, limits. Nothing is sent without it.
//!
//! In: a scope file (DESIGN.md 4.2), its opt-out files, today. Out: a [`Scope`], and from it one [`Permit`] for each
//! connection. What the file does not say is refused, flags only narrow, and every refusal names the line and says how
//! to mend it. Nothing here sends, resolves names or reads a clock of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::IpNet;
use sha2::{Digest as _, Sha256};

use crate::clock::{Clock, Timestamp};
use crate::observation::Speech;

pub mod address;
mod draft;
mod error;
mod explain;
mod file;
mod limits;
mod narrow;
pub mod network;
mod opt_out;
pub mod overlay;
mod permit;
mod reader;
pub mod special;

pub use draft::{DRAFT_SCHEMA, Proposal, draft};
pub use error::{FlagProblem, Place, Problem, ScopeError};
pub use explain::{Explanation, GrantExplained, PermittedTime, Removed, Totals};
pub use file::Grant;
pub use limits::Limits;
pub use narrow::{Narrowed, Narrowing};
pub use opt_out::{LiveExclusions, OptOutFile};
pub use permit::{Permit, Refusal};

use address::AddressSet;
use file::Written;

/// Which AS announces an address, where known.
pub type Origins = Arc<dyn Fn(IpAddr) -> Option<u32> + Send + Sync>;

/// Longest scope file read, in bytes.
const LONGEST_FILE: u64 = 4 << 20;

/// Addresses that share services: one grant without what is excluded.
#[derive(Clone, Debug)]
pub struct Reach {
    /// Whom the grant reaches: its networks, less exclusions and special-purpose blocks. Opt-out files are not taken
    /// off, since they change while a scan runs.
    pub addresses: AddressSet,
    /// What may be asked of each of them, in the order of [`Speech::ALL`] and then by port.
    pub services: Vec<(Speech, u16)>,
}

/// An authorisation, perhaps narrowed by flags. Cloning shares the opt-out lists.
#[derive(Clone)]
pub struct Scope {
    written: Arc<Written>,
    text: Arc<str>,
    path: PathBuf,
    sha256: String,
    opt_out: Arc<LiveExclusions>,
    origins: Option<Origins>,
    limits: Limits,
    reach: Arc<Vec<Reach>>,
    open: Arc<BTreeMap<(Speech, u16), AddressSet>>,
}

impl Scope {
    /// Reads a scope file with its opt-out files, and checks that it is in force.
    ///
    /// # Errors
    /// Anything that makes the scope unusable today; see [`ScopeError`].
    pub fn load(path: &Path, clock: &dyn Clock) -> Result<Self, ScopeError> {
        let scope = Self::read(path)?;
        scope.in_force(clock.now())?;
        Ok(scope)
    }

    /// Reads a scope file with its opt-out files, whatever the date.
    ///
    /// # Errors
    /// As [`Scope::load`], dates apart.
    pub fn read(path: &Path) -> Result<Self, ScopeError> {
        let text = read_bounded(path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self::parse(&text, path, Some(folder))
    }

    /// Reads the text of a scope. `path` is only shown in messages; opt-out files are looked for in `folder`. Without a
    /// folder they stay unread, and a scope that names some admits nobody: enough to show a scope, not to use it.
    ///
    /// # Errors
    /// As [`Scope::load`], dates apart.
    pub fn parse(text: &str, path: &Path, folder: Option<&Path>) -> Result<Self, ScopeError> {
        let written = file::read(text, path)?;
        let opt_out = match folder {
            Some(folder) => LiveExclusions::open(&written.opt_out_files, folder, path)?,
            None => LiveExclusions::unread(&written.opt_out_files),
        };
        let closed: Vec<AddressSet> = special::closed(written.lab)?.map(|(_, closed)| closed).collect();
        let excluded = AddressSet::new(closed.iter().flat_map(AddressSet::ranges).copied())
            .union(&AddressSet::new(written.excluded.iter().copied()));
        let reach: Vec<Reach> = written
            .grants
            .iter()
            .map(|grant| Reach {
                addresses: AddressSet::new(grant.networks.iter().copied()).subtract(&excluded),
                services: grant.services.clone(),
            })
            .collect();
        Ok(Self {
            limits: written.limits,
            written: Arc::new(written),
            text: text.into(),
            path: path.to_owned(),
            sha256: sha256_hex(text.as_bytes()),
            opt_out: Arc::new(opt_out),
            origins: None,
            open: Arc::new(open(&reach)),
            reach: Arc::new(reach),
        })
    }

    /// The same, knowing which AS announces an address.
    #[must_use]
    pub fn with_origins(mut self, origins: Origins) -> Self {
        self.origins = Some(origins);
        self
    }

    /// Whether the scope holds at `now`: `valid_from` is the first instant inside, `valid_until` the first outside.
    ///
    /// # Errors
    /// [`ScopeError::NotYetValid`] or [`ScopeError::Expired`].
    pub fn in_force(&self, now: Timestamp) -> Result<(), ScopeError> {
        let path = self.path.clone();
        match self.check_dates(now) {
            Ok(()) => Ok(()),
            Err(Refusal::NotYetValid { from }) => Err(ScopeError::NotYetValid { path, from, now }),
            Err(_) => Err(ScopeError::Expired { path, until: self.written.valid_until, now }),
        }
    }

    /// The right to open one connection to `to` now, in order to speak `speech`. Not a promise about limits: those are
    /// counted where it is spent.
    ///
    /// # Errors
    /// Why not. [`Refusal::is_passing`] tells those worth waiting for from those that are final.
    pub fn admit(&self, to: SocketAddr, speech: Speech, now: Timestamp) -> Result<Permit, Refusal> {
        self.check(to, speech, now)?;
        Ok(Permit::issue(to, speech, now))
    }

    /// Whether a permit that had to wait would still be given: opt-outs and dates may have changed meanwhile.
    ///
    /// # Errors
    /// As [`Scope::admit`].
    pub fn still_admits(&self, permit: &Permit, now: Timestamp) -> Result<(), Refusal> {
        self.check(permit.to(), permit.speech(), now)
    }

    fn check(&self, to: SocketAddr, speech: Speech, now: Timestamp) -> Result<(), Refusal> {
        self.check_dates(now)?;
        let granted = self.open.get(&(speech, to.port())).is_some_and(|who| who.contains(to.ip()));
        if !granted {
            return Err(self.why_not(to, Some(speech)));
        }
        self.opt_out.check(to.ip(), now)
    }

    fn check_dates(&self, now: Timestamp) -> Result<(), Refusal> {
        if now < self.written.valid_from {
            return Err(Refusal::NotYetValid { from: self.written.valid_from });
        }
        if now >= self.written.valid_until {
            return Err(Refusal::Expired { until: self.written.valid_until });
        }
        Ok(())
    }

    /// Why a service that the scope does not reach is not reached. `None` asks for any protocol.
    #[must_use]
    pub fn why_not(&self, to: SocketAddr, speech: Option<Speech>) -> Refusal {
        let address = to.ip();
        if let Some(block) = special::find(address).filter(|block| !(self.written.lab && block.lab)) {
            return Refusal::SpecialPurpose { address, block: block.to_string() };
        }
        if let Some(network) = self.written.excluded.iter().find(|network| network.contains(&address)) {
            return Refusal::Excluded { address, network: *network };
        }
        let holds = |grant: &&Grant| grant.networks.iter().any(|network| network.contains(&address));
        let grants: Vec<&Grant> = self.written.grants.iter().filter(holds).collect();
        if grants.is_empty() {
            return Refusal::NotGranted { address };
        }
        let asked = |(kind, port): &(Speech, u16)| *port == to.port() && speech.is_none_or(|speech| speech == *kind);
        if grants.iter().any(|grant| grant.services.iter().any(&asked)) {
            return Refusal::Narrowed { to };
        }
        let mut granted: Vec<(Speech, u16)> = grants.iter().flat_map(|grant| grant.services.clone()).collect();
        granted.sort_unstable();
        granted.dedup();
        Refusal::PortNotGranted { to, speech, granted }
    }

    /// What the scope is for.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.written.title
    }

    /// Who permits it, under which paper.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.written.authority
    }

    /// `mailto:` or `https:`; a lab may have none.
    #[must_use]
    pub fn contact(&self) -> Option<&str> {
        self.written.contact.as_deref()
    }

    /// The page that says what this is and how to opt out; a lab may have none.
    #[must_use]
    pub fn page(&self) -> Option<&str> {
        self.written.page.as_deref()
    }

    /// First instant inside.
    #[must_use]
    pub fn valid_from(&self) -> Timestamp {
        self.written.valid_from
    }

    /// First instant outside.
    #[must_use]
    pub fn valid_until(&self) -> Timestamp {
        self.written.valid_until
    }

    /// Loopback and 198.18.0.0/15 only.
    #[must_use]
    pub fn is_lab(&self) -> bool {
        self.written.lab
    }

    /// The grants as written, in the file's order.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.written.grants
    }

    /// `[exclude] files` as written.
    #[must_use]
    pub fn opt_out_files(&self) -> Vec<String> {
        self.written.opt_out_files.iter().map(|(file, _)| file.clone()).collect()
    }

    /// `[exclude] networks` as written.
    #[must_use]
    pub fn excluded(&self) -> &[IpNet] {
        &self.written.excluded
    }

    /// The opt-out lists, live.
    #[must_use]
    pub fn opt_out(&self) -> &LiveExclusions {
        &self.opt_out
    }

    /// The limits: those written, or lower ones where flags narrowed them.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Grant by grant, whom it reaches and what may be asked there; without grants that reach nobody.
    #[must_use]
    pub fn reach(&self) -> &[Reach] {
        &self.reach
    }

    /// The AS that announces the address, where known.
    #[must_use]
    pub fn origin(&self, address: IpAddr) -> Option<u32> {
        self.origins.as_ref().and_then(|origins| origins(address))
    }

    /// The file's text, unchanged.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it was read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the file's text, hex.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What the scope permits, in numbers, at `now`. `cost` says how many connections a full capture of one service of
    /// a protocol takes at most.
    #[must_use]
    pub fn explain(&self, now: Timestamp, cost: &dyn Fn(Speech) -> u64) -> Explanation {
        explain::explain(self, now, cost)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("title", &self.title()).field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

/// For each service kind whom it may be asked of.
fn open(reach: &[Reach]) -> BTreeMap<(Speech, u16), AddressSet> {
    let mut ranges: BTreeMap<(Speech, u16), Vec<address::Range>> = BTreeMap::new();
    for one in reach {
        for service in &one.services {
            ranges.entry(*service).or_default().extend(one.addresses.ranges());
        }
    }
    ranges.into_iter().map(|(service, ranges)| (service, AddressSet::new(ranges))).collect()
}

/// SHA-256 as lower-case hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn read_bounded(path: &Path) -> Result<String, ScopeError> {
    use std::io::Read as _;
    let unreadable = |source| ScopeError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(LONGEST_FILE.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST_FILE) {
        return Err(ScopeError::TooLong { path: path.to_owned(), longest: LONGEST_FILE });
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
        Problem::NotUtf8.at(path, line)
    })
}

/// The number, from 1, of the line that holds this byte.
fn line_of(bytes: &[u8], offset: usize) -> usize {
    bytes.iter().take(offset).filter(|byte| **byte == b'\n').count().saturating_add(1)
}
