//! A host under a hunt: the telling connections first, and the rest only where the host is still alive.

use super::hunt::{Answer, Hunt, Shown, Standing, Verdict};
use super::{Asked, Go, HuntSettings, Probe, Settings};
use crate::net::Door;
use crate::observation::{CutShort, End, Presence, Presences, Service, Speech};
use crate::proto::jarm;
use crate::target::Host;

/// Asks a host as far as the hunt needs: a seed, and a host that is like one or stays open, everything `settings` want;
/// any other until it is ruled out. `known` is what discovery saw, one word per service.
pub async fn hunted(
    door: &Door,
    host: &Host,
    known: Presences,
    settings: &Settings,
    hunting: &HuntSettings,
) -> (Vec<Asked>, Verdict) {
    let hunt = hunting.hunt.as_ref();
    let of_matches = Settings { proof: hunting.proof_of_matches, ..settings.clone() };
    let mut visit = Visit { door, host, known, settings, held: Vec::new() };
    visit.held.resize_with(host.services.len(), || None);
    let verdict = if hunt.is_seed(host.address) { Verdict::Like } else { visit.look(hunt).await };
    let asked = match verdict {
        Verdict::RuledOut => visit.close(),
        Verdict::Like => visit.complete(&of_matches).await,
        Verdict::Open => visit.complete(settings).await,
    };
    (asked, verdict)
}

/// One host being asked.
struct Visit<'a> {
    door: &'a Door,
    host: &'a Host,
    known: Presences,
    settings: &'a Settings,
    /// Probes between their telling connections and the rest, and whether they differ from a seed; by place among the
    /// host's services.
    held: Vec<Option<(Probe<'a>, bool)>>,
}

impl<'a> Visit<'a> {
    /// The telling connections, until the hunt knows what the host is.
    async fn look(&mut self, hunt: &Hunt) -> Verdict {
        let mut standing = Standing::new(hunt);
        let mut rest = hunt.services.as_slice();
        while let Some((telling, later)) = rest.split_first() {
            rest = later;
            let speech = telling.speech();
            let mut answers = Vec::new();
            for (place, service) in self.host.services.iter().enumerate() {
                if service.speech != speech {
                    continue;
                }
                if !self.wants(place, service) {
                    if self.known.get(place) == Presence::Refused {
                        answers.push(hunt.refused(speech));
                    }
                    continue;
                }
                let mut probe = Probe::new(self.door, service, self.settings);
                let mut told = probe.tell(hunt).await;
                // Discovery saw it open: a connection that was lost says nothing, and is no mismatch.
                if self.known.get(place) == Presence::Heard && probe.was_unreached() {
                    told.iter_mut().filter(|one| **one == Answer::Nothing).for_each(|one| *one = Answer::Open);
                }
                if let Some(held) = self.held.get_mut(place) {
                    *held = Some((probe, told.contains(&Answer::Differs)));
                }
                answers.push(told);
            }
            standing.hear(*telling, &answers);
            if let Some(verdict) = standing.so_far(rest) {
                return verdict;
            }
        }
        standing.verdict()
    }

    /// False where discovery saw nobody, and for services that are not wanted.
    fn wants(&self, place: usize, service: &Service) -> bool {
        let seen = self.known.get(place);
        self.settings.want.speech(service.speech) && !matches!(seen, Presence::Silent | Presence::Refused)
    }

    /// Everything that is still to be asked of a host that is alive.
    async fn complete<'s>(self, settings: &'s Settings) -> Vec<Asked>
    where
        'a: 's,
    {
        let mut all = Vec::with_capacity(self.host.services.len());
        let wanted: Vec<bool> =
            self.host.services.iter().enumerate().map(|(place, service)| self.wants(place, service)).collect();
        for (place, ((service, held), wanted)) in self.host.services.iter().zip(self.held).zip(wanted).enumerate() {
            if !wanted {
                all.push(not_asked(self.known, place, service));
                continue;
            }
            let mut probe: Probe<'s> =
                held.map_or_else(|| Probe::new(self.door, service, settings), |(probe, _)| probe);
            probe.settings = settings;
            probe.all().await;
            all.push(probe.finish(false));
        }
        all
    }

    /// What a host that is ruled out leaves: the connections made, as what they are.
    fn close(self) -> Vec<Asked> {
        let services = self.host.services.iter().zip(self.held).enumerate();
        services
            .map(|(place, (service, held))| match held {
                None => not_asked(self.known, place, service),
                Some((mut probe, differs)) => {
                    if differs {
                        probe.capture.cut_short = Some(CutShort::Pruned);
                    }
                    probe.finish(false)
                }
            })
            .collect()
    }
}

fn not_asked(known: Presences, place: usize, service: &Service) -> Asked {
    let seen = known.get(place);
    let presence = if matches!(seen, Presence::Silent | Presence::Refused) { seen } else { Presence::Unasked };
    Asked { service: service.clone(), presence, observations: Vec::new(), stopped: false }
}

impl Probe<'_> {
    /// The telling connections of one service, and how it compares with each seed. Ends at the first connection after
    /// which it differs from every seed that can be compared.
    async fn tell(&mut self, hunt: &Hunt) -> Vec<Answer> {
        match self.service.speech {
            Speech::Tls => self.tell_tls(hunt).await,
            Speech::Ssh => {
                let _ = self.first_key().await;
                self.compared(hunt)
            }
            Speech::Http => {
                let _ = self.page().await;
                self.compared(hunt)
            }
        }
    }

    async fn tell_tls(&mut self, hunt: &Hunt) -> Vec<Answer> {
        for probe in hunt.jarm_order {
            let go = self.hello(probe).await;
            let answers = self.compared(hunt);
            let done = go == Go::Enough || self.nobody_there() || jarm::stalled_at_start(&self.capture.exchanges);
            if done || !answers.contains(&Answer::Open) || answers.contains(&Answer::Like) {
                return answers;
            }
            if hunt.lacks_leaf(&self.shown()) {
                // Of TLS 1.3 alone, and where a hello was turned down, only a session shows the certificate.
                let _ = self.session().await;
                break;
            }
        }
        self.compared(hunt)
    }

    fn shown(&self) -> Shown {
        Shown::read(self.service.speech, &self.capture)
    }

    fn compared(&self, hunt: &Hunt) -> Vec<Answer> {
        let mut answers = hunt.compare(&self.shown());
        // What we could not ask, because of us, rules nobody out.
        if self
            .capture
            .exchanges
            .last()
            .is_some_and(|one| matches!(one.end, End::Failed | End::OutOfScope | End::Stopped))
        {
            answers.iter_mut().filter(|one| **one != Answer::Like).for_each(|one| *one = Answer::Open);
        }
        answers
    }
}
