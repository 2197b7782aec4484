//! The one request this program makes, byte by byte. Every hash of an answer depends on it, so it has a version.

use std::net::Ipv6Addr;

/// Version of the request, kept with each capture (specs 5).
pub const REQUEST_VERSION: u8 = 1;

/// The request, version 1: five lines and nothing else, so no credentials, no cookies, no encodings.
///
/// `host` is a name or an address (IPv6 is put in brackets); the port is written unless it is the default one. `page`
/// says who asks and how to opt out. Bytes that are not printable ASCII are left out of all three, so that no text from
/// a file or a certificate can add a line.
#[must_use]
pub fn request(path: &str, host: &str, port: u16, over_tls: bool, page: Option<&str>) -> Vec<u8> {
    let path = printable(path);
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    let host = match host.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => printable(host),
    };
    let default_port = if over_tls { 443 } else { 80 };
    let port = if port == default_port { String::new() } else { format!(":{port}") };
    let page = page.map(printable).filter(|page| !page.is_empty());
    let agent = page.map_or_else(|| "hostkin/1".to_owned(), |page| format!("hostkin/1 (+{page})"));
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}{port}\r\nUser-Agent: {agent}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
    .into_bytes()
}

fn printable(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_request_is_these_bytes() {
        assert_eq!(
            request("/", "192.0.2.7", 80, false, Some("https://scan.example.org/")),
            b"GET / HTTP/1.1\r\nHost: 192.0.2.7\r\nUser-Agent: hostkin/1 (+https://scan.example.org/)\r\n\
              Accept: */*\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(
            request("/favicon.ico", "www.example.org", 8443, true, None),
            b"GET /favicon.ico HTTP/1.1\r\nHost: www.example.org:8443\r\nUser-Agent: hostkin/1\r\n\
              Accept: */*\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn a_port_is_left_out_only_where_it_is_the_default() {
        let host = |port, tls| String::from_utf8(request("/", "2001:db8:0::1", port, tls, None)).unwrap();
        assert!(host(443, true).contains("Host: [2001:db8::1]\r\n"));
        assert!(host(443, false).contains("Host: [2001:db8::1]:443\r\n"));
        assert!(host(80, true).contains("Host: [2001:db8::1]:80\r\n"));
    }

    proptest! {
        #[test]
        fn no_text_adds_a_line(path in "(?s).*", host in "(?s).*", page in "(?s).*", injected in "[\r\n: a]{0,9}") {
            let sent = request(&format!("{path}{injected}"), &format!("{host}{injected}"), 80, false, Some(&(page + &injected)));
            prop_assert!(sent.is_ascii());
            let text = String::from_utf8(sent).unwrap();
            prop_assert_eq!((text.matches('\n').count(), text.matches('\r').count()), (6, 6));
        }
    }
}
