//! A mail as a file: `multipart/report` (RFC 6522) with the text for people, a feedback report (RFC 5965) and the reports for
//! machines. Headers are ASCII on lines of our own; whatever others wrote is encoded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::clock::Timestamp;
use crate::facet::escape_terminal;
use crate::report::Uuid;

/// What a mail holds.
pub(super) struct Parts<'a> {
    pub(super) id: Uuid,
    pub(super) from_name: &'a str,
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) subject: &'a str,
    pub(super) date: Timestamp,
    pub(super) agent: &'a str,
    pub(super) text: &'a str,
    /// The address that the feedback report names.
    pub(super) source_ip: &'a str,
    pub(super) incidents: usize,
    /// File names and JSON texts.
    pub(super) reports: &'a [(String, String)],
}

/// The bytes of the file, lines ended by CR LF.
pub(super) fn eml(parts: &Parts<'_>) -> Vec<u8> {
    let domain = parts.from.rsplit('@').next().unwrap_or("localhost");
    let (outer, inner) = (parts.id.v5("outer"), parts.id.v5("inner"));
    let mut lines = vec![
        format!("From: {} <{}>", encoded("From: ", parts.from_name), parts.from),
        format!("To: {}", parts.to),
        format!("Subject: {}", encoded("Subject: ", parts.subject)),
        format!("Date: {}", parts.date.strftime("%a, %d %b %Y %H:%M:%S +0000")),
        format!("Message-ID: <{}@{domain}>", parts.id),
        "MIME-Version: 1.0".to_owned(),
        // A draft: mail programs open it for a person to read and send.
        "X-Unsent: 1".to_owned(),
        "X-XARF: YES".to_owned(),
        "Content-Type: multipart/report; report-type=feedback-report;".to_owned(),
        format!("\tboundary=\"{outer}\""),
        String::new(),
        format!("--{outer}"),
        "Content-Type: text/plain; charset=utf-8".to_owned(),
        "Content-Transfer-Encoding: quoted-printable".to_owned(),
        String::new(),
    ];
    lines.extend(parts.text.lines().flat_map(quoted_printable));
    lines.extend([
        String::new(),
        format!("--{outer}"),
        "Content-Type: message/feedback-report".to_owned(),
        String::new(),
        "Feedback-Type: xarf".to_owned(),
        format!("User-Agent: {}", parts.agent),
        "Version: 1".to_owned(),
        format!("Source-IP: {}", parts.source_ip),
        format!("Incidents: {}", parts.incidents),
        String::new(),
        format!("--{outer}"),
    ]);
    if let [only] = parts.reports {
        lines.extend(attached(only));
    } else {
        lines.extend([format!("Content-Type: multipart/mixed; boundary=\"{inner}\""), String::new()]);
        for report in parts.reports {
            lines.push(format!("--{inner}"));
            lines.extend(attached(report));
        }
        lines.push(format!("--{inner}--"));
    }
    lines.extend([format!("--{outer}--"), String::new()]);
    lines.join("\r\n").into_bytes()
}

fn attached((name, json): &(String, String)) -> Vec<String> {
    let mut lines = vec![
        format!("Content-Type: application/json; charset=utf-8; name=\"{name}\""),
        "Content-Transfer-Encoding: base64".to_owned(),
        format!("Content-Disposition: attachment; filename=\"{name}\""),
        String::new(),
    ];
    let encoded = BASE64.encode(json);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at_checked(76).unwrap_or((rest, ""));
        lines.push(line.to_owned());
        rest = more;
    }
    lines
}

/// A header's text on folded lines: as it is where it is plain and short, else as encoded words (RFC 2047).
fn encoded(before: &str, text: &str) -> String {
    let text = escape_terminal(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || " .,:/()+-_'#".contains(c);
    if text.chars().all(plain) && before.len() + text.len() <= 76 && !text.contains("=?") {
        // A phrase with specials needs quotes; it holds none itself.
        return if before == "From: " { format!("\"{text}\"") } else { text };
    }
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if word.len() + c.len_utf8() > 39 {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    let words: Vec<String> = words.iter().map(|word| format!("=?utf-8?B?{}?=", BASE64.encode(word))).collect();
    words.join("\r\n ")
}

/// A line of text as lines of quoted-printable (RFC 2045 section 6.7).
fn quoted_printable(line: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let last = line.len().saturating_sub(1);
    for (at, byte) in line.bytes().enumerate() {
        let plain = (b'!'..=b'~').contains(&byte) && byte != b'=' || (byte == b' ' && at != last);
        let shown = if plain { char::from(byte).to_string() } else { format!("={byte:02X}") };
        let current = out.last_mut().map_or(0, |current| current.len());
        if current + shown.len() > 75 {
            if let Some(current) = out.last_mut() {
                current.push('=');
            }
            out.push(String::new());
        }
        if let Some(current) = out.last_mut() {
            current.push_str(&shown);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_text_is_short_ascii_and_ends_in_no_space() {
        assert_eq!(quoted_printable("a = \u{e4} "), ["a =3D =C3=A4=20"]);
        let long = quoted_printable(&"\u{e4}".repeat(50));
        assert!(long.len() > 1 && long.iter().all(|line| line.len() <= 76), "{long:?}");
        assert_eq!(quoted_printable(""), [""]);
    }

    #[test]
    fn a_header_stays_one_header_whatever_it_is_given() {
        let hostile = "x\r\nBcc: all@example.net\r\n\r\n<b>\u{202e}=?utf-8?Q?y?=";
        for before in ["Subject: ", "From: "] {
            let header = encoded(before, hostile);
            assert!(header.split("\r\n").skip(1).all(|line| line.starts_with(" =?utf-8?B?")), "{header}");
            assert!(header.split("\r\n").all(|line| line.len() <= 76), "{header}");
            assert!(!header.contains("Bcc"), "{header}");
        }
        assert_eq!(encoded("Subject: ", "Abuse report: 2 hosts"), "Abuse report: 2 hosts");
    }
}
