//! Names of addresses in reverse DNS, `address TAB name`, one a line: what an investigator looked up, or a slice of a public
//! survey of reverse DNS. The address may be written as in `in-addr.arpa`.

use std::io::BufRead;
use std::net::{IpAddr, Ipv4Addr};

use super::error::ReadError;
use super::lines::each_line;
use super::out::Out;
use crate::range::fact::{Fact, NamedRange, Use};
use crate::range::span::AddressRange;

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    each_line(input, out, |line, _, out| {
        if line.starts_with(['#', ';']) {
            return Ok(true);
        }
        let Some((address, name)) = pair(line) else { return Ok(false) };
        let named = NamedRange { addresses: AddressRange::one(address), name, used_for: Use::ReverseName };
        out.fact(Fact::Named(named)).map(|()| true)
    })
}

/// Address and name of a line.
pub(super) fn pair(line: &str) -> Option<(IpAddr, String)> {
    let mut fields = line.split_ascii_whitespace();
    let (address, name) = (fields.next()?, fields.next()?);
    if fields.next().is_some() {
        return None;
    }
    let address = address.parse().ok().or_else(|| reversed(address))?;
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let fits = name.len() <= 253 && name.contains('.') && name.parse::<IpAddr>().is_err();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (fits && name.bytes().all(plain)).then_some((address, name))
}

/// `7.2.0.192.in-addr.arpa` is 192.0.2.7.
fn reversed(text: &str) -> Option<IpAddr> {
    let text = text.trim_end_matches('.').to_ascii_lowercase();
    let address: Ipv4Addr = text.strip_suffix(".in-addr.arpa")?.parse().ok()?;
    let [a, b, c, d] = address.octets();
    Some(IpAddr::from([d, c, b, a]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_both_spellings_and_a_name_needs_a_dot() {
        let found = Some(("192.0.2.7".parse().unwrap(), "mail.example.net".to_owned()));
        assert_eq!(pair("192.0.2.7\tMail.Example.NET."), found);
        assert_eq!(pair("7.2.0.192.in-addr.arpa. mail.example.net"), found);
        for odd in [
            "192.0.2.7",
            "192.0.2.7\tlocalhost",
            "192.0.2.7\t192.0.2.8",
            "x\ty.z",
            "192.0.2.7 a.b c",
            "192.0.2.7\t<b>.x",
        ] {
            assert_eq!(pair(odd), None, "{odd}");
        }
    }
}
