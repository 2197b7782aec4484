//! What a page says: its text without markup, its title, and two digests that survive small edits.
//!
//! In: a body after transfer decoding. Out: text, title, simhash, TLSH. Nothing here knows character sets: bytes are
//! compared as sent, and letters are those of ASCII, so that the digests do not depend on a table that changes.

use sha2::{Digest, Sha256};

/// Longest title kept, in bytes after decoding.
pub const TITLE_LIMIT: usize = 512;

/// Words in one shingle of the simhash.
const SHINGLE: usize = 4;

/// The first title of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// Its text: entities decoded, white space collapsed, at most [`TITLE_LIMIT`] bytes; not always UTF-8.
    pub text: Vec<u8>,
    /// True when the text was longer than that.
    pub cut: bool,
}

/// The text of a page: every tag and comment becomes a space, the contents of `script` and `style` are dropped.
///
/// A tag is `<` before a letter, `/`, `!` or `?`, up to the next `>`; any other `<` is text. Entities stay as sent.
#[must_use]
pub fn strip_tags(body: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(body.len());
    for piece in Pieces::of(body) {
        match piece {
            Piece::Text(bytes) | Piece::Inside { element: Element::Title, bytes, .. } => text.extend_from_slice(bytes),
            Piece::Inside { .. } | Piece::Tag => text.push(b' '),
        }
    }
    text
}

/// A 64-bit simhash of what a page says; `None` when it says no word at all.
///
/// The text is that of [`strip_tags`], ASCII letters lower-cased, each digit replaced by `0`, and words are what stands
/// between ASCII white space. Every run of four words, joined by single spaces, is a shingle (fewer than four words are
/// one shingle); its hash is the first 8 bytes of its SHA-256, big-endian. A bit of the result is set when it is set in
/// more than half of all shingles, repeated ones counted each time.
#[must_use]
pub fn simhash(body: &[u8]) -> Option<u64> {
    let mut text = strip_tags(body);
    for byte in &mut text {
        *byte = if byte.is_ascii_digit() { b'0' } else { byte.to_ascii_lowercase() };
    }
    let words: Vec<&[u8]> = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return None;
    }
    let mut balance = [0i32; 64];
    for shingle in words.windows(SHINGLE.min(words.len())) {
        let digest = Sha256::digest(shingle.join(&b' '));
        let hash = digest.first_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first));
        for (place, sum) in balance.iter_mut().enumerate() {
            *sum += if (hash >> place) & 1 == 1 { 1 } else { -1 };
        }
    }
    Some(balance.iter().rev().fold(0, |bits, sum| (bits << 1) | u64::from(*sum > 0)))
}

/// TLSH (version 4, prefix `T1`, 128 buckets, one byte of checksum) of a body as sent; `None` for one of fewer than
/// 50 bytes or too little variety.
///
/// Oliver, Cheng, Chen: "TLSH: A Locality Sensitive Hash", 2013.
#[must_use]
pub fn tlsh(body: &[u8]) -> Option<String> {
    let digest = tlsh2::TlshDefaultBuilder::build_from(body)?;
    String::from_utf8(digest.hash().to_vec()).ok()
}

/// The first title of a page, outside comments, scripts and styles.
///
/// `whole` says that the body was heard to its end: only then is a title without an end tag taken (a browser shows it
/// so), unless it had already grown past [`TITLE_LIMIT`]. The value therefore never depends on where a connection broke.
#[must_use]
pub fn title(body: &[u8], whole: bool) -> Option<Title> {
    let (raw, ended) = Pieces::of(body).find_map(|piece| match piece {
        Piece::Inside { element: Element::Title, bytes, ended } => Some((bytes, ended)),
        _ => None,
    })?;
    let text = collapse(&decode_entities(raw));
    let settled = text.len() > TITLE_LIMIT + 2 * ENTITY_LIMIT;
    (ended || whole || settled).then(|| shorten(text))
}

/// Cuts text to [`TITLE_LIMIT`], not through a character where it is UTF-8.
fn shorten(mut text: Vec<u8>) -> Title {
    let cut = text.len() > TITLE_LIMIT;
    if cut {
        text.truncate(TITLE_LIMIT);
        if let Some(upto) = str::from_utf8(&text).err().filter(|e| e.error_len().is_none()).map(|e| e.valid_up_to()) {
            text.truncate(upto);
        }
    }
    Title { text, cut }
}

/// Each run of ASCII white space as one space, none at the ends.
fn collapse(text: &[u8]) -> Vec<u8> {
    let words: Vec<&[u8]> = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
    words.join(&b' ')
}

/// Longest entity looked at, between `&` and `;`.
const ENTITY_LIMIT: usize = 8;

/// Decodes the five entities that every page must write, and numbers; leaves all others as sent.
fn decode_entities(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'&') {
        let (before, from) = rest.split_at(at);
        out.extend_from_slice(before);
        let after = from.get(1..).unwrap_or_default();
        let length = after.iter().take(ENTITY_LIMIT + 1).position(|byte| *byte == b';');
        let decoded = length.and_then(|length| Some((entity(after.get(..length)?)?, after.get(length + 1..)?)));
        if let Some((character, behind)) = decoded {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            rest = behind;
        } else {
            out.push(b'&');
            rest = after;
        }
    }
    out.extend_from_slice(rest);
    out
}

fn entity(name: &[u8]) -> Option<char> {
    let number = match name {
        b"amp" => return Some('&'),
        b"lt" => return Some('<'),
        b"gt" => return Some('>'),
        b"quot" => return Some('"'),
        [b'#', b'x' | b'X', hex @ ..] if hex.iter().all(u8::is_ascii_hexdigit) => {
            u32::from_str_radix(str::from_utf8(hex).ok()?, 16).ok()?
        }
        [b'#', decimal @ ..] if decimal.iter().all(u8::is_ascii_digit) => str::from_utf8(decimal).ok()?.parse().ok()?,
        _ => return None,
    };
    char::from_u32(number)
}

/// Elements whose contents are no markup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Script,
    Style,
    Title,
}

impl Element {
    fn starting(tag: &[u8]) -> Option<Self> {
        let name = tag.split(|byte| byte.is_ascii_whitespace() || *byte == b'/').next()?;
        [Self::Script, Self::Style, Self::Title].into_iter().find(|one| name.eq_ignore_ascii_case(one.name()))
    }

    fn name(self) -> &'static [u8] {
        match self {
            Self::Script => b"script",
            Self::Style => b"style",
            Self::Title => b"title",
        }
    }
}

/// A piece of a page.
enum Piece<'a> {
    /// Text between tags.
    Text(&'a [u8]),
    /// A tag or a comment.
    Tag,
    /// The contents of an element that holds no markup, and whether its end tag was there.
    Inside { element: Element, bytes: &'a [u8], ended: bool },
}

/// Cuts a page into pieces, in one pass: every byte is looked at a bounded number of times.
struct Pieces<'a> {
    rest: &'a [u8],
    inside: Option<Element>,
}

impl<'a> Pieces<'a> {
    fn of(body: &'a [u8]) -> Self {
        Self { rest: body, inside: None }
    }

    /// Takes the bytes before `end`, and steps over as many of it as `skip` says; all when there is no end.
    fn take(&mut self, end: Option<usize>, skip: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len())).unwrap_or((self.rest, &[]));
        self.rest = rest.get(skip..).unwrap_or_default();
        taken
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if let Some(element) = self.inside.take() {
            let name = element.name();
            let end = self
                .rest
                .windows(name.len() + 2)
                .position(|window| window.strip_prefix(b"</").is_some_and(|found| found.eq_ignore_ascii_case(name)));
            return Some(Piece::Inside { element, bytes: self.take(end, 0), ended: end.is_some() });
        }
        match self.rest {
            [] => None,
            [b'<', b'!', b'-', b'-', comment @ ..] => {
                let end = comment.windows(3).position(|window| window == b"-->");
                self.take(end.map(|end| end + 4), 3);
                Some(Piece::Tag)
            }
            [b'<', b'a'..=b'z' | b'A'..=b'Z' | b'/' | b'!' | b'?', ..] => {
                let end = self.rest.iter().position(|byte| *byte == b'>');
                let tag = self.take(end, 1);
                self.inside = end.and_then(|_| Element::starting(tag.get(1..)?));
                Some(Piece::Tag)
            }
            [_, behind @ ..] => {
                let end = behind.iter().position(|byte| *byte == b'<');
                Some(Piece::Text(self.take(end.map(|end| end + 1), 0)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(body: &str) -> String {
        String::from_utf8(collapse(&strip_tags(body.as_bytes()))).unwrap()
    }

    fn titled(body: &str, whole: bool) -> Option<String> {
        title(body.as_bytes(), whole).map(|title| String::from_utf8(title.text).unwrap())
    }

    #[test]
    fn tags_comments_scripts_and_styles_are_no_text() {
        let page = "<p>a<b>b</b> <!-- <p>no --> 1 < 2<SCRIPT>if (a<b) no()</Script ><style>no{}</style>c<br/>d";
        assert_eq!(words(page), "a b 1 < 2 c d");
    }

    #[test]
    fn markup_without_end_swallows_the_rest_and_nothing_else() {
        assert_eq!(words("a<p b"), "a");
        assert_eq!(words("a<!-- b"), "a");
        assert_eq!(words("a<script>b"), "a");
        assert_eq!(words("a<"), "a<");
    }

    #[test]
    fn the_first_title_outside_comments_is_decoded_and_collapsed() {
        let page =
            "<!-- <title>old</title> --><TITLE lang=en>\n a &amp;&#39;&#x42;&quot;\t&nbsp;<b> </TITLE><title>2</title>";
        assert_eq!(titled(page, false).as_deref(), Some("a &'B\" &nbsp;<b>"));
        assert_eq!(titled("<titles>no</titles>", true), None);
        assert_eq!(titled("<title></title>", true).as_deref(), Some(""));
    }

    #[test]
    fn a_title_without_end_counts_only_when_the_body_was_whole() {
        assert_eq!(titled("<title>half", false), None);
        assert_eq!(titled("<title>half", true).as_deref(), Some("half"));
    }

    #[test]
    fn a_megabyte_of_title_is_cut_between_characters() {
        let page = format!("<title>x{}", "\u{e4}".repeat(500_000));
        let cut = title(page.as_bytes(), false).unwrap();
        assert!(cut.cut);
        assert_eq!(cut.text, format!("x{}", "\u{e4}".repeat(255)).into_bytes());
    }

    #[test]
    fn a_title_that_is_not_utf8_keeps_its_bytes() {
        assert_eq!(title(b"<title>caf\xe9</title>", true).unwrap().text, b"caf\xe9");
    }

    #[test]
    fn entities_that_lie_stay_as_sent() {
        for text in ["&#;", "&#x;", "&#xd800;", "&#99999999;", "&#+5;", "&", "&&", "&verylongname;"] {
            assert_eq!(decode_entities(text.as_bytes()), text.as_bytes());
        }
    }

    #[test]
    fn a_simhash_is_what_its_definition_says() {
        // sha256("one two 000") begins so.
        let one = Sha256::digest(b"one two 000");
        let expected = u64::from_be_bytes(*one.first_chunk::<8>().unwrap());
        assert_eq!(simhash(b"<h1>One</h1>\r\n TWO 123"), Some(expected));
        // Of two shingles, a bit must be set in both.
        let (a, b) = (simhash(b"a b c d").unwrap(), simhash(b"b c d e").unwrap());
        assert_eq!(simhash(b"a b c d e"), Some(a & b));
    }

    #[test]
    fn a_page_without_words_has_no_simhash() {
        assert_eq!(simhash(b""), None);
        assert_eq!(simhash(b"<html><script>x</script></html> \n"), None);
    }

    #[test]
    fn digits_do_not_move_a_simhash_and_one_word_moves_it_little() {
        let text = "the quick brown fox jumps over the lazy dog while many other animals look on and wonder why it runs \
            so fast through the wood at night when all good beasts sleep";
        let numbered = |number: &str| simhash(text.replace("many", number).as_bytes());
        assert_eq!(numbered("27"), numbered("15"));
        let edited = text.replace("wonder", "ponder");
        let far = (simhash(text.as_bytes()).unwrap() ^ simhash(edited.as_bytes()).unwrap()).count_ones();
        assert!(far > 0 && far < 20, "{far}");
    }

    #[test]
    fn a_short_or_plain_body_has_no_tlsh() {
        assert_eq!(tlsh(&b"abcdefghij".repeat(4)), None);
        assert_eq!(tlsh(&b"x".repeat(60_000)), None);
        let digest =
            tlsh(b"<html><head><title>Welcome</title></head><body>Some words of no great weight</body></html>");
        assert!(digest.is_some_and(|digest| digest.len() == 72 && digest.starts_with("T1")));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_page(body in proptest::collection::vec(any::<u8>(), 0..300), whole: bool) {
            let _ = (simhash(&body), tlsh(&body), title(&body, whole));
            prop_assert!(strip_tags(&body).len() <= body.len());
        }

        #[test]
        fn any_markup_is_a_page(parts in proptest::collection::vec("<|>|</|<!--|-->|title|script|&#|&amp;|;|[a-z0-9 ]", 0..60)) {
            let body = parts.concat();
            prop_assert!(strip_tags(body.as_bytes()).len() <= body.len() + 1);
            let _ = title(body.as_bytes(), true);
        }
    }
}
