//! What the agent's memory does from reload to reload, and from life to life.

use std::fs;

use anyhow::{Context, Result};

/// Looks of a life before it has settled.
const SETTLING: usize = 4;

/// Growth that is none, in KiB: what an allocator keeps for later.
const NOISE: u64 = 6 << 10;

/// Resident memory of every agent there was, in KiB.
#[derive(Debug, Default)]
pub struct Memory {
    life: Vec<u64>,
    lives: Vec<Vec<u64>>,
}

impl Memory {
    /// Looks at the agent that runs.
    ///
    /// # Errors
    /// When there is none of this id.
    pub fn look(&mut self, pid: u32) -> Result<()> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the agent is gone")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).context("no resident memory")?;
        self.life.push(kib.parse()?);
        Ok(())
    }

    /// The agent is no more.
    pub fn end_of_life(&mut self) {
        if !self.life.is_empty() {
            self.lives.push(std::mem::take(&mut self.life));
        }
    }

    /// The least and the most there ever was, in KiB, once settled.
    pub fn range(&self) -> (u64, u64) {
        let settled = || self.lives.iter().flat_map(|life| life.iter().skip(SETTLING.min(life.len() - 1)));
        (settled().min().copied().unwrap_or_default(), settled().max().copied().unwrap_or_default())
    }

    /// Whether it grows, over a life or over lives.
    pub fn grows(&self) -> bool {
        let (least, most) = self.range();
        most > least + NOISE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(lives: &[&[u64]]) -> Memory {
        Memory { life: Vec::new(), lives: lives.iter().map(|life| life.to_vec()).collect() }
    }

    #[test]
    fn growth_is_told_from_noise() {
        assert!(!memory(&[&[1, 1, 1, 1, 20_000, 21_000], &[1, 1, 1, 1, 22_000]]).grows());
        assert!(memory(&[&[1, 1, 1, 1, 20_000, 30_000]]).grows());
        assert!(memory(&[&[1, 1, 1, 1, 20_000], &[1, 1, 1, 1, 30_000]]).grows());
    }
}
