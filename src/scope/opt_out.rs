//! Opt-out files, read again while a scan runs.
//!
//! A change holds within a second: on use, and at most every 200 ms, each file's stamp (device, inode, length, times) is
//! looked at, and a file that changed is read again. No thread, no watcher. What cannot be understood stops all
//! connections: a list that is gone, unreadable or malformed admits nobody until it is mended, and what it said before
//! still holds. An address that leaves a list stays excluded for two more seconds, so that a list that is
//! just being rewritten (cut to nothing, then filled) never looks shorter than it is.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{PoisonError, RwLock};

use super::address::AddressSet;
use super::error::{Problem, ScopeError};
use super::network::{NetworkError, parse_network};
use super::permit::Refusal;
use super::sha256_hex;
use crate::clock::Timestamp;

/// How often stamps are looked at, in milliseconds.
const EVERY_MS: i64 = 200;

/// How long a list must stand unchanged before what left it is let go, in milliseconds. Also how old a file must be
/// before its stamp is trusted: two writes within one tick of the file system's clock can leave the same stamp.
const SETTLED_MS: i64 = 2_000;

/// Longest file read, in bytes: several million addresses.
const LONGEST_FILE: u64 = 64 << 20;

/// Never looked at.
const NEVER: i64 = i64::MIN;

/// Addresses that must not be asked, as opt-out files say it now.
#[derive(Debug)]
pub struct LiveExclusions {
    /// No files, so nothing to look at: asked before every packet.
    none: bool,
    looked_at_ms: AtomicI64,
    held: RwLock<Held>,
}

/// One opt-out file as last read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOutFile {
    /// Where it is.
    pub path: PathBuf,
    /// How many addresses it names.
    pub addresses: u128,
    /// SHA-256 of its bytes, hex; empty when it was never read.
    pub sha256: String,
    /// What is wrong with it now.
    pub trouble: Option<String>,
}

#[derive(Debug, Default)]
struct Held {
    files: Vec<Watched>,
    /// What all files say together, and what has just left them.
    all: AddressSet,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    stamp: Option<Stamp>,
    sha256: String,
    entries: AddressSet,
    /// What the file said before it changed, and when that was seen.
    left: Option<(AddressSet, i64)>,
    trouble: Option<String>,
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified_ns: (i64, i64),
    changed_ns: (i64, i64),
}

impl LiveExclusions {
    /// Reads all files; names are relative to `folder`. Each comes with the line of the scope that names it.
    pub(super) fn open(names: &[(String, usize)], folder: &Path, scope: &Path) -> Result<Self, ScopeError> {
        let mut files = Vec::with_capacity(names.len());
        for (name, line) in names {
            let path = folder.join(name);
            let unreadable = |source| Problem::OptOutUnreadable { path: path.clone(), source }.at(scope, *line);
            let (bytes, stamp) = read(&path).map_err(unreadable)?;
            let Some(bytes) = bytes else {
                return Err(Problem::OptOutTooLong { path, longest: LONGEST_FILE }.at(scope, *line));
            };
            let (entries, wrong) = parse(&bytes);
            if let Some((line, problem)) = wrong {
                return Err(problem.at(&path, line));
            }
            let sha256 = sha256_hex(&bytes);
            files.push(Watched { path, stamp: Some(stamp), sha256, entries, left: None, trouble: None });
        }
        Ok(Self::holding(files))
    }

    /// Files that nobody reads: admits nobody when there are any.
    pub(super) fn unread(names: &[(String, usize)]) -> Self {
        let unread = |(name, _): &(String, usize)| Watched {
            path: PathBuf::from(name),
            stamp: None,
            sha256: String::new(),
            entries: AddressSet::default(),
            left: None,
            trouble: Some(format!("the scope was read without its opt-out file {name}")),
        };
        let unwatched = Self::holding(names.iter().map(unread).collect());
        unwatched.looked_at_ms.store(i64::MAX, Ordering::SeqCst);
        unwatched
    }

    fn holding(files: Vec<Watched>) -> Self {
        let mut held = Held { files, all: AddressSet::default() };
        held.join();
        Self { none: held.files.is_empty(), looked_at_ms: AtomicI64::new(NEVER), held: RwLock::new(held) }
    }

    /// Whether the address may be asked, as far as the lists say.
    ///
    /// # Errors
    /// [`Refusal::OptedOut`], or [`Refusal::OptOutUnreadable`] while a list is in trouble.
    pub fn check(&self, address: IpAddr, now: Timestamp) -> Result<(), Refusal> {
        if self.none {
            return Ok(());
        }
        self.look(now);
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        if held.all.contains(address) {
            return Err(Refusal::OptedOut { address });
        }
        match held.files.iter().find_map(|file| file.trouble.clone()) {
            Some(why) => Err(Refusal::OptOutUnreadable { why }),
            None => Ok(()),
        }
    }

    /// All that is opted out now.
    #[must_use]
    pub fn addresses(&self, now: Timestamp) -> AddressSet {
        self.look(now);
        self.held.read().unwrap_or_else(PoisonError::into_inner).all.clone()
    }

    /// The files as last read, in the order of the scope.
    #[must_use]
    pub fn files(&self) -> Vec<OptOutFile> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let show = |file: &Watched| OptOutFile {
            path: file.path.clone(),
            addresses: file.entries.count(),
            sha256: file.sha256.clone(),
            trouble: file.trouble.clone(),
        };
        held.files.iter().map(show).collect()
    }

    /// Looks at the files when it is time to. One caller does; others go on with what is held.
    fn look(&self, now: Timestamp) {
        let now = now.as_millisecond();
        let last = self.looked_at_ms.load(Ordering::Acquire);
        // A wall clock set back counts as time to look.
        let rests = last == i64::MAX || (now >= last && now.saturating_sub(last) < EVERY_MS);
        if rests || self.looked_at_ms.compare_exchange(last, now, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return;
        }
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = false;
        for file in &mut held.files {
            changed |= file.refresh(now);
        }
        if changed {
            held.join();
        }
    }
}

impl Held {
    fn join(&mut self) {
        let each = |file: &Watched| -> Vec<_> {
            let left = file.left.iter().flat_map(|(entries, _)| entries.ranges());
            file.entries.ranges().iter().chain(left).copied().collect()
        };
        self.all = AddressSet::new(self.files.iter().flat_map(each));
    }
}

impl Watched {
    /// Reads the file again where it changed; says whether its entries did.
    fn refresh(&mut self, now: i64) -> bool {
        let settled = self.settle(now);
        let seen = std::fs::metadata(&self.path).map(|found| Stamp::of(&found));
        let same = seen.as_ref().is_ok_and(|stamp| Some(*stamp) == self.stamp && !stamp.is_young(now));
        if same && self.trouble.is_none() {
            return settled;
        }
        self.reread(now) || settled
    }

    /// Lets go of what left the file once it has stood unchanged for long enough.
    fn settle(&mut self, now: i64) -> bool {
        match &mut self.left {
            Some((_, since)) if now < *since => *since = now,
            Some((_, since)) if self.trouble.is_none() && now.saturating_sub(*since) >= SETTLED_MS => {
                self.left = None;
                return true;
            }
            _ => {}
        }
        false
    }

    fn reread(&mut self, now: i64) -> bool {
        let shown = self.path.display();
        let (bytes, stamp) = match read(&self.path) {
            Ok((Some(bytes), stamp)) => (bytes, stamp),
            Ok((None, _)) => {
                self.trouble = Some(format!("opt-out file {shown} is longer than {LONGEST_FILE} bytes"));
                return false;
            }
            Err(error) => {
                self.trouble = Some(format!("cannot read opt-out file {shown}: {error}"));
                return false;
            }
        };
        self.stamp = Some(stamp);
        let sha256 = sha256_hex(&bytes);
        if sha256 == self.sha256 {
            // It may have been out of reach for a while; a malformed file stays in trouble while it says the same.
            let wrong = self.trouble.take().and_then(|_| parse(&bytes).1);
            self.trouble = wrong.map(|(line, problem)| format!("{shown}:{line}: {problem}"));
            return false;
        }
        let (entries, wrong) = parse(&bytes);
        self.trouble = wrong.map(|(line, problem)| format!("{shown}:{line}: {problem}"));
        let before = self.left.take().map(|(left, _)| left).unwrap_or_default().union(&self.entries);
        self.left = Some((before, now));
        self.entries = entries;
        self.sha256 = sha256;
        true
    }
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            length: found.len(),
            modified_ns: (found.mtime(), found.mtime_nsec()),
            changed_ns: (found.ctime(), found.ctime_nsec()),
        }
    }

    fn is_young(&self, now: i64) -> bool {
        let ms = |(seconds, ns): (i64, i64)| seconds.saturating_mul(1_000).saturating_add(ns / 1_000_000);
        let age = |at| now.abs_diff(ms(at));
        age(self.modified_ns).min(age(self.changed_ns)) < SETTLED_MS.unsigned_abs()
    }
}

/// The bytes, `None` when there are too many, and the stamp taken before they were read: a write in between shows as a
/// changed stamp at the next look.
fn read(path: &Path) -> io::Result<(Option<Vec<u8>>, Stamp)> {
    // Asked by name first: opening a pipe would wait for its other end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let file = File::open(path)?;
    let found = file.metadata()?;
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE.saturating_add(1)).read_to_end(&mut bytes)?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= LONGEST_FILE);
    Ok((fits.then_some(bytes), Stamp::of(&found)))
}

/// All entries that can be read, and the first line that cannot. An entry with bits behind its prefix excludes the whole
/// network: for an exclusion the wider reading is the safe one.
fn parse(bytes: &[u8]) -> (AddressSet, Option<(usize, Problem)>) {
    let mut networks = Vec::new();
    let mut wrong = None;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (number, line) in (1usize..).zip(bytes.split(|byte| *byte == b'\n')) {
        let text = String::from_utf8_lossy(line);
        let entry = text.split_once('#').map_or(text.as_ref(), |(entry, _)| entry).trim();
        if entry.is_empty() {
            continue;
        }
        match parse_network(entry) {
            Ok(network) | Err(NetworkError::HostBits { meant: network, .. }) => networks.push(network),
            Err(error) => wrong = wrong.or(Some((number, error.into()))),
        }
    }
    (AddressSet::new(networks), wrong)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::{Clock as _, FakeClock};

    struct Fixture {
        folder: tempfile::TempDir,
        lists: LiveExclusions,
        clock: FakeClock,
    }

    impl Fixture {
        fn new(first: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("out.txt"), first).unwrap();
            let names = [("out.txt".to_owned(), 7)];
            let lists = LiveExclusions::open(&names, folder.path(), Path::new("scope.toml")).unwrap();
            // Far on, so that the file's own times are old and only its stamp can tell.
            let clock = FakeClock::at("2100-01-01T00:00:00Z".parse().unwrap());
            Self { folder, lists, clock }
        }

        fn write(&self, text: &str) {
            std::fs::write(self.folder.path().join("out.txt"), text).unwrap();
        }

        fn after(&self, ms: u64, address: &str) -> Result<(), Refusal> {
            self.clock.advance(Duration::from_millis(ms));
            self.lists.check(address.parse().unwrap(), self.clock.now())
        }
    }

    #[test]
    fn an_added_line_holds_within_a_second() {
        let fixture = Fixture::new("192.0.2.1\n");
        assert_eq!(fixture.after(0, "192.0.2.2"), Ok(()));
        fixture.write("192.0.2.1\n192.0.2.0/30 # more\n");
        assert!(matches!(fixture.after(999, "192.0.2.2"), Err(Refusal::OptedOut { .. })));
    }

    #[test]
    fn a_list_being_rewritten_never_looks_shorter() {
        let fixture = Fixture::new("192.0.2.1\n192.0.2.2\n");
        fixture.write("");
        assert!(fixture.after(300, "192.0.2.1").is_err());
        fixture.write("192.0.2.2\n");
        assert!(fixture.after(300, "192.0.2.1").is_err());
        assert!(fixture.after(1_800, "192.0.2.1").is_err());
        assert_eq!(fixture.after(300, "192.0.2.1"), Ok(()));
        assert!(fixture.after(10_000, "192.0.2.2").is_err());
    }

    #[test]
    fn a_list_that_vanishes_stops_everything_until_it_is_back() {
        let fixture = Fixture::new("192.0.2.1\n");
        let path = fixture.folder.path().join("out.txt");
        std::fs::remove_file(&path).unwrap();
        let refusal = fixture.after(300, "192.0.2.9").unwrap_err();
        assert!(refusal.is_passing() && refusal.to_string().contains("cannot read opt-out file"), "{refusal}");
        assert!(matches!(fixture.after(60_000, "192.0.2.1"), Err(Refusal::OptedOut { .. })));
        fixture.write("192.0.2.1\n");
        assert_eq!(fixture.after(300, "192.0.2.9"), Ok(()));
    }

    #[test]
    fn a_malformed_line_stops_everything_and_the_good_lines_hold() {
        let fixture = Fixture::new("");
        fixture.write("192.0.2.5\nexample.org\n");
        let refusal = fixture.after(300, "192.0.2.9").unwrap_err();
        assert!(refusal.to_string().contains("out.txt:2: `example.org` is not an address"), "{refusal}");
        assert!(matches!(fixture.after(300, "192.0.2.5"), Err(Refusal::OptedOut { .. })));
        assert!(fixture.after(300, "192.0.2.9").unwrap_err().is_passing());
        fixture.write("192.0.2.5\n");
        assert_eq!(fixture.after(300, "192.0.2.9"), Ok(()));
    }

    #[test]
    fn a_clock_set_back_does_not_stop_the_looking() {
        let fixture = Fixture::new("");
        assert_eq!(fixture.after(0, "192.0.2.2"), Ok(()));
        fixture.write("192.0.2.2\n");
        fixture.clock.set_utc("2099-01-01T00:00:00Z".parse().unwrap());
        assert!(fixture.after(0, "192.0.2.2").is_err());
    }

    #[test]
    fn two_writes_of_one_length_within_a_tick_are_both_seen() {
        let fixture = Fixture::new("192.0.2.1\n");
        let now = std::fs::metadata(fixture.folder.path().join("out.txt")).unwrap();
        fixture.clock.set_utc(Timestamp::from_second(now.mtime()).unwrap());
        for host in ["192.0.2.2", "192.0.2.3", "192.0.2.4"] {
            fixture.write(&format!("{host}\n"));
            assert!(fixture.after(200, host).is_err(), "{host}");
        }
    }

    #[test]
    fn an_entry_with_bits_behind_its_prefix_excludes_the_network() {
        let (entries, wrong) = parse(b"\xef\xbb\xbf192.0.2.77/24\r\n\n# none\n");
        assert!(wrong.is_none() && entries.contains("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn any_bytes_are_survived() {
        assert!(parse(b"\xff\xfe\x00/\n").1.is_some());
    }
}
