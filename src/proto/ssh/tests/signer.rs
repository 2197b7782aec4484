//! Host keys that can sign, one of every type. The RSA and DSA numbers were made for these tests and are used nowhere
//! else.

use num_bigint::BigUint;
use p521::ecdsa::signature::hazmat::RandomizedPrehashSigner as _;
use p521::elliptic_curve::rand_core::{CryptoRng, Error, RngCore};
use ring::digest;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _,
};

use super::super::wire::{mpint_body, put_string};

const RSA_1024: [&str; 2] = [
    "ca1c5fc2c4ef005569f77c52cbddbdbbaa13f3015390b250ce85e37c705bd8d2b9512c51c5e218f38e6321eb8034e855\
     0c341e76483ec6f9f52cf356a710f1de3bac4ab986debffc1de9ab327755d7e11db37d14717869149e15fa1fecc790c4\
     23e8fa61c12595f82e865487d49ded5555f1d59ed30ddca76fb62bc995440fd3",
    "c63e5ca3b3fd668b615c72a2d7fb116ef11d8e3f5fd34f44b9be546babde3b683e83e37ff624972ad7205f961af44a6b\
     9983c9d96575c640497fa4d3fb1d40cf67d44c570fba7125f3c8d5b4e9831eb88871257e8c1bee8c373ec3613a04b888\
     70f5274ece3be8ab6c22211183a145a00985006c7536ccfd09148f8621b44599",
];
const RSA_2048: [&str; 2] = [
    "908d4ddd8a413e445216eb534badd9dbfb1a2aa8f7c7c5ff561dbb2450cd95d1b59453718efdd60710c9a82c1a052f45\
     b6d4c2824dc19e2dae8f34933586e2d07e4d65575f74d3093c348f34567e4669920dcdeed66300f7bbc8d2f7894cc289\
     3d8388eb25c514d820c62ff578a744eb65c37db7e310bd536e4a5ad16e45c500ce4fd75ea2e28067ba6be49ca8e85467\
     756776ad39de8c1a589dcd584c9af22e6614d0efe11a73866fd095de8e0f818d8fb763530a8a8e6b3b3d88df04d71155\
     46b11503cc729926493bed77b4c172a799b6a41612323b17ff76adb0011269878ca29fac5bc5cd78a00aad822cd5b7d1\
     b8124ed3c24971a3d11513172342c257",
    "e043da827eca7fa87a68ef40e93118724ae9c08b2af6d9212f4cd6839e8ed72f3c8a9b209bbb06212ad28804f979ac6b\
     24752d86ac21b0747f567e8dc585e2c4f0af732da8a8bf4c9cb38eaf4cb72cd702af981d974fe80dc75c935d530f06e2\
     407af4cf4912087cd346fd86820cec1daa61da32942941bd51bcda44ad7e615c6b7859739f60210f279a4e44626ba63f\
     d02060ef13a1f810d3eb13f4acf82b89941e9b6e9a963da429429c28c81bbbbb128d381829f42e6a9f56bf356ddd6f7b\
     4541848d1701f21b3c9652931fd692ddf68900b7f128f43efc68599ba7c3a832a9f0c4a0400881c73c3780a0875ef085\
     923aa85642805dab7468454ae4a382d",
];
const DSA: [&str; 5] = [
    "970c9dc646263ea56ae1dc66e975306832a353a6583e0131558db404230bade2a99960090f3d647b4a148eac015a3261\
     11112d8bbb8710b4581c1621b89174ec586e2094266291e0d4201c5a9583d7aee8de558e5858b9f3b48137dd4ded1fad\
     bc99c83aef1459d238254cbf710ffc5fedc3185380b1b087e3157277fb7fe9e3",
    "e03994d7d38b2531c28f63f11dad5459042e767b",
    "83bcaebb44abcbd0a584b8c36f31a15ff0ff2734d3ca390f727e30c880a24e2f307d9a114e5b6ee54339b39c4fc58a60\
     b2d55d8ec3a91fc534ed92e5d21fdf96a92e36f2588ca7d639949e4cf9494440b929bc4c8dd98b5376eda8ee5d2e0a0a\
     16cf5ba31d54dbfbd181b99eb73d6a468484b797bc8e65586969b72c178437ac",
    "2f5f8d3f3d8765413c200fcdac94e29c30a5e85f94dbc902de0f42eba54242f0e63eb76fc4f5c3e938088e5cdcf9dea8\
     998467a3d49c4f816892ac104687891b2c43175f71d1e32e1b4b95d60590f0df670be47a19c57e85f0cfbeba34ad1814\
     e431283c5eceb508d77c672b3fc9ed5cceebf45f44518649eaaf14a300d67e82",
    "8b0b65c00c0b8102b217cacf3f262927cbebc742",
];

/// What signs a message: the body of the signature, and what follows it in the blob.
type Sign = Box<dyn Fn(&[u8]) -> (Vec<u8>, Vec<u8>)>;

/// A host key with its private half.
pub(super) struct Signer {
    pub(super) algorithm: &'static str,
    pub(super) blob: Vec<u8>,
    format: &'static str,
    sign: Sign,
}

impl Signer {
    /// The signature blob over `message`.
    pub(super) fn signature(&self, message: &[u8]) -> Vec<u8> {
        let (body, tail) = (self.sign)(message);
        let mut out = strings(&[self.format.as_bytes(), &body]);
        out.extend(tail);
        out
    }
}

fn strings(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        put_string(&mut out, part);
    }
    out
}

fn number(hex: &str) -> BigUint {
    BigUint::parse_bytes(hex.as_bytes(), 16).unwrap()
}

fn ed25519_pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[0x42; 32]).unwrap()
}

pub(super) fn ed25519() -> Signer {
    let pair = ed25519_pair();
    let blob = strings(&[b"ssh-ed25519", pair.public_key().as_ref()]);
    let sign: Sign = Box::new(move |message| (pair.sign(message).as_ref().to_vec(), Vec::new()));
    Signer { algorithm: "ssh-ed25519", blob, format: "ssh-ed25519", sign }
}

/// r and s of equal width as two mpints.
fn two_mpints(fixed: &[u8]) -> Vec<u8> {
    let (r, s) = fixed.split_at(fixed.len() / 2);
    strings(&[&mpint_body(r), &mpint_body(s)])
}

fn ring_ecdsa(algorithm: &'static EcdsaSigningAlgorithm, name: &'static str, curve: &'static str) -> Signer {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
    let blob = strings(&[name.as_bytes(), curve.as_bytes(), pair.public_key().as_ref()]);
    let sign: Sign = Box::new(move |message| (two_mpints(pair.sign(&random, message).unwrap().as_ref()), Vec::new()));
    Signer { algorithm: name, blob, format: name, sign }
}

pub(super) fn p256() -> Signer {
    ring_ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, "ecdsa-sha2-nistp256", "nistp256")
}

pub(super) fn p384() -> Signer {
    ring_ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING, "ecdsa-sha2-nistp384", "nistp384")
}

/// ring's randomness in the form that the P-521 crate asks for.
struct Random;

impl RngCore for Random {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_be_bytes(bytes)
    }
    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_be_bytes(bytes)
    }
    fn fill_bytes(&mut self, out: &mut [u8]) {
        SystemRandom::new().fill(out).unwrap();
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Random {}

pub(super) fn p521() -> Signer {
    let pair = p521::ecdsa::SigningKey::random(&mut Random);
    let point = p521::ecdsa::VerifyingKey::from(&pair).to_encoded_point(false);
    let blob = strings(&[b"ecdsa-sha2-nistp521", b"nistp521", point.as_bytes()]);
    let sign: Sign = Box::new(move |message| {
        let hashed = digest::digest(&digest::SHA512, message);
        let signature: p521::ecdsa::Signature = pair.sign_prehash_with_rng(&mut Random, hashed.as_ref()).unwrap();
        (two_mpints(&signature.to_bytes()), Vec::new())
    });
    Signer { algorithm: "ecdsa-sha2-nistp521", blob, format: "ecdsa-sha2-nistp521", sign }
}

/// RSA with `rsa-sha2-512`, `rsa-sha2-256` or `ssh-rsa` signatures.
pub(super) fn rsa(bits: u16, format: &'static str) -> Signer {
    let [n, d] = if bits == 1024 { RSA_1024 } else { RSA_2048 }.map(number);
    let blob = strings(&[b"ssh-rsa", &[1, 0, 1], &mpint_body(&n.to_bytes_be())]);
    let (hash, prefix) = match format {
        "rsa-sha2-512" => (&digest::SHA512, "3051300d060960864801650304020305000440"),
        "rsa-sha2-256" => (&digest::SHA256, "3031300d060960864801650304020105000420"),
        _ => (&digest::SHA1_FOR_LEGACY_USE_ONLY, "3021300906052b0e03021a05000414"),
    };
    let sign: Sign = Box::new(move |message| {
        let tail = [number(prefix).to_bytes_be(), digest::digest(hash, message).as_ref().to_vec()].concat();
        let filling = usize::from(bits / 8) - tail.len() - 3;
        let padded = [vec![0, 1], vec![0xff; filling], vec![0], tail].concat();
        (BigUint::from_bytes_be(&padded).modpow(&d, &n).to_bytes_be(), Vec::new())
    });
    Signer { algorithm: format, blob, format, sign }
}

#[expect(clippy::many_single_char_names, reason = "the names of the standard")]
pub(super) fn dsa() -> Signer {
    let [p, q, g, y, x] = DSA.map(number);
    let mpints: Vec<_> = [&p, &q, &g, &y].iter().map(|number| mpint_body(&number.to_bytes_be())).collect();
    let blob = strings(&[b"ssh-dss", &mpints[0], &mpints[1], &mpints[2], &mpints[3]]);
    let sign: Sign = Box::new(move |message| {
        let hashed = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, message);
        let k = BigUint::from(0x1234_5678_9abc_def1u64);
        let r = g.modpow(&k, &p) % &q;
        let s = k.modinv(&q).unwrap() * (BigUint::from_bytes_be(hashed.as_ref()) + &x * &r) % &q;
        let fixed = |number: BigUint| super::super::wire::padded(&number.to_bytes_be(), 20).unwrap();
        ([fixed(r), fixed(s)].concat(), Vec::new())
    });
    Signer { algorithm: "ssh-dss", blob, format: "ssh-dss", sign }
}

/// The same key living in a hardware token, which signs digests with flags and a counter.
pub(super) fn in_token(plain: Signer, algorithm: &'static str) -> Signer {
    let mut blob = strings(&[algorithm.as_bytes()]);
    blob.extend_from_slice(&plain.blob[4 + plain.algorithm.len()..]);
    put_string(&mut blob, b"ssh:");
    let sign: Sign = Box::new(move |message| {
        let sha256 = |bytes| digest::digest(&digest::SHA256, bytes);
        let tail = vec![1, 0, 0, 0, 9];
        let text = [sha256(b"ssh:").as_ref(), &tail, sha256(message).as_ref()].concat();
        ((plain.sign)(&text).0, tail)
    });
    Signer { algorithm, blob, format: algorithm, sign }
}

/// The same key inside a certificate that nobody in particular signed.
pub(super) fn certified(plain: Signer, algorithm: &'static str, blob_type: &'static str) -> Signer {
    let plain_type = u32::from_be_bytes(plain.blob[..4].try_into().unwrap());
    let mut blob = strings(&[blob_type.as_bytes(), &[5; 32]]);
    blob.extend_from_slice(&plain.blob[4 + usize::try_from(plain_type).unwrap()..]);
    blob.extend([0; 60]);
    Signer { algorithm, blob, ..plain }
}

/// One of every type of key and form of signature.
pub(super) fn all() -> Vec<Signer> {
    vec![
        ed25519(),
        p256(),
        p384(),
        p521(),
        rsa(1024, "rsa-sha2-512"),
        rsa(1024, "rsa-sha2-256"),
        rsa(1024, "ssh-rsa"),
        rsa(2048, "rsa-sha2-512"),
        rsa(2048, "rsa-sha2-256"),
        rsa(2048, "ssh-rsa"),
        dsa(),
        in_token(ed25519(), "sk-ssh-ed25519@openssh.com"),
        in_token(p256(), "sk-ecdsa-sha2-nistp256@openssh.com"),
        certified(ed25519(), "ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519-cert-v01@openssh.com"),
        certified(p521(), "ecdsa-sha2-nistp521-cert-v01@openssh.com", "ecdsa-sha2-nistp521-cert-v01@openssh.com"),
        certified(rsa(2048, "rsa-sha2-512"), "rsa-sha2-512-cert-v01@openssh.com", "ssh-rsa-cert-v01@openssh.com"),
    ]
}
