//! KEXINIT, the ten name-lists of a server, and our own in answer
//! ([RFC 4253 section 7.1](https://www.rfc-editor.org/rfc/rfc4253#section-7.1)).
//!
//! Ours names one host key algorithm, the key exchange methods both sides know, and the server's own cipher, MAC and
//! compression lists, so that the negotiation cannot fail on what we do not need. It names no extension: neither
//! `ext-info-c` nor strict key exchange.

use md5::Md5;
use sha2::{Digest, Sha256};

use super::fault::Fault;
use super::method::{METHODS, Method};
use super::packet::number;
use super::wire::{hex, names, put_string};
use crate::proto::read::Reader;

/// Longest list of a server that is copied into ours; longer ones are cut after a whole name.
const MAX_COPIED: usize = 2048;

/// A KEXINIT message: its payload from the message number on, and the lists exactly as sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KexInit<'a> {
    /// The payload, message number first.
    pub payload: &'a [u8],
    /// Key exchange methods.
    pub kex: &'a [u8],
    /// Host key algorithms.
    pub host_key: &'a [u8],
    /// Ciphers, client to server.
    pub cipher_c2s: &'a [u8],
    /// Ciphers, server to client.
    pub cipher_s2c: &'a [u8],
    /// MACs, client to server.
    pub mac_c2s: &'a [u8],
    /// MACs, server to client.
    pub mac_s2c: &'a [u8],
    /// Compression, client to server.
    pub compression_c2s: &'a [u8],
    /// Compression, server to client.
    pub compression_s2c: &'a [u8],
    /// Languages, client to server.
    pub language_c2s: &'a [u8],
    /// Languages, server to client.
    pub language_s2c: &'a [u8],
    /// True when the sender's next packet is a guess at the key exchange.
    pub guess_follows: bool,
}

impl<'a> KexInit<'a> {
    /// Reads a payload. The flag and the reserved number at its end may be missing.
    pub(super) fn parse(payload: &'a [u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(payload);
        let kind = reader.u8("message number")?;
        if kind != number::KEXINIT {
            return Err(Fault::OutOfTurn(kind));
        }
        reader.take(16, "kexinit cookie")?;
        Ok(Self {
            payload,
            kex: reader.vec32("kexinit key exchange list")?,
            host_key: reader.vec32("kexinit host key list")?,
            cipher_c2s: reader.vec32("kexinit cipher list")?,
            cipher_s2c: reader.vec32("kexinit cipher list")?,
            mac_c2s: reader.vec32("kexinit mac list")?,
            mac_s2c: reader.vec32("kexinit mac list")?,
            compression_c2s: reader.vec32("kexinit compression list")?,
            compression_s2c: reader.vec32("kexinit compression list")?,
            language_c2s: reader.vec32("kexinit language list")?,
            language_s2c: reader.vec32("kexinit language list")?,
            guess_follows: reader.u8("kexinit guess flag").is_ok_and(|flag| flag != 0),
        })
    }

    /// The ten lists in the order of the message.
    #[must_use]
    pub fn lists(&self) -> [&'a [u8]; 10] {
        [
            self.kex,
            self.host_key,
            self.cipher_c2s,
            self.cipher_s2c,
            self.mac_c2s,
            self.mac_s2c,
            self.compression_c2s,
            self.compression_s2c,
            self.language_c2s,
            self.language_s2c,
        ]
    }

    /// hasshServer: MD5, as hex, of `kex;cipher;mac;compression`, the last three from server to client, as sent
    /// (<https://github.com/salesforce/hassh>).
    #[must_use]
    pub fn hassh_server(&self) -> String {
        let lists = [self.kex, self.cipher_s2c, self.mac_s2c, self.compression_s2c];
        hex(&Md5::digest(lists.join(&b';')))
    }

    /// SHA-256, as hex, of all ten lists in order, joined by `;`.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(self.lists().join(&b';')))
    }

    /// The key exchange methods that both this server and we know, in our order.
    pub(super) fn common_methods(&self) -> Vec<&'static Method> {
        let offers = |method: &&Method| names(self.kex).any(|name| name == method.name.as_bytes());
        METHODS.iter().filter(offers).collect()
    }

    /// Why no key exchange is possible with this server; `None` when one is.
    pub(super) fn no_kex(&self) -> Option<&'static str> {
        if !self.common_methods().is_empty() {
            return None;
        }
        let mut methods = names(self.kex).filter(|name| !is_pseudo(name)).peekable();
        let any = methods.peek().is_some();
        let reason = if any && methods.all(is_post_quantum) {
            "only post-quantum key exchange offered"
        } else {
            "no key exchange method in common"
        };
        Some(reason)
    }

    /// The payload of our answer, asking for one host key algorithm.
    pub(super) fn answer(&self, host_key: &[u8], cookie: &[u8; 16]) -> Vec<u8> {
        let methods: Vec<&[u8]> = self.common_methods().iter().map(|method| method.name.as_bytes()).collect();
        let mut out = vec![number::KEXINIT];
        out.extend_from_slice(cookie);
        put_string(&mut out, &methods.join(&b','));
        put_string(&mut out, host_key);
        let copied =
            [self.cipher_c2s, self.cipher_s2c, self.mac_c2s, self.mac_s2c, self.compression_c2s, self.compression_s2c];
        for list in copied {
            put_string(&mut out, cut_list(list));
        }
        put_string(&mut out, b"");
        put_string(&mut out, b"");
        out.extend_from_slice(&[0; 5]);
        out
    }
}

/// What two KEXINIT messages agree on.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// The key exchange method.
    pub(super) method: &'static Method,
    /// The host key algorithm.
    pub(super) host_key: Vec<u8>,
    /// True when the server's next packet of the method is a wrong guess, to be ignored (RFC 4253 7).
    pub(super) guess_wrong: bool,
}

impl Choice {
    /// The first of the client's names that the server has too, for method and host key.
    pub(super) fn between(ours: &KexInit<'_>, theirs: &KexInit<'_>) -> Option<Self> {
        let name = first_common(ours.kex, theirs.kex)?;
        let method = METHODS.iter().find(|method| method.name.as_bytes() == name)?;
        let host_key = first_common(ours.host_key, theirs.host_key)?.to_vec();
        let same_first = |one, other| names(one).next() == names(other).next();
        let guess_right = same_first(ours.kex, theirs.kex) && same_first(ours.host_key, theirs.host_key);
        Some(Self { method, host_key, guess_wrong: theirs.guess_follows && !guess_right })
    }
}

fn first_common<'a>(ours: &'a [u8], theirs: &[u8]) -> Option<&'a [u8]> {
    names(ours).find(|name| names(theirs).any(|other| other == *name))
}

/// The list up to [`MAX_COPIED`] bytes, whole names only.
fn cut_list(list: &[u8]) -> &[u8] {
    let Some(head) = list.get(..MAX_COPIED) else { return list };
    let comma = head.iter().rposition(|byte| *byte == b',').unwrap_or(0);
    head.get(..comma).unwrap_or_default()
}

/// Names that stand in the list but are no methods.
fn is_pseudo(name: &[u8]) -> bool {
    name.starts_with(b"ext-info-") || name.starts_with(b"kex-strict-") || name.starts_with(b"kexguess2@")
}

fn is_post_quantum(name: &[u8]) -> bool {
    [b"sntrup".as_slice(), b"mlkem", b"kyber"].iter().any(|mark| name.windows(mark.len()).any(|part| part == *mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(kex: &[u8], host_key: &[u8], cipher: &[u8], guess: bool) -> Vec<u8> {
        let mut out = vec![number::KEXINIT];
        out.extend([9; 16]);
        for list in [kex, host_key, cipher, b"aes", b"m1", b"m2", b"none", b"zlib,none", b"", b""] {
            put_string(&mut out, list);
        }
        out.push(u8::from(guess));
        out.extend([0; 4]);
        out
    }

    #[test]
    fn our_answer_names_one_key_and_copies_what_does_not_matter() {
        let theirs =
            payload(b"weird,diffie-hellman-group14-sha256,curve25519-sha256", b"ssh-rsa,ssh-ed25519", b"c1,c2", false);
        let theirs = KexInit::parse(&theirs).unwrap();
        let ours = theirs.answer(b"ssh-ed25519", &[1; 16]);
        let ours = KexInit::parse(&ours).unwrap();
        assert_eq!(ours.kex, b"curve25519-sha256,diffie-hellman-group14-sha256");
        assert_eq!(ours.host_key, b"ssh-ed25519");
        assert_eq!(ours.cipher_c2s, b"c1,c2");
        assert_eq!(ours.compression_s2c, b"zlib,none");
        let choice = Choice::between(&ours, &theirs).unwrap();
        assert_eq!(choice.method.name, "curve25519-sha256");
        assert!(!choice.guess_wrong, "nothing was guessed");
    }

    #[test]
    fn a_guess_is_wrong_when_either_first_name_differs() {
        for (kex, host_key, wrong) in [
            (b"curve25519-sha256".as_slice(), b"ssh-ed25519,ssh-rsa".as_slice(), false),
            (b"curve25519-sha256", b"ssh-rsa,ssh-ed25519", true),
            (b"x,curve25519-sha256", b"ssh-ed25519", true),
        ] {
            let theirs = payload(kex, host_key, b"c", true);
            let theirs = KexInit::parse(&theirs).unwrap();
            let ours = theirs.answer(b"ssh-ed25519", &[0; 16]);
            let choice = Choice::between(&KexInit::parse(&ours).unwrap(), &theirs).unwrap();
            assert_eq!(choice.guess_wrong, wrong);
        }
    }

    #[test]
    fn a_list_that_lies_about_its_length_is_refused() {
        let mut lying = payload(b"a", b"b", b"c", false);
        lying[17..21].copy_from_slice(&0x7fff_ffffu32.to_be_bytes());
        assert!(matches!(KexInit::parse(&lying), Err(Fault::Short(_))));
    }

    #[test]
    fn a_very_long_list_is_copied_up_to_a_whole_name() {
        let long = b"abcdefg,".repeat(1000);
        let theirs = payload(b"curve25519-sha256", b"ssh-rsa", &long, false);
        let ours = KexInit::parse(&theirs).unwrap().answer(b"ssh-rsa", &[0; 16]);
        let ours = KexInit::parse(&ours).unwrap();
        assert!(ours.cipher_c2s.len() <= MAX_COPIED);
        assert!(ours.cipher_c2s.ends_with(b"abcdefg"));
    }

    #[test]
    fn post_quantum_only_is_told_from_nothing_in_common() {
        let reason = |kex: &[u8]| KexInit::parse(&payload(kex, b"k", b"c", false)).unwrap().no_kex();
        let only = Some("only post-quantum key exchange offered");
        assert_eq!(reason(b"sntrup761x25519-sha512@openssh.com,kex-strict-s-v00@openssh.com"), only);
        assert_eq!(reason(b"mlkem768x25519-sha256"), only);
        assert_eq!(reason(b"curve448-sha512,ext-info-s"), Some("no key exchange method in common"));
        assert_eq!(reason(b"ext-info-s"), Some("no key exchange method in common"));
        assert_eq!(reason(b"diffie-hellman-group1-sha1"), None);
    }
}
