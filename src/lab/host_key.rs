//! SSH host keys that can sign, made when a street comes up.

use std::collections::HashMap;
use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _,
};

use super::LabError;
use super::draw::material;
use super::ssh::{Broken, put_mpint, put_string};
use super::sshd::{HostKey, KeyKind};

/// Host keys, each label once.
pub(super) struct Keys {
    seed: u64,
    made: HashMap<HostKey, Arc<Signer>>,
}

/// A host key that can sign.
pub(super) struct Signer {
    /// Its kind.
    pub(super) kind: KeyKind,
    pair: Pair,
    /// The public key as it goes over the wire.
    pub(super) blob: Vec<u8>,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
}

impl Keys {
    /// Keys of the street of `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, made: HashMap::new() }
    }

    /// The key of this label and kind.
    pub(super) fn get(&mut self, wanted: &HostKey) -> Result<Arc<Signer>, LabError> {
        if let Some(known) = self.made.get(wanted) {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(Signer::new(self.seed, wanted)?);
        self.made.insert(wanted.clone(), Arc::clone(&made));
        Ok(made)
    }
}

impl Signer {
    fn new(seed: u64, wanted: &HostKey) -> Result<Self, LabError> {
        let mut blob = Vec::new();
        put_string(&mut blob, wanted.kind.name().as_bytes());
        let pair = match wanted.kind {
            KeyKind::Ed25519 => {
                let label = format!("host key {}", wanted.label);
                let pair = Ed25519KeyPair::from_seed_unchecked(&material(seed, &label))
                    .map_err(|_| LabError::Key("ssh-ed25519"))?;
                put_string(&mut blob, pair.public_key().as_ref());
                Pair::Ed25519(pair)
            }
            KeyKind::P256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, "nistp256", &mut blob)?,
            KeyKind::P384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING, "nistp384", &mut blob)?,
        };
        Ok(Self { kind: wanted.kind, pair, blob })
    }

    /// The signature over `message` as it goes over the wire.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut out = Vec::new();
        put_string(&mut out, self.kind.name().as_bytes());
        match &self.pair {
            Pair::Ed25519(pair) => put_string(&mut out, pair.sign(message).as_ref()),
            Pair::Ecdsa(pair) => {
                let fixed = pair.sign(&SystemRandom::new(), message).map_err(|_| Broken::Crypto)?;
                let (r, s) = fixed.as_ref().split_at(fixed.as_ref().len() / 2);
                let mut both = Vec::new();
                put_mpint(&mut both, r);
                put_mpint(&mut both, s);
                put_string(&mut out, &both);
            }
        }
        Ok(out)
    }
}

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm, curve: &'static str, blob: &mut Vec<u8>) -> Result<Pair, LabError> {
    let random = SystemRandom::new();
    let secret = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| LabError::Key(curve))?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, secret.as_ref(), &random).map_err(|_| LabError::Key(curve))?;
    put_string(blob, curve.as_bytes());
    put_string(blob, pair.public_key().as_ref());
    Ok(Pair::Ecdsa(pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ed25519_host_key_is_the_same_in_every_run_of_a_seed() {
        let key = HostKey { kind: KeyKind::Ed25519, label: "image".to_owned() };
        let blob = |seed| Keys::new(seed).get(&key).unwrap().blob.clone();
        assert_eq!(blob(1), blob(1));
        assert_ne!(blob(1), blob(2));
    }
}
