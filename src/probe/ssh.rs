//! Banner, algorithm lists and host keys: one connection for each key type.

use super::{Go, Probe, SshKeys};
use crate::net::SystemEntropy;
use crate::observation::Step;
use crate::proto::Lazy;
use crate::proto::ssh::{self, Kex, Want};

impl Probe<'_> {
    pub(super) async fn ssh(&mut self) {
        if self.first_key().await == Go::Enough || self.nobody_there() {
            return;
        }
        if self.settings.ssh_keys == SshKeys::First {
            return;
        }
        for algorithm in ssh::wanted(&self.capture.exchanges) {
            let step = Step::Kex(algorithm.clone());
            if self.exchange_keys(Want::Algorithm(algorithm), step).await == Go::Enough {
                return;
            }
        }
    }

    /// The first key exchange, unless a hunt has had it already.
    pub(super) async fn first_key(&mut self) -> Go {
        if self.capture.exchanges.is_empty() {
            self.exchange_keys(Want::First, Step::Kex(String::new())).await
        } else {
            self.go()
        }
    }

    /// One key exchange, asked again when it settled nothing: busy servers drop connections at random.
    async fn exchange_keys(&mut self, want: Want, step: Step) -> Go {
        for attempt in 0..=self.settings.retries {
            let mut kex = Lazy::new(|| Some(Kex::new(want.clone(), &mut SystemEntropy)));
            let (exchange, go) = self.converse(step.clone(), &mut kex).await;
            let settled = ssh::is_settled(&exchange);
            self.capture.exchanges.push(exchange);
            if go == Go::Enough || settled || (attempt == 0 && self.nobody_there()) {
                return go;
            }
        }
        Go::On
    }
}
