//! What leaves the house: own addresses taken out, e-mail addresses where asked, and strangers' text made safe to look at
//! with its exact bytes beside it.

use std::net::IpAddr;

use crate::facet::{escape_terminal, show_bytes, show_cut};

/// Most characters of a stranger's text shown in one place. The exact bytes are kept whole.
pub const LONGEST_TEXT: usize = 1000;

/// Stands where an address of ours stood.
const OWN: &str = "[own address]";
/// Stands where an e-mail address stood.
const MAIL: &str = "[e-mail]";

/// What is taken out of everything that is shared.
#[derive(Clone, Debug, Default)]
pub struct Cleaner {
    own: Vec<String>,
    minimise: bool,
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
        Self { own: own.iter().flat_map(spellings).collect(), minimise }
    }

    /// A value as it may be shared.
    #[must_use]
    pub fn safe(&self, bytes: &[u8]) -> SafeText {
        let mut bytes = self.without_own(bytes);
        let mut personal = !mails(&bytes).is_empty();
        if self.minimise && personal {
            bytes = without_mails(&bytes);
            personal = false;
        }
        let text = show_cut(&escape_terminal(&show_bytes(&bytes)), LONGEST_TEXT);
        let exact = (text.as_bytes() != bytes && !self.minimise).then_some(bytes);
        SafeText { text, exact, personal }
    }

    /// A text of ours that may quote strangers, as it may be shared.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        self.safe(text.as_bytes()).text
    }

    fn without_own(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        for spelling in &self.own {
            let mut from = 0;
            while let Some(at) = find(&out, spelling.as_bytes(), from) {
                let end = at + spelling.len();
                // 10.1.2.3 is not in 110.1.2.34.
                let joins = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
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

/// How pages and names write an address.
fn spellings(address: &IpAddr) -> Vec<String> {
    let plain = address.to_string();
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            vec![
                plain.clone(),
                plain.replace('.', "-"),
                format!("{d}.{c}.{b}.{a}.in-addr.arpa"),
                format!("{:08x}", v4.to_bits()),
            ]
        }
        IpAddr::V6(v6) => {
            let groups = v6.segments();
            let join = |show: fn(&u16) -> String| groups.iter().map(show).collect::<Vec<_>>().join(":");
            vec![plain, join(|group| format!("{group:04x}")), join(|group| format!("{group:x}"))]
        }
    }
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

fn without_mails(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for (start, end) in mails(bytes).into_iter().rev() {
        out.splice(start..end, MAIL.bytes());
    }
    out
}

/// An address or name that nobody opens by a slip of the hand: `203[.]0[.]113[.]7`, `hxxp://`.
#[must_use]
pub fn defang(text: &str) -> String {
    text.replace("http://", "hxxp://")
        .replace("https://", "hxxps://")
        .replace('.', "[.]")
        .replace("::", "[::]")
        .replace('@', "[@]")
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
    }
}
