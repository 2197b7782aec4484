//! A street that runs in the foreground of one command and is stopped from another: a state file says that it is up, a
//! stop file asks it to end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::Ipv4Net;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

use super::LabError;
use super::plan::Plan;
use super::street::Street;
use crate::clock::{Clock, SystemClock, Timestamp};

/// How often a running street looks for its stop file, and a caller for its end.
const LOOK: Duration = Duration::from_millis(200);

/// What the state file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The process that serves the street.
    pub pid: i32,
    /// Where it stands.
    pub block: Ipv4Net,
    /// Ports: TLS, HTTP, SSH.
    pub ports: [u16; 3],
    /// The plan's seed.
    pub seed: u64,
    /// How many addresses have a story.
    pub hosts: usize,
    /// Since when.
    pub up_since: Timestamp,
}

/// Why a street in the foreground ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Somebody asked with [`request_stop`].
    Asked,
    /// Ctrl-C or a terminate signal.
    Interrupted,
}

/// Brings the street up, tells `ready`, and serves until Ctrl-C, a terminate signal or [`request_stop`]. Not to be called
/// from inside an async runtime.
///
/// # Errors
/// When a street of this directory is up already, its files cannot be written, or the street cannot come up.
pub fn run_until_stopped(state_dir: &Path, plan: Plan, ready: impl FnOnce(&Street)) -> Result<Ended, LabError> {
    if let Some(state) = read_state(state_dir)? {
        return Err(LabError::AlreadyUp(state.pid));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LabError::Start)?;
    let street = Street::up(plan)?;
    let files = Files::write(state_dir, street.plan())?;
    ready(&street);
    let ended = runtime.block_on(wait(&files.stop));
    street.down();
    drop(files);
    ended
}

/// What the street of this directory says of itself; `None` when none is up. A state file left by a process that died is
/// not believed.
///
/// # Errors
/// When a state file exists but cannot be read.
pub fn read_state(state_dir: &Path) -> Result<Option<State>, LabError> {
    let path = state_file(state_dir);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(LabError::File { path, source }),
    };
    let state: State = serde_json::from_str(&text)
        .map_err(|source| LabError::File { path, source: io::Error::new(io::ErrorKind::InvalidData, source) })?;
    Ok(is_alive(state.pid).then_some(state))
}

/// Asks the street of this directory to stop and waits until it has; false when none is up.
///
/// # Errors
/// When the stop file cannot be written, or the street is still up after `patience`.
pub fn request_stop(state_dir: &Path, patience: Duration) -> Result<bool, LabError> {
    let Some(state) = read_state(state_dir)? else { return Ok(false) };
    let path = stop_file(state_dir);
    fs::write(&path, b"").map_err(|source| LabError::File { path: path.clone(), source })?;
    let clock = SystemClock::new();
    while read_state(state_dir)?.is_some() {
        if clock.elapsed() > patience {
            return Err(LabError::StillUp(state.pid));
        }
        std::thread::sleep(LOOK / 2);
    }
    let _ = fs::remove_file(&path);
    Ok(true)
}

fn state_file(state_dir: &Path) -> PathBuf {
    state_dir.join("street.json")
}

fn stop_file(state_dir: &Path) -> PathBuf {
    state_dir.join("street.stop")
}

fn is_alive(pid: i32) -> bool {
    let Some(pid) = Pid::from_raw(pid) else { return false };
    !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

async fn wait(stop: &Path) -> Result<Ended, LabError> {
    let mut terminate =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(LabError::Start)?;
    let asked = async {
        while !stop.exists() {
            tokio::time::sleep(LOOK).await;
        }
    };
    Ok(tokio::select! {
        () = asked => Ended::Asked,
        _ = tokio::signal::ctrl_c() => Ended::Interrupted,
        _ = terminate.recv() => Ended::Interrupted,
    })
}

/// The state file while the street is up; both files are gone afterwards.
struct Files {
    state: PathBuf,
    stop: PathBuf,
}

impl Files {
    fn write(state_dir: &Path, plan: &Plan) -> Result<Self, LabError> {
        let files = Self { state: state_file(state_dir), stop: stop_file(state_dir) };
        let wrong = |path: &Path| {
            let path = path.to_owned();
            move |source| LabError::File { path, source }
        };
        fs::create_dir_all(state_dir).map_err(wrong(state_dir))?;
        let _ = fs::remove_file(&files.stop);
        let state = State {
            pid: rustix::process::getpid().as_raw_nonzero().get(),
            block: plan.layout.block(),
            ports: [plan.layout.ports.tls, plan.layout.ports.http, plan.layout.ports.ssh],
            seed: plan.seed,
            hosts: plan.hosts.len(),
            up_since: SystemClock::new().now(),
        };
        let draft = files.state.with_extension("new");
        let text = serde_json::to_vec(&state).map_err(io::Error::from).map_err(wrong(&draft))?;
        fs::write(&draft, text).map_err(wrong(&draft))?;
        fs::rename(&draft, &files.state).map_err(wrong(&files.state))?;
        Ok(files)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.stop);
        let _ = fs::remove_file(&self.state);
    }
}
