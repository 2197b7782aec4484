//! Every text of the report, for what is taken out of it or made harmless before it is shared.

use super::{CaseFile, ClusterPart, Detail, Pair};
use crate::report::clean::{Cleaner, defang};

impl CaseFile {
    /// Takes own addresses, and where asked e-mail addresses, out of every text. Gives what still names a person's mailbox: where
    /// it stands, in words.
    pub fn clean(&mut self, cleaner: &Cleaner) -> Vec<String> {
        let mut personal = Vec::new();
        self.each_text(true, &mut |place, text| {
            let (clean, mails) = cleaner.redact(text);
            if mails {
                personal.push(place.to_owned());
            }
            *text = clean;
        });
        personal
    }

    /// Writes addresses and names so that nobody opens them by mistake, in every text but that of the scope, which its digest is of.
    pub fn defang(&mut self) {
        self.each_text(false, &mut |_, text| *text = defang(text));
    }

    /// Calls `each` with every text that says something of the case, and the part of the report it stands in.
    fn each_text(&mut self, scope_too: bool, each: &mut dyn FnMut(&str, &mut String)) {
        let mut all = |place: &str, texts: &mut Vec<String>| texts.iter_mut().for_each(|text| each(place, text));
        all("the method", &mut self.method);
        all("the limits", &mut self.limits);
        all("the actions", &mut self.actions);
        each("the title", &mut self.title);
        each("the title", &mut self.subtitle);
        self.summary.iter_mut().for_each(|one| each("the summary", &mut one.text));
        for (place, pairs) in [
            ("the authority", &mut self.authority),
            ("the counts", &mut self.counts),
            ("the glossary", &mut self.glossary),
            ("the digests", &mut self.digests),
        ] {
            for Pair { value, .. } in pairs {
                each(place, value);
            }
        }
        self.digests.iter_mut().for_each(|pair| each("the digests", &mut pair.name));
        for seed in &mut self.seeds {
            for text in [&mut seed.provider, &mut seed.subject, &mut seed.why, &mut seed.source] {
                each("the seeds", text);
            }
        }
        self.clusters.iter_mut().for_each(|cluster| of_cluster(cluster, each));
        for near in &mut self.near {
            for text in [&mut near.provider, &mut near.ip, &mut near.reasons, &mut near.against] {
                each("what looked alike", text);
            }
        }
        if scope_too {
            each("the scope's text", &mut self.scope_text);
        }
    }
}

fn of_cluster(cluster: &mut ClusterPart, each: &mut dyn FnMut(&str, &mut String)) {
    each("a set's name", &mut cluster.id);
    each("a set's words", &mut cluster.intro);
    cluster.shared.iter_mut().chain(&mut cluster.changes).for_each(|text| each("a set's words", text));
    cluster.members.iter_mut().for_each(|one| each("a set's hosts", &mut one.ip));
    cluster.dangers.iter_mut().for_each(|one| each("the dangers", &mut one.words));
    cluster.timeline.bars.iter_mut().for_each(|one| each("a set's hosts", &mut one.ip));
    for detail in &mut cluster.details {
        let place = format!("the reasons for {}", detail.ip);
        let Detail { ip, claim, reasons, against, dangers, steps, .. } = detail;
        [ip, claim].into_iter().chain(reasons).chain(against).chain(dangers).for_each(|text| each(&place, text));
        for step in steps {
            each(&place, &mut step.value);
        }
    }
}
