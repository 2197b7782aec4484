//! The page, and its favicon when the page answered.

use super::{Go, Probe};
use crate::observation::Step;
use crate::proto::http::{self, PageConversation};

impl Probe<'_> {
    pub(super) async fn http(&mut self) {
        if self.page().await == Go::Enough || self.nobody_there() || !self.settings.favicon {
            return;
        }
        if self.capture.exchanges.last().is_some_and(http::wants_favicon) {
            self.get(Step::Favicon, "/favicon.ico").await;
        }
    }

    /// The page, unless a hunt has asked for it already.
    pub(super) async fn page(&mut self) -> Go {
        if self.capture.exchanges.is_empty() { self.get(Step::Page, "/").await } else { self.go() }
    }

    async fn get(&mut self, step: Step, path: &str) -> Go {
        let service = self.service;
        let request = http::request(path, &service.asked_as(), service.port, false, self.settings.page.as_deref());
        let (exchange, go) = self.converse(step, &mut PageConversation::new(request)).await;
        self.capture.exchanges.push(exchange);
        go
    }
}
