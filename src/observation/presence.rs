//! What asking a port came to, before anything was read.

/// What asking one port came to: two bits of a run's record for every service asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Presence {
    /// Not asked, or not in the end.
    #[default]
    Unasked,
    /// Asked; no answer came.
    Silent,
    /// Asked; refused or unreachable.
    Refused,
    /// Something was heard, or at least a connection stood.
    Heard,
}

/// The lower bit of each place.
const LOWER: u64 = 0x5555_5555_5555_5555;

/// What asking up to 32 ports came to, two bits each in the order of [`Presence`]. Default: nobody was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Presences(u64);

impl Presences {
    /// Nobody was asked.
    pub const NONE: Self = Self(0);

    /// Ports that fit in.
    pub const MOST: usize = 32;

    /// What asking the port at `place` came to; [`Presence::Unasked`] from [`Presences::MOST`] on.
    #[must_use]
    pub fn get(self, place: usize) -> Presence {
        match self.0.checked_shr(shift(place)).unwrap_or(0) & 3 {
            0 => Presence::Unasked,
            1 => Presence::Silent,
            2 => Presence::Refused,
            _ => Presence::Heard,
        }
    }

    /// Writes down what asking the port at `place` came to. Nothing is kept from [`Presences::MOST`] on.
    pub fn set(&mut self, place: usize, presence: Presence) {
        let bits: u64 = match presence {
            Presence::Unasked => 0,
            Presence::Silent => 1,
            Presence::Refused => 2,
            Presence::Heard => 3,
        };
        let shifted = |bits: u64| bits.checked_shl(shift(place)).unwrap_or(0);
        self.0 = self.0 & !shifted(3) | shifted(bits);
    }

    /// How many ports are in this state. Of the unasked, those that do not exist count too.
    #[must_use]
    pub fn count(self, presence: Presence) -> u32 {
        let (low, high) = (self.0 & LOWER, self.0 >> 1 & LOWER);
        match presence {
            Presence::Unasked => !(low | high) & LOWER,
            Presence::Silent => low & !high,
            Presence::Refused => high & !low,
            Presence::Heard => low & high,
        }
        .count_ones()
    }

    /// All of them, the first place lowest: 0 unasked, 1 silent, 2 refused, 3 heard.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }
}

impl FromIterator<Presence> for Presences {
    fn from_iter<I: IntoIterator<Item = Presence>>(presences: I) -> Self {
        let mut all = Self::default();
        presences.into_iter().enumerate().for_each(|(place, presence)| all.set(place, presence));
        all
    }
}

/// 64 and more lie beyond all bits.
fn shift(place: usize) -> u32 {
    u32::try_from(place.saturating_mul(2)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_keeps_its_own_and_there_are_thirty_two() {
        let four = [Presence::Heard, Presence::Unasked, Presence::Silent, Presence::Refused];
        let mut all: Presences = four.into_iter().cycle().take(40).collect();
        assert!((0..32).all(|place| all.get(place) == four[place % 4]));
        assert_eq!([32, 33, usize::MAX].map(|place| all.get(place)), [Presence::Unasked; 3]);
        assert_eq!(four.map(|one| all.count(one)), [8; 4]);
        all.set(2, Presence::Refused);
        assert_eq!((all.get(1), all.get(2), all.get(3)), (Presence::Unasked, Presence::Refused, Presence::Refused));
        assert_eq!(all.count(Presence::Silent), 7);
    }
}
