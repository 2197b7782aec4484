//! What an answer that does not begin with `HTTP/` looks like. A hint for a reader, not a fact: the bytes are kept.

/// Bytes at the start, and whose they are.
const STARTS: &[(&[u8], &str)] = &[
    (b"SSH-", "SSH"),
    (b"RFB ", "RFB (VNC)"),
    (b"RTSP/", "RTSP"),
    (b"SIP/", "SIP"),
    (b"ICY ", "Icecast"),
    (b"220 ", "FTP or SMTP"),
    (b"220-", "FTP or SMTP"),
    (b"+OK", "POP3"),
    (b"* OK", "IMAP"),
    (b"-ERR", "Redis or POP3"),
    (b"@RSYNCD", "rsync"),
    (b"AMQP", "AMQP"),
    (b"\x15\x03", "a TLS alert"),
    (b"\x16\x03", "a TLS handshake"),
    (b"\x03\x00\x00", "TPKT (RDP)"),
    (b"\x00\x00\x00\x00\x04\x00\x00\x00\x00", "HTTP/2"),
    (b"\xff\xfb", "Telnet"),
    (b"\xff\xfd", "Telnet"),
];

/// Names the protocol of the first bytes of a connection.
pub(super) fn looks_like(heard: &[u8]) -> &'static str {
    if let Some((_, name)) = STARTS.iter().find(|(start, _)| heard.starts_with(start)) {
        return name;
    }
    match heard {
        // A settings frame of any length on stream 0; a MySQL greeting of protocol 10.
        [0, 0, _, 4, _, 0, 0, 0, 0, ..] => "HTTP/2",
        [_, _, 0, 0, 10, ..] => "MySQL",
        _ if b"HTTP/".starts_with(heard) => "a status line cut off",
        _ if heard.trim_ascii_start().starts_with(b"<") => "a page without a status line (HTTP/0.9)",
        _ => "nothing known",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_strangers_are_named() {
        for (heard, name) in [
            (&b"SSH-2.0-OpenSSH_9.2\r\n"[..], "SSH"),
            (b"\x15\x03\x01\x00\x02\x02\x46", "a TLS alert"),
            (b"\x4a\x00\x00\x00\x0a8.0.1\x00", "MySQL"),
            (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", "HTTP/2"),
            (b"\n <html>", "a page without a status line (HTTP/0.9)"),
            (b"HTT", "a status line cut off"),
            (b"?", "nothing known"),
        ] {
            assert_eq!(looks_like(heard), name);
        }
    }
}
