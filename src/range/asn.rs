//! AS numbers.

use std::fmt;
use std::str::FromStr;

/// The number of an autonomous system (RFC 6793).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Asn(pub u32);

impl Asn {
    /// `AS_TRANS` (RFC 6793): stands for a number that an old router could not write, and for nobody.
    pub const TRANS: Self = Self(23_456);

    /// False for 0, `AS_TRANS`, documentation, private and reserved numbers (IANA's special-purpose registry): what stands
    /// on a path by mistake and is nobody's.
    #[must_use]
    pub fn is_public(self) -> bool {
        !matches!(self.0, 0 | 23_456 | 64_198..=131_071 | 4_200_000_000..)
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AS{}", self.0)
    }
}

/// Why a text is no AS number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an AS number; write it like `AS64500` or `64500`")]
pub struct AsnError;

impl FromStr for Asn {
    type Err = AsnError;

    /// `64500`, `AS64500`, `as64500`, or with a dot after the upper half (`1.10`, RFC 5396).
    fn from_str(text: &str) -> Result<Self, AsnError> {
        let digits = match text.as_bytes() {
            [b'a' | b'A', b's' | b'S', ..] => text.get(2..).unwrap_or_default(),
            _ => text,
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(AsnError);
        }
        let number = match digits.split_once('.') {
            Some((upper, lower)) => {
                let half = |part: &str| part.parse::<u16>().map(u32::from).map_err(|_| AsnError);
                half(upper)? << 16 | half(lower)?
            }
            None => digits.parse().map_err(|_| AsnError)?,
        };
        Ok(Self(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_as_number_is_read_in_all_its_clothes() {
        for text in ["64500", "AS64500", "as64500", "0.64500"] {
            assert_eq!(text.parse(), Ok(Asn(64_500)), "{text}");
        }
        assert_eq!("1.10".parse(), Ok(Asn(65_546)));
        for text in ["", "AS", "AS-64500", "+64500", "4294967296", "1.2.3", "70000.1", "AS٣"] {
            assert_eq!(text.parse::<Asn>(), Err(AsnError), "{text}");
        }
    }

    #[test]
    fn numbers_that_are_nobodys_are_not_public() {
        for number in [0, 23_456, 64_496, 64_512, 65_535, 65_551, 4_200_000_000, u32::MAX] {
            assert!(!Asn(number).is_public(), "{number}");
        }
        for number in [1, 3356, 64_197, 131_072, 401_401] {
            assert!(Asn(number).is_public(), "{number}");
        }
    }
}
