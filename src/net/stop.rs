//! The request to stop: one switch that every open socket, waiting turn and pulling worker looks at.

use tokio::sync::watch;

/// The hand on the switch.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<bool>);

/// The eye on the switch.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// A switch, not yet thrown.
#[must_use]
pub fn stop_switch() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Asks everything to stop. There is no way back.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// True once a stop was asked for.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when a stop is asked for; never, when nobody can ask any more.
    pub async fn asked(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
