//! Things that are joined into parts, each part known by its first thing (union-find).

/// Which things are one.
#[derive(Debug)]
pub(super) struct Parts(Vec<usize>);

impl Parts {
    /// So many things, each by itself.
    pub(super) fn new(things: usize) -> Self {
        Self((0..things).collect())
    }

    /// The first thing of the part that a thing is in.
    pub(super) fn root(&self, mut thing: usize) -> usize {
        while let Some(up) = self.0.get(thing).filter(|up| **up != thing) {
            thing = *up;
        }
        thing
    }

    /// Makes the parts of two things one.
    pub(super) fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        if let Some(slot) = self.0.get_mut(one.max(other)) {
            *slot = one.min(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_joined_over_others_is_one_part_and_known_by_its_first() {
        let mut parts = Parts::new(6);
        parts.join(4, 2);
        parts.join(5, 4);
        parts.join(1, 0);
        let roots: Vec<usize> = (0..6).map(|thing| parts.root(thing)).collect();
        assert_eq!(roots, [0, 0, 2, 3, 2, 2]);
    }
}
