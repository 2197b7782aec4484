//! Web servers as data, and their answers as bytes: a [`Stack`] is a program with its settings (which headers, in which
//! order), a [`Page`] is what somebody put on it.

use crate::clock::Timestamp;

/// One web server with its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The program and its settings.
    pub stack: &'static Stack,
    /// What `/` shows.
    pub page: Page,
}

/// A web server program with its settings.
#[derive(Debug, PartialEq, Eq)]
pub struct Stack {
    /// What it calls itself.
    pub server: Option<&'static str>,
    /// Its headers in order.
    pub heads: &'static [Head],
    /// Writes header names in lower case.
    pub lower: bool,
}

/// A place in a stack's header order. Those without a value on a page are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// `Server`.
    Server,
    /// `Date`.
    Date,
    /// `Content-Type`.
    Type,
    /// `Content-Length`, or `Transfer-Encoding` for a page sent in chunks.
    Length,
    /// `Connection: close`.
    Connection,
    /// `Last-Modified`.
    Modified,
    /// `ETag`.
    Etag,
    /// `Location`.
    Location,
    /// `WWW-Authenticate`.
    Realm,
    /// Any other name with its value.
    Fixed(&'static str, &'static str),
}

/// What `/` shows.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// The body, sent whole.
    pub body: String,
    /// `Last-Modified`, as text.
    pub modified: Option<&'static str>,
    /// `ETag`, with its quotes.
    pub etag: Option<String>,
    /// Where it redirects to.
    pub location: Option<String>,
    /// The realm of its password prompt.
    pub realm: Option<String>,
    /// What its icon is drawn from; pages with the same word show the same icon.
    pub favicon: Option<String>,
    /// Sent in chunks.
    pub chunked: bool,
}

impl Site {
    /// The answer to a request for `path`; `None` means what was heard is no request.
    #[must_use]
    pub fn answer(&self, path: Option<&str>, now: Timestamp) -> Vec<u8> {
        let icon = self.page.favicon.as_deref().map(icon);
        match (path, icon) {
            (Some("/"), _) => self.stack.render(&self.page, "text/html; charset=utf-8", self.page.body.as_bytes(), now),
            (Some("/favicon.ico"), Some(icon)) => {
                self.stack.render(&Page { status: 200, ..Page::default() }, "image/x-icon", &icon, now)
            }
            (Some(_), _) => self.stack.error(404, now),
            (None, _) => self.stack.error(400, now),
        }
    }
}

impl Stack {
    fn error(&self, status: u16, now: Timestamp) -> Vec<u8> {
        let name = self.server.unwrap_or("server");
        let body =
            format!("<html><head><title>{status}</title></head><body><h1>{status}</h1><p>{name}</p></body></html>");
        self.render(&Page { status, ..Page::default() }, "text/html", body.as_bytes(), now)
    }

    fn render(&self, page: &Page, content_type: &str, body: &[u8], now: Timestamp) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", page.status, reason(page.status));
        for one in self.heads {
            if let Some((name, value)) = self.head(*one, page, content_type, body.len(), now) {
                let name = if self.lower { name.to_ascii_lowercase() } else { name.to_owned() };
                head.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
            }
        }
        head.push_str("\r\n");
        let mut out = head.into_bytes();
        if page.chunked {
            for chunk in body.chunks(100) {
                out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                out.extend_from_slice(chunk);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"0\r\n\r\n");
        } else {
            out.extend_from_slice(body);
        }
        out
    }

    fn head(
        &self,
        head: Head,
        page: &Page,
        kind: &str,
        length: usize,
        now: Timestamp,
    ) -> Option<(&'static str, String)> {
        Some(match head {
            Head::Server => ("Server", self.server?.to_owned()),
            Head::Date => ("Date", now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
            Head::Type => ("Content-Type", kind.to_owned()),
            Head::Length if page.chunked => ("Transfer-Encoding", "chunked".to_owned()),
            Head::Length => ("Content-Length", length.to_string()),
            Head::Connection => ("Connection", "close".to_owned()),
            Head::Modified => ("Last-Modified", page.modified?.to_owned()),
            Head::Etag => ("ETag", page.etag.clone()?),
            Head::Location => ("Location", page.location.clone()?),
            Head::Realm => ("WWW-Authenticate", format!("Basic realm=\"{}\"", page.realm.as_ref()?)),
            Head::Fixed(name, value) => (name, value.to_owned()),
        })
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        _ => "Other",
    }
}

/// A 16 by 16 icon (ICO holding a 32-bit bitmap) whose pattern comes from `word`.
fn icon(word: &str) -> Vec<u8> {
    let pattern = super::draw::material(0, word);
    let mut out = vec![0, 0, 1, 0, 1, 0, 16, 16, 0, 0, 1, 0, 32, 0];
    out.extend_from_slice(&(40u32 + 1024 + 64).to_le_bytes());
    out.extend_from_slice(&22u32.to_le_bytes());
    for field in [40u32, 16, 32] {
        out.extend_from_slice(&field.to_le_bytes());
    }
    out.extend_from_slice(&[1, 0, 32, 0]);
    out.extend_from_slice(&[0; 24]);
    for row in pattern.chunks(2) {
        for bit in 0..16u32 {
            let on = row.iter().fold(0u32, |all, byte| all << 8 | u32::from(*byte)) >> bit & 1 == 1;
            out.extend_from_slice(if on { &[40, 40, 40, 255] } else { &[230, 230, 230, 255] });
        }
    }
    out.extend_from_slice(&[0; 64]);
    out
}

#[cfg(test)]
mod tests {
    use super::super::stacks::STOCK_NGINX;
    use super::*;

    fn site(chunked: bool) -> Site {
        let page = Page { status: 200, body: "hello".repeat(30), chunked, ..Page::default() };
        Site { stack: &STOCK_NGINX, page }
    }

    #[test]
    fn an_answer_has_its_stacks_order_and_leaves_out_what_the_page_lacks() {
        let text = String::from_utf8(site(false).answer(Some("/"), Timestamp::UNIX_EPOCH)).unwrap();
        let head = text.split("\r\n\r\n").next().unwrap();
        let names: Vec<&str> = head.lines().skip(1).map(|line| line.split(':').next().unwrap()).collect();
        assert_eq!(names, ["Server", "Date", "Content-Type", "Content-Length", "Connection", "Accept-Ranges"]);
        assert!(head.contains("Date: Thu, 01 Jan 1970 00:00:00 GMT"));
    }

    #[test]
    fn a_page_in_chunks_ends_with_an_empty_one() {
        let bytes = site(true).answer(Some("/"), Timestamp::UNIX_EPOCH);
        assert!(bytes.ends_with(b"\r\n0\r\n\r\n"));
        assert!(!String::from_utf8(bytes).unwrap().contains("Content-Length"));
    }

    #[test]
    fn a_path_nobody_knows_is_a_404_and_noise_a_400() {
        assert!(site(false).answer(Some("/x"), Timestamp::UNIX_EPOCH).starts_with(b"HTTP/1.1 404 "));
        assert!(site(false).answer(None, Timestamp::UNIX_EPOCH).starts_with(b"HTTP/1.1 400 "));
    }

    #[test]
    fn an_icon_has_the_size_its_header_says() {
        assert_eq!(icon("a").len(), 22 + 40 + 1024 + 64);
        assert_ne!(icon("a"), icon("b"));
    }
}
