//! Random bytes from the system, drawn in blocks.

use ring::rand::{SecureRandom, SystemRandom};

use crate::proto::Entropy;

const BLOCK: usize = 4096;

/// The system's random bytes; one per worker.
#[derive(Debug)]
pub struct SystemEntropy {
    source: SystemRandom,
    block: Vec<u8>,
    used: usize,
}

impl SystemEntropy {
    /// A source with nothing drawn yet.
    #[must_use]
    pub fn new() -> Self {
        Self { source: SystemRandom::new(), block: vec![0; BLOCK], used: BLOCK }
    }
}

impl Default for SystemEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for SystemEntropy {
    /// Fills `out`. Should the system have no random bytes to give, the block keeps its former ones: the hellos still
    /// work, only their random fields repeat, and nothing secret rests on them.
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            if self.used >= self.block.len() {
                let _ = self.source.fill(&mut self.block);
                self.used = 0;
            }
            *byte = self.block.get(self.used).copied().unwrap_or_default();
            self.used += 1;
        }
    }
}
