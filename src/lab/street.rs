//! The street itself: every listener of a [`Plan`], on a thread and a runtime of its own.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, oneshot};
use tokio_rustls::TlsAcceptor;

use super::LabError;
use super::certificate::Mint;
use super::host_key::Keys;
use super::plan::{Offer, Plan, Speaks};
use super::serve::{Ready, Voice};
use super::ssh::Server;
use super::truth::TruthRow;
use crate::clock::{Clock, SystemClock};

/// Most open connections of one listener; more wait in its backlog.
const PER_LISTENER: usize = 32;
/// Most open connections of the street, well under the usual limit of 1024 descriptors.
const PER_STREET: usize = 384;

/// A street that is up. It goes down when told to, or when dropped.
#[derive(Debug)]
pub struct Street {
    plan: Plan,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Street {
    /// Makes all keys and certificates, opens every port of `plan` and serves them until [`Street::down`].
    ///
    /// # Errors
    /// When a port cannot be opened (the error names it), or a key or certificate cannot be made. Nothing stays open then.
    pub fn up(plan: Plan) -> Result<Self, LabError> {
        let open = open(&plan)?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(LabError::Start)?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("lab".to_owned())
            .spawn(move || run(&runtime, open, stopped))
            .map_err(LabError::Start)?;
        Ok(Self { plan, stop: Some(stop), thread: Some(thread) })
    }

    /// What stands where.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What is true of every address, seen from a seed of the first provider.
    #[must_use]
    pub fn truth(&self) -> Vec<TruthRow> {
        self.plan.truth()
    }

    /// Closes every port and connection, and waits until that is done.
    pub fn down(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Street {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Every listener with what answers there. Ports are opened first: that is what can fail for reasons outside.
fn open(plan: &Plan) -> Result<Vec<(TcpListener, Ready)>, LabError> {
    let mut doors = Vec::new();
    for host in &plan.hosts {
        for offer in &host.offers {
            doors.push((listen(host.address.into(), offer.port)?, host.address, offer));
        }
    }
    let clock = SystemClock::shared();
    let mut mint = Mint::default();
    let mut keys = Keys::new(plan.seed);
    let ready = |(listener, address, offer): (TcpListener, std::net::Ipv4Addr, &Offer)| {
        let noise = plan.seed ^ u64::from(u32::from(address)) ^ u64::from(offer.port).rotate_left(40);
        Ok((listener, prepare(offer, noise, &clock, &mut mint, &mut keys)?))
    };
    doors.into_iter().map(ready).collect()
}

#[expect(clippy::disallowed_methods, reason = "the lab listens")]
fn listen(address: IpAddr, port: u16) -> Result<TcpListener, LabError> {
    let socket = SocketAddr::new(address, port);
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => LabError::Busy(socket),
        _ => LabError::Listen { socket, source },
    };
    let listener = TcpListener::bind(socket).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    Ok(listener)
}

fn prepare(
    offer: &Offer,
    noise: u64,
    clock: &Arc<dyn Clock>,
    mint: &mut Mint,
    keys: &mut Keys,
) -> Result<Ready, LabError> {
    let voice = match &offer.speaks {
        Speaks::Ssh(sshd) => Voice::Ssh(Arc::new(Server::new(sshd, keys)?)),
        Speaks::Http(site) => Voice::Http(Arc::new(site.clone())),
        Speaks::Https(tls, site) => {
            Voice::Https(TlsAcceptor::from(Arc::new(tls.config(mint)?)), Arc::new(site.clone()))
        }
        Speaks::Odd(odd) => Voice::Odd(*odd),
    };
    Ok(Ready { pace: offer.pace, voice, clock: Arc::clone(clock), noise })
}

/// The street's thread: accepts until stopped; dropping the tasks closes what they hold.
fn run(runtime: &Runtime, doors: Vec<(TcpListener, Ready)>, stopped: oneshot::Receiver<()>) {
    let everywhere = Arc::new(Semaphore::new(PER_STREET));
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for (listener, ready) in doors {
            tasks.spawn(accept(listener, ready, Arc::clone(&everywhere)));
        }
        let _ = stopped.await;
        tasks.shutdown().await;
    });
}

async fn accept(listener: TcpListener, ready: Ready, everywhere: Arc<Semaphore>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let here = Arc::new(Semaphore::new(PER_LISTENER));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&here).acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let Ok(share) = Arc::clone(&everywhere).acquire_owned().await else { return };
                let ready = ready.clone();
                connections.spawn(async move {
                    ready.serve(stream).await;
                    drop((place, share));
                });
            }
            // Out of descriptors, or a connection that died in the backlog: wait a little rather than spin.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
}
