//! The page, and its favicon when the page answered.

use super::{Go, Probe};
use crate::observation::Step;
use crate::proto::http::{self, PageConversation};

impl Probe<'_> {
    pub(super) async fn http(&mut self) {
        let page = self.get(Step::Page, "/").await;
        if page == Go::Enough || self.nobody_there() || !self.settings.favicon {
            return;
        }
        if self.capture.exchanges.last().is_some_and(http::wants_favicon) {
            self.get(Step::Favicon, "/favicon.ico").await;
        }
    }

    async fn get(&mut self, step: Step, path: &str) -> Go {
        let service = self.service;
        let request = http::request(path, &service.asked_as(), service.port, false, self.settings.page.as_deref());
        let (exchange, go) = self.converse(step, &mut PageConversation::new(request)).await;
        self.capture.exchanges.push(exchange);
        go
    }
}
