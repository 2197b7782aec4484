#![no_main]
use std::io::Cursor;

use hostkin::range::Format;
use hostkin::range::read::{How, read};
use libfuzzer_sys::fuzz_target;

/// The first byte chooses the form, or leaves it to be recognised; the rest is the file.
fuzz_target!(|data: &[u8]| {
    let Some((choice, file)) = data.split_first() else { return };
    let how = How { format: Format::ALL.get(usize::from(*choice)).copied(), ..How::default() };
    let mut facts = 0;
    let reading = read(Cursor::new(file.to_vec()), "x_20260401", &how, &mut |_| {
        facts += 1;
        Ok(())
    });
    if let Ok(reading) = reading {
        assert_eq!(reading.facts(), facts);
    }
});
