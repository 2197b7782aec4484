//! Networks as people write them, read strictly, with refusals that say how to mend them.

use std::net::IpAddr;

use ipnet::IpNet;

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// No address.
    #[error("`{0}` is not an address or CIDR; write it like `192.0.2.0/24`, `192.0.2.7` or `2001:db8::/64`")]
    NotAnAddress(String),
    /// First and last address.
    #[error("`{0}` is a range from one address to another; write it as one or more CIDRs like `192.0.2.0/24`")]
    FromTo(String),
    /// A prefix length that the family does not have.
    #[error("`{text}` has no usable prefix length; after the `/` stands a number from 0 to {longest}")]
    PrefixLength {
        /// As written.
        text: String,
        /// 32 or 128.
        longest: u8,
    },
    /// Bits set behind the prefix: a typing mistake in one of the two halves.
    #[error(
        "`{text}` has bits set behind its prefix; write `{meant}` for the network or `{address}` for the one address"
    )]
    HostBits {
        /// As written.
        text: String,
        /// The network with these bits cleared.
        meant: IpNet,
        /// The address alone.
        address: IpAddr,
    },
    /// An IPv4 address in IPv6 clothes.
    #[error("`{text}` is an IPv4 address written as IPv6; write `{meant}`")]
    Mapped {
        /// As written.
        text: String,
        /// The IPv4 network.
        meant: String,
    },
}

/// Reads a CIDR, or one address as the network that holds it alone.
///
/// # Errors
/// See [`NetworkError`].
pub fn parse_network(text: &str) -> Result<IpNet, NetworkError> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| match text.split_once('-') {
        Some((first, _)) if first.trim().parse::<IpAddr>().is_ok() => NetworkError::FromTo(shorten(text)),
        _ => NetworkError::NotAnAddress(shorten(text)),
    })?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let length = match prefix {
        None => longest,
        Some(digits) if digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().map_err(|_| NetworkError::PrefixLength { text: shorten(text), longest })?
        }
        Some(_) => return Err(NetworkError::PrefixLength { text: shorten(text), longest }),
    };
    let network =
        IpNet::new(address, length).map_err(|_| NetworkError::PrefixLength { text: shorten(text), longest })?;
    if let IpAddr::V6(v6) = address
        && let Some(v4) = v6.to_ipv4_mapped()
        && length >= 96
    {
        let meant = if length == 128 { v4.to_string() } else { format!("{v4}/{}", length.saturating_sub(96)) };
        return Err(NetworkError::Mapped { text: shorten(text), meant });
    }
    if network.trunc() != network {
        return Err(NetworkError::HostBits { text: shorten(text), meant: network.trunc(), address });
    }
    Ok(network)
}

/// A text for a message: at most 80 characters, nothing that moves a cursor.
pub(crate) fn shorten(text: &str) -> String {
    let cut: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() { format!("{cut}…") } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse_network(text).unwrap_err().to_string()
    }

    #[test]
    fn an_address_alone_is_a_network_of_one() {
        assert_eq!(parse_network("192.0.2.7").unwrap().to_string(), "192.0.2.7/32");
        assert_eq!(parse_network("2001:db8::7").unwrap().to_string(), "2001:db8::7/128");
    }

    #[test]
    fn host_bits_are_refused_with_both_readings() {
        let words = refused("192.0.2.7/24");
        assert!(words.contains("`192.0.2.0/24` for the network or `192.0.2.7` for the one address"), "{words}");
    }

    #[test]
    fn what_is_no_cidr_says_how_to_write_one() {
        assert!(refused("192.0.2.0-192.0.2.9").contains("one or more CIDRs"));
        assert!(refused("192.0.2.0/33").contains("from 0 to 32"));
        assert!(refused("192.0.2.0/+8").contains("from 0 to 32"));
        assert!(refused("2001:db8::/").contains("from 0 to 128"));
        assert!(refused("192.0.2/24").contains("not an address"));
        assert!(refused("::ffff:192.0.2.7").contains("write `192.0.2.7`"));
        assert!(refused("::ffff:192.0.2.0/120").contains("write `192.0.2.0/24`"));
    }

    #[test]
    fn a_hostile_text_is_cut_and_escaped() {
        let words = refused(&format!("\u{1b}[31m{}", "x".repeat(10_000)));
        assert!(words.len() < 400 && !words.contains('\u{1b}'), "{words}");
    }
}
