//! A bounds-checked cursor over strangers' bytes, big-endian. Its errors name the missing field.

/// A field that was cut off or lies about its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} cut off")]
pub struct Short(pub &'static str);

/// A cursor: every read either gives the bytes asked for or says which field is missing.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is left.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// True when nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn take(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], Short> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(Short(field))?;
        self.rest = rest;
        Ok(head)
    }

    /// One byte.
    ///
    /// # Errors
    /// When nothing is left.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, Short> {
        let (head, rest) = self.rest.split_first().ok_or(Short(field))?;
        self.rest = rest;
        Ok(*head)
    }

    /// Two bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, Short> {
        let (head, rest) = self.rest.split_first_chunk::<2>().ok_or(Short(field))?;
        self.rest = rest;
        Ok(u16::from_be_bytes(*head))
    }

    /// Three bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u24(&mut self, field: &'static str) -> Result<u32, Short> {
        let (head, rest) = self.rest.split_first_chunk::<3>().ok_or(Short(field))?;
        self.rest = rest;
        let [a, b, c] = *head;
        Ok(u32::from_be_bytes([0, a, b, c]))
    }

    /// Four bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, Short> {
        let (head, rest) = self.rest.split_first_chunk::<4>().ok_or(Short(field))?;
        self.rest = rest;
        Ok(u32::from_be_bytes(*head))
    }

    /// Bytes behind a one-byte length.
    ///
    /// # Errors
    /// When the length is missing or larger than what is left.
    pub fn vec8(&mut self, field: &'static str) -> Result<&'a [u8], Short> {
        let length = self.u8(field)?;
        self.take(usize::from(length), field)
    }

    /// Bytes behind a two-byte length.
    ///
    /// # Errors
    /// When the length is missing or larger than what is left.
    pub fn vec16(&mut self, field: &'static str) -> Result<&'a [u8], Short> {
        let length = self.u16(field)?;
        self.take(usize::from(length), field)
    }

    /// Bytes behind a three-byte length.
    ///
    /// # Errors
    /// When the length is missing or larger than what is left.
    pub fn vec24(&mut self, field: &'static str) -> Result<&'a [u8], Short> {
        let length = self.u24(field)?;
        self.take(usize::try_from(length).map_err(|_| Short(field))?, field)
    }

    /// Bytes behind a four-byte length.
    ///
    /// # Errors
    /// When the length is missing or larger than what is left.
    pub fn vec32(&mut self, field: &'static str) -> Result<&'a [u8], Short> {
        let length = self.u32(field)?;
        self.take(usize::try_from(length).map_err(|_| Short(field))?, field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_the_end_names_its_field_and_moves_nothing_past_it() {
        let mut reader = Reader::new(&[0, 5, 1, 2]);
        assert_eq!(reader.vec16("session id"), Err(Short("session id")));
    }

    #[test]
    fn numbers_are_big_endian() {
        let mut reader = Reader::new(&[1, 2, 3, 4, 5, 6]);
        assert_eq!(reader.u24("a"), Ok(0x01_0203));
        assert_eq!(reader.u16("b"), Ok(0x0405));
        assert_eq!(reader.rest(), &[6]);
    }
}
