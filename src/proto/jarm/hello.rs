//! The ten `ClientHello`s of JARM, byte for byte as `jarm.py` of salesforce/jarm (commit e00ad79) sends them, and the
//! SSLv3 hello for servers that know nothing newer.
//!
//! A name of any length is taken; it is cut to [`NAME_LIMIT`] bytes, more than DNS allows. Everything but the name and
//! the random bytes of a hello is built once per process.
//!
//! One departure: the key share is a real X25519 public key where `jarm.py` sends random bytes. wolfSSL closes on a
//! share whose top bit is set, so that `jarm.py` sees one server with four fingerprints.

use std::sync::LazyLock;

use crate::proto::Entropy;

/// Longest server name sent, in bytes.
pub const NAME_LIMIT: usize = 255;

/// How many probes JARM has.
pub const PROBES: u8 = 10;

/// Everything of a hello that differs from one connection to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloRandom {
    /// The client's random.
    pub random: [u8; 32],
    /// The session id, always 32 bytes.
    pub session_id: [u8; 32],
    /// An X25519 public key.
    pub key_share: [u8; 32],
    /// Draws for the GREASE values of cipher, extension, key share and version; the upper four bits of each count.
    pub grease: [u8; 4],
}

impl HelloRandom {
    /// Draws afresh, around a public key whose private half the caller may keep.
    #[must_use]
    pub fn draw(entropy: &mut dyn Entropy, key_share: [u8; 32]) -> Self {
        let mut drawn = Self { random: [0; 32], session_id: [0; 32], key_share, grease: [0; 4] };
        entropy.fill(&mut drawn.random);
        entropy.fill(&mut drawn.session_id);
        entropy.fill(&mut drawn.grease);
        drawn
    }
}

/// The hello of `probe` (0 to 9; anything above is sent as 9) with `sni` in its `server_name`.
#[must_use]
pub fn hello(probe: u8, sni: &str, random: &HelloRandom) -> Vec<u8> {
    let [.., last] = &*TEMPLATES;
    TEMPLATES.get(usize::from(probe)).unwrap_or(last).fill(sni, random)
}

/// The SSLv3 hello of specs 6.4: record and client version 0300, five ciphers, no extensions.
#[must_use]
pub fn old_hello(random: &HelloRandom) -> Vec<u8> {
    const CIPHERS: [u16; 5] = [0x0004, 0x0005, 0x000a, 0x002f, 0x0035];
    let mut body = vec![3, 0];
    body.extend(random.random);
    body.push(0);
    body.extend(list16(&CIPHERS));
    body.extend([1, 0]);
    let length = low16(body.len());
    let mut out = vec![22, 3, 0];
    out.extend((length + 4).to_be_bytes());
    out.extend([1, 0]);
    out.extend(length.to_be_bytes());
    out.extend(body);
    out
}

/// Base list of cipher suites; probe 8 leaves out the five of TLS 1.3.
const CIPHERS: [u16; 69] = [
    0x0016, 0x0033, 0x0067, 0xc09e, 0xc0a2, 0x009e, 0x0039, 0x006b, 0xc09f, 0xc0a3, 0x009f, 0x0045, 0x00be, 0x0088,
    0x00c4, 0x009a, 0xc008, 0xc009, 0xc023, 0xc0ac, 0xc0ae, 0xc02b, 0xc00a, 0xc024, 0xc0ad, 0xc0af, 0xc02c, 0xc072,
    0xc073, 0xcca9, 0x1302, 0x1301, 0xcc14, 0xc007, 0xc012, 0xc013, 0xc027, 0xc02f, 0xc014, 0xc028, 0xc030, 0xc060,
    0xc061, 0xc076, 0xc077, 0xcca8, 0x1305, 0x1304, 0x1303, 0xcc13, 0xc011, 0x000a, 0x002f, 0x003c, 0xc09c, 0xc0a0,
    0x009c, 0x0035, 0x003d, 0xc09d, 0xc0a1, 0x009d, 0x0041, 0x00ba, 0x0084, 0x00c0, 0x0007, 0x0004, 0x0005,
];

/// Base list of ALPN names, and whether the shorter list of probes 3 and 4 has them.
const ALPN: [(&str, bool); 9] = [
    ("http/0.9", true),
    ("http/1.0", true),
    ("http/1.1", false),
    ("spdy/1", true),
    ("spdy/2", true),
    ("spdy/3", true),
    ("h2", false),
    ("h2c", true),
    ("hq", true),
];

/// How a base list is put in order.
#[derive(Clone, Copy)]
enum Order {
    Forward,
    Reverse,
    TopHalf,
    BottomHalf,
    MiddleOut,
}

/// One row of the table of probes.
struct Shape {
    record_version: u16,
    client_version: u16,
    /// False: without the ciphers of TLS 1.3.
    all_ciphers: bool,
    ciphers: Order,
    grease: bool,
    /// False: the shorter ALPN list.
    all_alpn: bool,
    /// Versions offered by the extension; empty: no extension.
    versions: &'static [u16],
    /// True: ALPN names and versions last to first.
    lists_reversed: bool,
}

const UP_TO_12: &[u16] = &[0x0301, 0x0302, 0x0303];
const UP_TO_13: &[u16] = &[0x0301, 0x0302, 0x0303, 0x0304];

const PLAIN: Shape = Shape {
    record_version: 0x0303,
    client_version: 0x0303,
    all_ciphers: true,
    ciphers: Order::Forward,
    grease: false,
    all_alpn: true,
    versions: &[],
    lists_reversed: false,
};

/// The ten probes, in the order that the fingerprint needs.
const SHAPES: [Shape; PROBES as usize] = [
    Shape { versions: UP_TO_12, lists_reversed: true, ..PLAIN },
    Shape { versions: UP_TO_12, ciphers: Order::Reverse, ..PLAIN },
    Shape { ciphers: Order::TopHalf, ..PLAIN },
    Shape { ciphers: Order::BottomHalf, all_alpn: false, ..PLAIN },
    Shape { ciphers: Order::MiddleOut, grease: true, all_alpn: false, lists_reversed: true, ..PLAIN },
    // Called "middle out" in the reference's source; what it sends is the forward order.
    Shape { record_version: 0x0302, client_version: 0x0302, ..PLAIN },
    Shape { record_version: 0x0301, versions: UP_TO_13, lists_reversed: true, ..PLAIN },
    Shape { record_version: 0x0301, versions: UP_TO_13, ciphers: Order::Reverse, ..PLAIN },
    Shape { record_version: 0x0301, versions: UP_TO_13, all_ciphers: false, ..PLAIN },
    Shape {
        record_version: 0x0301,
        versions: UP_TO_13,
        ciphers: Order::MiddleOut,
        grease: true,
        lists_reversed: true,
        ..PLAIN
    },
];

static TEMPLATES: LazyLock<[Template; PROBES as usize]> = LazyLock::new(|| SHAPES.map(|shape| Template::new(&shape)));

/// A hello with holes: all bytes up to `server_name`, all behind it, and where the random ones go.
struct Template {
    before: Vec<u8>,
    /// Place of the two bytes that hold the length of all extensions.
    extensions_length: usize,
    after: Vec<u8>,
    /// Where the key share goes in `after`.
    key_share: usize,
    /// Where GREASE goes: cipher and extension in `before`, key share and version in `after`.
    grease: [Option<usize>; 4],
}

const RANDOM: usize = 11;
const SESSION_ID: usize = 44;

impl Template {
    fn new(shape: &Shape) -> Self {
        let mut grease = [None; 4];
        let [cipher_grease, extension_grease, share_grease, version_grease] = &mut grease;

        let mut before = vec![22];
        before.extend(shape.record_version.to_be_bytes());
        before.extend([0, 0, 1, 0, 0, 0]);
        before.extend(shape.client_version.to_be_bytes());
        before.extend([0; 32]);
        before.push(32);
        before.extend([0; 32]);
        let mut ciphers: Vec<u16> = CIPHERS.into_iter().filter(|one| shape.all_ciphers || one >> 8 != 0x13).collect();
        ciphers = ordered(&ciphers, shape.ciphers);
        if shape.grease {
            ciphers.insert(0, 0);
            *cipher_grease = Some(before.len() + 2);
        }
        before.extend(list16(&ciphers));
        before.extend([1, 0]);
        let extensions_length = before.len();
        before.extend([0, 0]);
        if shape.grease {
            *extension_grease = Some(before.len());
            before.extend([0; 4]);
        }

        let mut after = Vec::new();
        extension(&mut after, 23, &[]);
        extension(&mut after, 1, &[1]);
        extension(&mut after, 0xff01, &[0]);
        extension(&mut after, 10, &list16(&[0x001d, 0x0017, 0x0018, 0x0019]));
        extension(&mut after, 11, &[1, 0]);
        extension(&mut after, 35, &[]);
        extension(&mut after, 16, &alpn_list(shape));
        extension(&mut after, 13, &list16(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201]));
        let mut shares = Vec::new();
        if shape.grease {
            *share_grease = Some(after.len() + 6);
            shares.extend([0, 0, 0, 1, 0]);
        }
        shares.extend([0, 0x1d, 0, 32]);
        let key_share = after.len() + 6 + shares.len();
        shares.extend([0; 32]);
        extension(&mut after, 51, &with_length16(&shares));
        extension(&mut after, 45, &[1, 1]);
        if !shape.versions.is_empty() {
            let mut versions =
                if shape.lists_reversed { ordered(shape.versions, Order::Reverse) } else { shape.versions.to_vec() };
            if shape.grease {
                versions.insert(0, 0);
                *version_grease = Some(after.len() + 5);
            }
            // The one list whose length is a single byte: the low one, since it is short.
            extension(&mut after, 43, list16(&versions).get(1..).unwrap_or_default());
        }
        Self { before, extensions_length, after, key_share, grease }
    }

    fn fill(&self, sni: &str, random: &HelloRandom) -> Vec<u8> {
        let name = sni.get(..sni.floor_char_boundary(NAME_LIMIT)).unwrap_or(sni).as_bytes();
        let name_length = low16(name.len());
        let mut out = Vec::with_capacity(self.before.len() + 9 + name.len() + self.after.len());
        out.extend_from_slice(&self.before);
        out.extend([0, 0]);
        out.extend((name_length + 5).to_be_bytes());
        out.extend((name_length + 3).to_be_bytes());
        out.push(0);
        out.extend(name_length.to_be_bytes());
        out.extend_from_slice(name);
        let after = out.len();
        out.extend_from_slice(&self.after);

        put(&mut out, RANDOM, &random.random);
        put(&mut out, SESSION_ID, &random.session_id);
        put(&mut out, after + self.key_share, &random.key_share);
        for (place, (at, draw)) in self.grease.iter().zip(random.grease).enumerate() {
            let Some(at) = at else { continue };
            let value = draw & 0xf0 | 0x0a;
            put(&mut out, if place < 2 { *at } else { after + at }, &[value, value]);
        }
        let length = out.len();
        for at in [3, 7, self.extensions_length] {
            put(&mut out, at, &low16(length - at - 2).to_be_bytes());
        }
        out
    }
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(hole) = out.get_mut(at..at + bytes.len()) {
        hole.copy_from_slice(bytes);
    }
}

/// A length known to fit two bytes.
fn low16(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

fn with_length16(body: &[u8]) -> Vec<u8> {
    let mut out = low16(body.len()).to_be_bytes().to_vec();
    out.extend_from_slice(body);
    out
}

fn list16(values: &[u16]) -> Vec<u8> {
    with_length16(&values.iter().flat_map(|value| value.to_be_bytes()).collect::<Vec<u8>>())
}

fn extension(out: &mut Vec<u8>, kind: u16, body: &[u8]) {
    out.extend(kind.to_be_bytes());
    out.extend(with_length16(body));
}

fn alpn_list(shape: &Shape) -> Vec<u8> {
    let names: Vec<&str> = ALPN.iter().filter(|(_, rare)| shape.all_alpn || *rare).map(|(name, _)| *name).collect();
    let names = if shape.lists_reversed { ordered(&names, Order::Reverse) } else { names };
    let mut body = Vec::new();
    for name in names {
        body.push(u8::try_from(name.len()).unwrap_or_default());
        body.extend(name.as_bytes());
    }
    with_length16(&body)
}

/// Puts a list in order. The middle one of an odd list leads `TopHalf` and `MiddleOut` and is missing in `BottomHalf`.
fn ordered<T: Copy>(list: &[T], order: Order) -> Vec<T> {
    let (lower, rest) = list.split_at(list.len() / 2);
    let (middle, upper) = rest.split_at(list.len() % 2);
    let middle = middle.iter();
    match order {
        Order::Forward => list.to_vec(),
        Order::Reverse => list.iter().rev().copied().collect(),
        Order::BottomHalf => upper.to_vec(),
        Order::TopHalf => middle.chain(lower.iter().rev()).copied().collect(),
        Order::MiddleOut => {
            let pairs = upper.iter().zip(lower.iter().rev());
            middle.copied().chain(pairs.flat_map(|(up, down)| [*up, *down])).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXED: HelloRandom =
        HelloRandom { random: [1; 32], session_id: [2; 32], key_share: [3; 32], grease: [0x10, 0x2f, 0x3a, 0xff] };

    struct Counter(u8);

    impl Entropy for Counter {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(self.0);
            self.0 += 1;
        }
    }

    #[test]
    fn orders_of_odd_and_even_lists() {
        let odd = |order| ordered(&[1, 2, 3, 4, 5], order);
        let even = |order| ordered(&[1, 2, 3, 4], order);
        assert_eq!(odd(Order::TopHalf), [3, 2, 1]);
        assert_eq!(odd(Order::BottomHalf), [4, 5]);
        assert_eq!(odd(Order::MiddleOut), [3, 4, 2, 5, 1]);
        assert_eq!(even(Order::TopHalf), [2, 1]);
        assert_eq!(even(Order::BottomHalf), [3, 4]);
        assert_eq!(even(Order::MiddleOut), [3, 2, 4, 1]);
    }

    #[test]
    fn lengths_agree_with_the_bytes_whatever_the_name() {
        for probe in 0..PROBES {
            for name in ["", "a", "example.com", &"\u{e4}".repeat(400)] {
                let bytes = hello(probe, name, &FIXED);
                let record = usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
                assert_eq!(record + 5, bytes.len());
                assert_eq!(bytes.capacity(), bytes.len(), "one allocation, of the right size");
                assert_eq!(&bytes[11..43], &[1; 32]);
                assert_eq!(&bytes[44..76], &[2; 32]);
            }
        }
        assert!(hello(0, &"x".repeat(100_000), &FIXED).len() < 1000, "a name too long is cut");
    }

    #[test]
    fn grease_stands_only_in_probes_4_and_9_and_each_place_has_its_own() {
        let pairs = |probe| {
            let bytes = hello(probe, "example.com", &FIXED);
            [[0x1a, 0x1a], [0x2a, 0x2a], [0x3a, 0x3a], [0xfa, 0xfa]]
                .map(|pair| bytes.windows(2).filter(|two| *two == pair).count())
        };
        assert_eq!(pairs(4), [1, 1, 1, 0], "no versions extension, so no place for the fourth");
        assert_eq!(pairs(9), [1, 1, 1, 1]);
        assert_eq!(pairs(0), [0; 4]);
    }

    #[test]
    fn a_draw_fills_everything_but_the_key_share() {
        let drawn = HelloRandom::draw(&mut Counter(1), [9; 32]);
        let expected = HelloRandom { random: [1; 32], session_id: [2; 32], key_share: [9; 32], grease: [3; 4] };
        assert_eq!(drawn, expected);
    }

    #[test]
    fn the_old_hello_is_sslv3_without_extensions() {
        let bytes = old_hello(&FIXED);
        assert_eq!(bytes[..11], [22, 3, 0, 0, 53, 1, 0, 0, 49, 3, 0]);
        assert_eq!(bytes[11..43], [1; 32]);
        assert_eq!(bytes[43..], [0, 0, 10, 0, 4, 0, 5, 0, 10, 0, 47, 0, 53, 1, 0]);
        assert_eq!(usize::from(bytes[4]) + 5, bytes.len());
    }

    #[test]
    fn a_probe_that_does_not_exist_gives_the_last_one() {
        assert_eq!(hello(200, "a", &FIXED), hello(9, "a", &FIXED));
    }
}
