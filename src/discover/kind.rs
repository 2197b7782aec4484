//! What discovery asks of hosts that have the same services.

use crate::observation::{Presence, Presences, Speech};

/// The services of all hosts of one kind, and the distinct ports that are asked for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    /// Each port once, with what is spoken there first.
    ports: Vec<(u16, Speech)>,
    /// For each service the place of its port; none where it is not wanted.
    places: Vec<Option<usize>>,
    left: bool,
}

impl Kind {
    /// The kind of hosts with these services, of which those `wanted` are asked. More services than
    /// [`Presences::MOST`] are left to connections: such a kind has no ports.
    pub fn new(services: impl IntoIterator<Item = (Speech, u16)>, wanted: &[Speech]) -> Self {
        let mut kind = Self::default();
        for (speech, port) in services {
            let known = kind.place(port);
            let place = wanted.contains(&speech).then(|| {
                known.unwrap_or_else(|| {
                    kind.ports.push((port, speech));
                    kind.ports.len() - 1
                })
            });
            kind.places.push(place);
        }
        if kind.places.len() > Presences::MOST { Self { left: true, ..Self::default() } } else { kind }
    }

    /// True when such hosts are left to connections.
    #[must_use]
    pub fn is_left(&self) -> bool {
        self.left
    }

    /// The ports to ask, with what is spoken there.
    #[must_use]
    pub fn ports(&self) -> &[(u16, Speech)] {
        &self.ports
    }

    /// The place of a port among those asked.
    #[must_use]
    pub fn place(&self, port: u16) -> Option<usize> {
        self.ports.iter().position(|(one, _)| *one == port)
    }

    /// What was seen of each service, by what was seen of each port.
    #[must_use]
    pub fn services(&self, ports: Presences) -> Presences {
        let seen = |place: &Option<usize>| place.map_or(Presence::Unasked, |place| ports.get(place));
        self.places.iter().map(seen).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_that_share_a_port_share_its_answer_and_the_unwanted_have_none() {
        let services =
            [(Speech::Ssh, 22), (Speech::Http, 443), (Speech::Tls, 443), (Speech::Tls, 443), (Speech::Tls, 22)];
        let kind = Kind::new(services, &[Speech::Ssh, Speech::Tls]);
        assert_eq!(kind.ports(), [(22, Speech::Ssh), (443, Speech::Tls)]);
        assert_eq!((kind.place(443), kind.place(80)), (Some(1), None));
        let seen = kind.services([Presence::Silent, Presence::Heard].into_iter().collect());
        let wanted = [Presence::Silent, Presence::Unasked, Presence::Heard, Presence::Heard, Presence::Silent];
        assert_eq!(seen, wanted.into_iter().collect());
    }

    #[test]
    fn hosts_with_more_services_than_fit_are_not_asked_by_syn() {
        let many = (1..=33).map(|port| (Speech::Http, port));
        let kind = Kind::new(many, &[Speech::Http]);
        assert!(kind.is_left() && kind.ports().is_empty());
    }
}
