//! Random bytes from the system, drawn in blocks.

use std::cell::RefCell;

use ring::rand::{SecureRandom, SystemRandom};

use crate::proto::Entropy;

const BLOCK: usize = 4096;

/// The system's random bytes: a handle on this thread's block, so it costs nothing to make.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

struct Block {
    source: SystemRandom,
    bytes: Vec<u8>,
    used: usize,
}

thread_local! {
    static CURRENT: RefCell<Block> =
        RefCell::new(Block { source: SystemRandom::new(), bytes: vec![0; BLOCK], used: BLOCK });
}

impl Entropy for SystemEntropy {
    /// Fills `out`. Should the system have no random bytes to give, the block keeps its former ones: the hellos still
    /// work, only their random fields repeat, and nothing secret rests on them.
    fn fill(&mut self, out: &mut [u8]) {
        CURRENT.with_borrow_mut(|block| {
            for byte in out {
                if block.used >= block.bytes.len() {
                    let _ = block.source.fill(&mut block.bytes);
                    block.used = 0;
                }
                *byte = block.bytes.get(block.used).copied().unwrap_or_default();
                block.used += 1;
            }
        });
    }
}
