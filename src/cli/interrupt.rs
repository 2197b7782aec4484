//! Ctrl-C: the first asks everything to stop and lets the writer commit; the second ends at once, which is as safe as
//! `kill -9`.

use super::exit::Exit;
use super::term::Term;
use crate::net::Stopper;

/// Watches for Ctrl-C (and a polite `kill`) on a thread of its own, for the rest of the process.
///
/// # Errors
/// When the system has no thread or signal handler to give.
pub(super) fn catch(stopper: &Stopper, term: &Term) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (stopper, term) = (stopper.clone(), *term);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Both stand before this returns and stay: a signal between two waits is kept for the second.
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            term.say("stopping: open connections are closed and what is done is written; once more ends at once");
            stopper.stop();
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            end_now();
        });
    })?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a second Ctrl-C ends at once; the case is safe against that")]
fn end_now() -> ! {
    std::process::exit(Exit::Interrupted as i32)
}
