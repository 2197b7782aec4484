//! What leaves the house: own addresses taken out, e-mail addresses where asked, and strangers' text made safe to look at
//! with its exact bytes beside it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::facet::{FacetKind, escape_terminal, show_bytes, show_cut};

/// Most characters of a stranger's text shown in one place. The exact bytes are kept whole.
pub const LONGEST_TEXT: usize = 1000;

/// Stands where an address of ours stood.
const OWN: &str = "[own address]";
/// Stands where an e-mail address stood.
const MAIL: &str = "[e-mail]";

/// What is taken out of everything that is shared.
#[derive(Clone, Debug, Default)]
pub struct Cleaner {
    own: Vec<Spelling>,
    minimise: bool,
    /// A mailbox that is made to be known: the contact that scanned hosts are told.
    public: Option<Vec<u8>>,
}

/// A stranger's text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SafeText {
    /// Safe on a terminal, and cut to [`LONGEST_TEXT`].
    pub text: String,
    /// The bytes, where `text` is not exactly them.
    pub exact: Option<Vec<u8>>,
    /// True when it holds an e-mail address.
    pub personal: bool,
}

impl Cleaner {
    /// Takes out these addresses; with `minimise` e-mail addresses and exact bytes too.
    #[must_use]
    pub fn new(own: &[IpAddr], minimise: bool) -> Self {
        Self { own: own.iter().flat_map(spellings).collect(), minimise, public: None }
    }

    /// The same, but for this mailbox, which is made to be known.
    #[must_use]
    pub fn keeping(self, mail: Option<&str>) -> Self {
        Self { public: mail.map(|mail| mail.as_bytes().to_vec()), ..self }
    }

    /// A value as it may be shared.
    #[must_use]
    pub fn safe(&self, bytes: &[u8]) -> SafeText {
        let (bytes, personal) = self.redacted(bytes);
        let text = show_cut(&escape_terminal(&show_bytes(&bytes)), LONGEST_TEXT);
        let exact = (text.as_bytes() != bytes && !self.minimise).then_some(bytes);
        SafeText { text, exact, personal }
    }

    /// A text of ours that may quote strangers, as it may be shared.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        self.safe(text.as_bytes()).text
    }

    /// A text that is made safe where it is shown, without what is taken out; and whether it still holds an e-mail address.
    #[must_use]
    pub fn redact(&self, text: &str) -> (String, bool) {
        let (bytes, personal) = self.redacted(text.as_bytes());
        (String::from_utf8_lossy(&bytes).into_owned(), personal)
    }

    fn redacted(&self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut bytes = self.without_own(bytes);
        let mut places = mails(&bytes);
        places.retain(|(start, end)| self.public.as_deref() != bytes.get(*start..*end) || self.public.is_none());
        let personal = !places.is_empty();
        if self.minimise && personal {
            for (start, end) in places.into_iter().rev() {
                bytes.splice(start..end, MAIL.bytes());
            }
            return (bytes, false);
        }
        (bytes, personal)
    }

    fn without_own(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        for spelling in &self.own {
            let mut from = 0;
            while let Some(at) = find(&out, spelling.text.as_bytes(), from) {
                let end = at + spelling.text.len();
                // 10.1.2.3 is not in 110.1.2.34, but it is in the name `host10-1-2-3x`.
                let joins = |byte: Option<&u8>| byte.is_some_and(spelling.goes_on);
                if joins(at.checked_sub(1).and_then(|before| out.get(before))) || joins(out.get(end)) {
                    from = at + 1;
                    continue;
                }
                out.splice(at..end, OWN.bytes());
                from = at + OWN.len();
            }
        }
        out
    }
}

/// One way to write an address of ours.
#[derive(Clone, Debug)]
struct Spelling {
    text: String,
    /// True for a byte beside it that makes it part of another number.
    goes_on: fn(&u8) -> bool,
}

/// How pages and names write an address.
fn spellings(address: &IpAddr) -> Vec<Spelling> {
    let (decimal, hex) = match address {
        IpAddr::V4(v4) => {
            let octets = v4.octets();
            let backwards: Vec<u8> = octets.iter().rev().copied().collect();
            let [a, b, c, d] = octets;
            let join = |octets: &[u8], sign: &str| octets.iter().map(u8::to_string).collect::<Vec<_>>().join(sign);
            let padded = |sign: &str| octets.iter().map(|octet| format!("{octet:03}")).collect::<Vec<_>>().join(sign);
            (
                vec![
                    join(&octets, "."),
                    join(&octets, "-"),
                    join(&octets, "_"),
                    padded("."),
                    padded("-"),
                    format!("{}.in-addr.arpa", join(&backwards, ".")),
                    join(&backwards, "."),
                    join(&backwards, "-"),
                    v4.to_bits().to_string(),
                ],
                vec![format!("{:08x}", v4.to_bits()), format!("{a:02x}{b:02x}:{c:02x}{d:02x}")],
            )
        }
        IpAddr::V6(v6) => {
            let groups = v6.segments();
            let join = |show: fn(&u16) -> String| groups.iter().map(show).collect::<Vec<_>>().join(":");
            let colons = [v6.to_string(), join(|group| format!("{group:04x}")), join(|group| format!("{group:x}"))];
            let dashes = colons.clone().map(|text| text.replace(':', "-"));
            let nibbles: Vec<String> =
                format!("{:032x}", v6.to_bits()).chars().rev().map(|nibble| nibble.to_string()).collect();
            let run = format!("{:032x}", v6.to_bits());
            (Vec::new(), colons.into_iter().chain(dashes).chain([nibbles.join("."), run]).collect())
        }
    };
    let decimal = decimal.into_iter().map(|text| Spelling { text, goes_on: u8::is_ascii_digit });
    decimal.chain(hex.into_iter().map(|text| Spelling { text, goes_on: u8::is_ascii_alphanumeric })).collect()
}

/// Where `needle` stands in `hay` from `from` on, whatever the case of its letters.
fn find(hay: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let rest = hay.get(from..)?;
    rest.windows(needle.len().max(1)).position(|window| window.eq_ignore_ascii_case(needle)).map(|at| from + at)
}

/// Where e-mail addresses stand: something at a name with a dot.
fn mails(bytes: &[u8]) -> Vec<(usize, usize)> {
    let local = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte) || !byte.is_ascii();
    let domain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte) || !byte.is_ascii();
    let mut found = Vec::new();
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'@') {
        let (before, after) = (bytes.get(..at).unwrap_or_default(), bytes.get(at + 1..).unwrap_or_default());
        let start = at - before.iter().rev().take_while(|byte| local(byte)).count();
        let name = after.iter().take_while(|byte| domain(byte)).count();
        let has_dot = after.get(..name).is_some_and(|name| name.iter().skip(1).any(|byte| *byte == b'.'));
        if start < at && has_dot && found.last().is_none_or(|(_, end)| *end <= start) {
            found.push((start, at + 1 + name));
        }
    }
    found
}

/// Addresses and names that nobody opens by a slip of the hand: `203[.]0[.]113[.]7`, `2001:db8[::]7`, `hxxp://shop[.]example`. Versions,
/// decimals, times and the names of facets stay as they are.
#[must_use]
pub fn defang(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let inside = |c: char| c.is_alphanumeric() || ".-_:".contains(c);
    while let Some(start) = rest.find(inside) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|c| !inside(c)).unwrap_or(from.len()));
        out.push_str(&before.replace('@', "[@]"));
        out.push_str(&match (word.to_ascii_lowercase().as_str(), after.starts_with("//")) {
            ("http:", true) => "hxxp:".to_owned(),
            ("https:", true) => "hxxps:".to_owned(),
            _ => defanged_word(word),
        });
        rest = after;
    }
    out.push_str(&rest.replace('@', "[@]"));
    out
}

/// A word of letters, digits, dots, dashes and colons. An IPv6 address may stand behind another word: `host:2001:db8::7`.
fn defanged_word(word: &str) -> String {
    // The end of a sentence, or a colon behind the address.
    let bare = word.trim_end_matches('.');
    let ends = [bare, bare.strip_suffix(':').unwrap_or(bare)];
    let is_v6 = |start: usize| {
        let fits =
            |end: &&str| end.get(start..).is_some_and(|text| text.len() <= 45 && text.parse::<Ipv6Addr>().is_ok());
        ends.iter().any(fits)
    };
    let starts = std::iter::once(0).chain(word.match_indices(':').map(|(at, _)| at + 1));
    if word.matches(':').nth(1).is_some()
        && let Some((before, address)) =
            starts.filter(|start| is_v6(*start)).min().and_then(|at| word.split_at_checked(at))
    {
        let at_gap = address.replace("::", "[::]");
        return before.to_owned() + &if at_gap == address { address.replace(':', "[:]") } else { at_gap };
    }
    let shown = |part: &str| if is_place(part) { part.replace('.', "[.]") } else { part.to_owned() };
    word.split(':').map(shown).collect::<Vec<_>>().join(":")
}

/// True for an IPv4 address and for what looks like a name with a top-level domain.
fn is_place(word: &str) -> bool {
    if !word.contains('.') || word.parse::<FacetKind>().is_ok() {
        return false;
    }
    let name = word.trim_matches('.');
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_top = last.starts_with("xn--") || (last.chars().count() > 1 && last.chars().all(char::is_alphabetic));
    name.split('-').any(|part| part.parse::<Ipv4Addr>().is_ok()) || (name.contains('.') && is_top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_taken_out_in_each_spelling_and_no_other_is() {
        let own = ["198.51.100.9".parse().unwrap(), "2001:db8::9".parse().unwrap()];
        let cleaner = Cleaner::new(&own, false);
        let said = b"you: 198.51.100.9, 198-51-100-9.rev.example, 9.100.51.198.in-addr.arpa, 2001:DB8::9, 2001:0db8:0000:0000:0000:0000:0000:0009";
        let safe = cleaner.safe(said);
        assert!(!safe.text.contains("100") && !safe.text.to_lowercase().contains("db8"), "{}", safe.text);
        assert_eq!(safe.text.matches(OWN).count(), 5, "{}", safe.text);
        assert_eq!(cleaner.safe(b"198.51.100.91 1198.51.100.9").text, "198.51.100.91 1198.51.100.9");
        assert_eq!(safe.exact, None, "what was taken out is not kept beside");
        for name in [
            "host198-51-100-9.isp.example",
            "198_51_100_9",
            "198.051.100.009",
            "9.100.51.198.dyn.isp.example",
            "9-100-51-198.isp.example",
            "x=3325256713",
            "::ffff:c633:6409",
            "2001-db8--9.isp.example",
            "9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
        ] {
            assert_eq!(cleaner.text(name).matches(OWN).count(), 1, "{name}: {}", cleaner.text(name));
        }
        for other in ["119.100.51.198", "13325256713", "c6336409c6336409", "2001:db8::9a"] {
            assert_eq!(cleaner.text(other), other);
        }
    }

    #[test]
    fn strangers_text_is_safe_to_look_at_and_its_bytes_are_kept() {
        let cleaner = Cleaner::default();
        let safe = cleaner.safe(b"a\x1b[2J\xffb\0");
        assert_eq!(safe.text, "a\\u{1b}[2J\\xffb\\u{0}");
        assert_eq!(safe.exact.as_deref(), Some(&b"a\x1b[2J\xffb\0"[..]));
        let long = vec![b'x'; 1 << 20];
        let safe = cleaner.safe(&long);
        assert_eq!((safe.text.chars().count(), safe.exact), (LONGEST_TEXT, Some(long)));
        assert_eq!(cleaner.safe(b"plain").exact, None);
    }

    #[test]
    fn mail_addresses_are_seen_and_left_out_where_asked() {
        assert!(Cleaner::default().safe(b"CN=x,emailAddress=jo@example.org,O=y").personal);
        assert!(!Cleaner::default().safe(b"git@host and @ alone, a@b").personal);
        let safe = Cleaner::new(&[], true).safe(b"jo@example.org;al@example.net \xff");
        assert_eq!((safe.text.as_str(), safe.exact, safe.personal), ("[e-mail];[e-mail] \\xff", None, false));
    }

    #[test]
    fn a_defanged_address_is_no_link() {
        assert_eq!(defang("http://203.0.113.7/ 2001:db8::7"), "hxxp://203[.]0[.]113[.]7/ 2001:db8[::]7");
        assert_eq!(
            defang("HTTPS://a.b.example:8443/x.php?q=jo@c.example"),
            "hxxps://a[.]b[.]example:8443/x[.]php?q=jo[@]c[.]example"
        );
        assert_eq!(
            defang("203.0.113.0/24 at 2001:db8:1:2:3:4:5:6."),
            "203[.]0[.]113[.]0/24 at 2001[:]db8[:]1[:]2[:]3[:]4[:]5[:]6."
        );
        assert_eq!(
            defang("7.113.0.203.in-addr.arpa, *.xn--bcher-kva.example"),
            "7[.]113[.]0[.]203[.]in-addr[.]arpa, *[.]xn--bcher-kva[.]example"
        );
        assert_eq!(defang("host:2001:db8::7 host:203.0.113.7"), "host:2001:db8[::]7 host:203[.]0[.]113[.]7");
        assert_eq!(defang("203.0.113.7."), "203[.]0[.]113[.]7[.]");
    }

    #[test]
    fn what_nobody_opens_stays_readable() {
        for text in [
            "99.9 % at 2026-11-22T12:00:00.123Z",
            "SSH-2.0-OpenSSH_9.2p1",
            "nginx/1.18.0",
            "cert.spki_sha256 and http.title",
            "e.g. this. And that.",
        ] {
            assert_eq!(defang(text), text);
        }
    }
}
