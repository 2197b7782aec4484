//! The SSH identification line ([RFC 4253 section 4.2](https://www.rfc-editor.org/rfc/rfc4253#section-4.2)).
//!
//! A server may send other lines first; tarpits do so for ever, hence the limits. A line without its line feed was cut
//! off and says nothing.

/// What hostkin calls itself, with the line end.
pub(super) const OURS: &[u8] = b"SSH-2.0-hostkin_1\r\n";
/// Most lines looked through for the identification.
pub(super) const MAX_LINES: usize = 50;
/// Most bytes looked through for the identification.
pub(super) const MAX_BYTES: usize = 8192;

/// What sshd says in place of its identification when it turns a connection away, and what that means.
const TURNED_AWAY: &[(&[u8], &str)] = &[
    (b"Exceeded MaxStartups", "turned away: too many connections at once"),
    (b"Not allowed at this time", "turned away: penalised for earlier connections"),
];

/// What the first bytes of a server are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ident<'a> {
    /// The identification line, without its end, and the index of the first byte after it.
    Found { line: &'a [u8], end: usize },
    /// Not yet: so many finished lines were something else; `begun` when the last, unfinished one starts with `SSH-`.
    Unfinished { lines: usize, begun: bool },
    /// Not within the limits.
    Never,
}

impl<'a> Ident<'a> {
    /// Looks for the identification line at the start of what a server said.
    pub(super) fn find(heard: &'a [u8]) -> Self {
        let within = heard.get(..MAX_BYTES).unwrap_or(heard);
        let full = heard.len() >= MAX_BYTES;
        let (mut lines, mut end) = (0, 0);
        for line in within.split_inclusive(|byte| *byte == b'\n').take(MAX_LINES) {
            let Some(text) = line.strip_suffix(b"\n") else {
                return if full { Self::Never } else { Self::Unfinished { lines, begun: line.starts_with(b"SSH-") } };
            };
            end += line.len();
            if text.starts_with(b"SSH-") {
                return Self::Found { line: text.strip_suffix(b"\r").unwrap_or(text), end };
            }
            lines += 1;
        }
        if full || lines == MAX_LINES { Self::Never } else { Self::Unfinished { lines, begun: false } }
    }
}

/// True when the line promises protocol version 2: `SSH-2.0-`, or `SSH-1.99-` of a server that speaks both.
pub(super) fn speaks_version_2(line: &[u8]) -> bool {
    line.starts_with(b"SSH-2.") || line.starts_with(b"SSH-1.99-")
}

/// What it means, when a server said that it turns the connection away.
pub(super) fn turned_away(heard: &[u8]) -> Option<&'static str> {
    TURNED_AWAY.iter().find(|(line, _)| heard.starts_with(line)).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_before_the_identification_are_stepped_over() {
        let heard = b"welcome\r\nto nowhere\nSSH-2.0-x comment \r\nrest";
        assert_eq!(Ident::find(heard), Ident::Found { line: b"SSH-2.0-x comment ", end: 40 });
    }

    #[test]
    fn a_line_cut_off_gives_nothing() {
        assert_eq!(Ident::find(b"SSH-2.0-Open"), Ident::Unfinished { lines: 0, begun: true });
        assert_eq!(Ident::find(b"a\nb"), Ident::Unfinished { lines: 1, begun: false });
        assert_eq!(Ident::find(b""), Ident::Unfinished { lines: 0, begun: false });
    }

    #[test]
    fn endless_lines_and_an_endless_line_are_given_up() {
        assert_eq!(Ident::find(&b"x\r\n".repeat(MAX_LINES)), Ident::Never);
        assert_eq!(Ident::find(&vec![b'x'; MAX_BYTES]), Ident::Never);
        let late = [b"x\n".repeat(MAX_LINES), b"SSH-2.0-late\r\n".to_vec()].concat();
        assert_eq!(Ident::find(&late), Ident::Never);
    }

    #[test]
    fn version_1_99_is_version_2_and_1_5_is_not() {
        assert!(speaks_version_2(b"SSH-1.99-x"));
        assert!(speaks_version_2(b"SSH-2.0-x"));
        assert!(!speaks_version_2(b"SSH-1.5-x"));
    }
}
