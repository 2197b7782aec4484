//! What the program itself used: processor time, memory, descriptors.

use std::io;
use std::os::fd::{AsFd as _, RawFd};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Processor time (user and system) and peak memory of this process so far.
#[must_use]
pub fn usage() -> (Duration, u64) {
    let usage = resource_usage();
    let time = |value: libc::timeval| {
        let seconds = u64::try_from(value.tv_sec).unwrap_or_default();
        let micros = u64::try_from(value.tv_usec).unwrap_or_default();
        Duration::from_secs(seconds) + Duration::from_micros(micros)
    };
    let peak = peak().unwrap_or_else(|| u64::try_from(usage.ru_maxrss).unwrap_or_default() * 1024);
    (time(usage.ru_utime) + time(usage.ru_stime), peak)
}

/// Peak memory by `/proc`. What getrusage says begins with the memory of whoever started this program: Linux keeps that
/// figure over exec.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.saturating_mul(1024))
}

#[expect(unsafe_code, reason = "getrusage into a zeroed struct of its own type; no safe crate here offers it")]
fn resource_usage() -> libc::rusage {
    // SAFETY: rusage holds only integers, so all zeros is a valid value, and the call writes within it.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    }
}

/// Raises the soft limit of open descriptors to the hard one and says how many more may be opened now.
///
/// # Errors
/// When the system refuses; the limit is then what it was.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(1 << 20);
    if limit.current.is_none_or(|now| now < most) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum })?;
    }
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    Ok(most.saturating_sub(u64::try_from(open).unwrap_or(u64::MAX)))
}

/// Makes room for `count` open descriptors at once.
///
/// The kernel's table of a process's descriptors doubles as they grow in number, and while other threads share it each
/// step holds the one that opens a socket up for some 20 ms (measured), right between its turn and its connection. So
/// it is grown once, before the threads start.
///
/// # Errors
/// When the system's limit is lower.
pub fn reserve_descriptors(count: usize) -> io::Result<()> {
    let highest = RawFd::try_from(count).map_err(io::Error::other)?;
    // The table keeps its size when the copy is closed again.
    drop(rustix::io::fcntl_dupfd_cloexec(io::stderr().as_fd(), highest)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn room_for_descriptors_is_made_once_and_uses_none_up() {
        super::reserve_descriptors(900).unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("FDSize:")).unwrap();
        assert!(size.trim().parse::<u64>().unwrap() > 900, "{size}");
        assert!(std::fs::read_link("/proc/self/fd/900").is_err());
    }
}
