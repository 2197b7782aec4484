//! Merkle trees as in [RFC 6962 §2.1](https://www.rfc-editor.org/rfc/rfc6962#section-2.1): SHA-256, leaves hashed behind
//! a zero byte and nodes behind a one, so that no node passes for a leaf.

use sha2::{Digest as _, Sha256};

use super::Digest;

/// The hash of a leaf that holds `text`.
#[must_use]
pub fn leaf_hash(text: &[u8]) -> Digest {
    let mut digest = Sha256::new();
    digest.update([0]);
    digest.update(text);
    digest.finalize().into()
}

fn node(left: &Digest, right: &Digest) -> Digest {
    let mut digest = Sha256::new();
    digest.update([1]);
    digest.update(left);
    digest.update(right);
    digest.finalize().into()
}

/// The root over `leaves`; of none, SHA-256 of nothing.
#[must_use]
pub fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => super::sha256(b""),
        [only] => *only,
        many => {
            let (left, right) = many.split_at(split(many.len()));
            node(&root(left), &root(right))
        }
    }
}

/// What leads from leaf `place` up to the root: the hash beside it on each level, from below. Empty for a lone leaf, and
/// where there is no such leaf.
#[must_use]
pub fn path(leaves: &[Digest], place: usize) -> Vec<Digest> {
    if leaves.len() < 2 || place >= leaves.len() {
        return Vec::new();
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut path, beside) =
        if place < at { (path(left, place), root(right)) } else { (self::path(right, place - at), root(left)) };
    path.push(beside);
    path
}

/// The root that leaf `place` of `count` has by its path; `None` where the path has another length than it must.
#[must_use]
pub fn root_by_path(leaf: &Digest, place: u64, count: u64, path: &[Digest]) -> Option<Digest> {
    if place >= count {
        return None;
    }
    let Some((beside, below)) = path.split_last() else { return (count == 1).then_some(*leaf) };
    if count < 2 {
        return None;
    }
    let at = count.next_power_of_two() / 2;
    if place < at {
        Some(node(&root_by_path(leaf, place, at, below)?, beside))
    } else {
        Some(node(beside, &root_by_path(leaf, place - at, count - at, below)?))
    }
}

/// The largest power of two below `count`.
fn split(count: usize) -> usize {
    count.next_power_of_two() / 2
}

#[cfg(test)]
mod tests {
    use super::super::{hex, unhex};
    use super::*;

    /// The inputs of the reference implementation of Certificate Transparency.
    const INPUTS: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

    fn leaves() -> Vec<Digest> {
        let bytes = |text: &str| -> Vec<u8> {
            text.as_bytes().chunks(2).map(|pair| unhex::<1>(std::str::from_utf8(pair).unwrap()).unwrap()[0]).collect()
        };
        INPUTS.iter().map(|text| leaf_hash(&bytes(text))).collect()
    }

    #[test]
    fn roots_are_those_of_the_reference_implementation() {
        let leaves = leaves();
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        for (count, expected) in (1..).zip(roots) {
            assert_eq!(hex(&root(&leaves[..count])), expected, "{count} leaves");
        }
        assert_eq!(root(&[]), super::super::sha256(b""));
    }

    #[test]
    fn every_path_leads_to_the_root_and_no_other_place_or_length_does() {
        let all: Vec<Digest> = (0_u8..20).map(|one| leaf_hash(&[one])).collect();
        for count in 1..all.len() {
            let leaves = &all[..count];
            let top = root(leaves);
            for place in 0..count {
                let path = path(leaves, place);
                let by =
                    |at: usize, of: usize, path: &[Digest]| root_by_path(&leaves[place], at as u64, of as u64, path);
                assert_eq!(by(place, count, &path), Some(top));
                for other in (0..count).filter(|other| *other != place) {
                    assert_ne!(by(other, count, &path), Some(top), "{place} at {other} of {count}");
                }
                assert_eq!(by(count, count, &path), None);
                let mut longer = path.clone();
                longer.push([0; 32]);
                assert_ne!(by(place, count, &longer), Some(top));
            }
        }
    }
}
