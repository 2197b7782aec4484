//! `MurmurHash3` x86 32-bit (Austin Appleby, public domain: <https://github.com/aappleby/smhasher>) and the favicon hash that
//! Shodan (`http.favicon.hash`) and FOFA (`icon_hash`) make with it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes that fill one line of 76 characters of Base64.
const LINE: usize = 57;

/// `MurmurHash3` x86 32-bit of `data`; others show it as a signed number ([`u32::cast_signed`]).
#[must_use]
pub fn x86_32(data: &[u8], seed: u32) -> u32 {
    let (blocks, tail) = data.as_chunks::<4>();
    let mut hash = seed;
    for block in blocks {
        hash ^= scramble(u32::from_le_bytes(*block));
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    let last = tail.iter().rev().fold(0u32, |word, byte| (word << 8) | u32::from(*byte));
    hash ^= scramble(last);
    // The reference takes the length modulo 2^32.
    hash ^= u32::try_from(data.len() & 0xffff_ffff).unwrap_or_default();
    finish(hash)
}

/// The favicon hash: seed 0, signed, over the file in Base64 broken into lines of 76 characters, each ended by LF, the last
/// one too (Python's `base64.encodebytes`). An empty file gives 0.
#[must_use]
pub fn favicon(file: &[u8]) -> i32 {
    let mut lines = String::with_capacity(file.len() / LINE * (76 + 1) + 80);
    for line in file.chunks(LINE) {
        STANDARD.encode_string(line, &mut lines);
        lines.push('\n');
    }
    x86_32(lines.as_bytes(), 0).cast_signed()
}

fn scramble(word: u32) -> u32 {
    word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

fn finish(mut hash: u32) -> u32 {
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values_of_every_tail_length_hold() {
        assert_eq!(x86_32(b"", 0), 0);
        assert_eq!(x86_32(b"", 1), 0x514e_28b7);
        assert_eq!(x86_32(&[0x21, 0x43, 0x65, 0x87], 0), 0xf55b_516b);
        assert_eq!(x86_32(&[0x21, 0x43, 0x65], 0), 0x7e4a_8634);
        assert_eq!(x86_32(&[0x21, 0x43], 0), 0xa0f7_b07a);
        assert_eq!(x86_32(&[0x21], 0), 0x7266_1cf4);
        assert_eq!(x86_32(b"Hello, world!", 0x9747_b28c), 0x2488_4cba);
    }

    #[test]
    fn an_empty_icon_hashes_to_zero() {
        assert_eq!(favicon(b""), 0);
    }

    #[test]
    fn the_last_line_ends_in_a_line_feed_even_when_it_is_full() {
        assert_eq!(favicon(&[0; 57]), x86_32(format!("{}\n", "A".repeat(76)).as_bytes(), 0).cast_signed());
    }
}
