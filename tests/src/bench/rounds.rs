//! Timing: a frame through the program and through the floor in turns, so that whatever slows the machine falls on both.

use std::time::Duration;

use anyhow::{Result, ensure};
use cmgate::datapath::{Lap, Stopwatch};

/// What an XDP program returns (include/uapi/linux/bpf.h).
pub const XDP_DROP: u32 = 1;
/// See [`XDP_DROP`].
pub const XDP_PASS: u32 = 2;

/// How often and how long each frame is timed.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds, each with one lap of every subject and one of the floor beside it.
    pub rounds: u32,
    /// Processor time of a lap.
    pub lap: Duration,
}

/// What is timed.
pub struct Subject<'a> {
    /// The case's name.
    pub name: &'static str,
    /// The site's size.
    pub networks: u32,
    /// The frame.
    pub frame: &'a [u8],
    /// What the program must return for it.
    pub returns: u32,
    /// The program.
    pub ingress: &'a Stopwatch,
    /// The yardstick.
    pub floor: &'a Stopwatch,
}

/// What the rounds gave for one subject.
pub struct Measured {
    /// The case's name.
    pub name: &'static str,
    /// The site's size.
    pub networks: u32,
    /// Runs in a lap.
    pub repeat: u32,
    /// Nanoseconds a packet.
    pub nanoseconds: Spread,
    /// The same by the floor.
    pub floor: Spread,
    /// The one by the other, each within one round.
    pub ratio: Spread,
}

/// The middle of some figures, and their ends.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// As many are less as are more.
    pub median: f64,
    /// The greatest.
    pub max: f64,
}

/// Times every subject.
///
/// # Errors
///
/// When the kernel does not run a program, or a program returns what it must not.
pub fn run(subjects: &[Subject<'_>], effort: Effort) -> Result<Vec<Measured>> {
    let repeats = subjects.iter().map(|subject| subject.calibrate(effort.lap)).collect::<Result<Vec<_>>>()?;
    let mut pairs = vec![Vec::new(); subjects.len()];
    for round in 0..effort.rounds {
        for ((subject, repeat), pairs) in subjects.iter().zip(&repeats).zip(&mut pairs) {
            pairs.push(subject.pair(*repeat, round % 2 == 0)?);
        }
    }
    let measured = subjects.iter().zip(repeats).zip(pairs).map(|((subject, repeat), pairs)| Measured {
        name: subject.name,
        networks: subject.networks,
        repeat,
        nanoseconds: Spread::of(pairs.iter().map(|(program, _)| *program)),
        floor: Spread::of(pairs.iter().map(|(_, floor)| *floor)),
        ratio: Spread::of(pairs.iter().map(|(program, floor)| program / floor)),
    });
    Ok(measured.collect())
}

impl Subject<'_> {
    /// How many runs take so long.
    fn calibrate(&self, lap: Duration) -> Result<u32> {
        let mut repeat = 1_000;
        loop {
            let took = self.program(repeat)?;
            if took >= lap.mul_f64(0.8) {
                return Ok(repeat);
            }
            // A short lap says little of how much longer it must be.
            let growth = (lap.as_secs_f64() / took.as_secs_f64()).clamp(1.1, 20.0);
            repeat = (f64::from(repeat) * growth) as u32;
        }
    }

    /// Nanoseconds a packet by the program, and by the floor.
    fn pair(&self, repeat: u32, program_first: bool) -> Result<(f64, f64)> {
        let each = |took: Duration| took.as_secs_f64() * 1e9 / f64::from(repeat);
        if program_first {
            let program = self.program(repeat)?;
            Ok((each(program), each(self.floor(repeat)?)))
        } else {
            let floor = self.floor(repeat)?;
            Ok((each(self.program(repeat)?), each(floor)))
        }
    }

    fn program(&self, repeat: u32) -> Result<Duration> {
        let Lap { took, returned } = self.ingress.time(self.frame, repeat)?;
        ensure!(returned == self.returns, "{} returned {returned}, not {}", self.name, self.returns);
        Ok(took)
    }

    fn floor(&self, repeat: u32) -> Result<Duration> {
        let Lap { took, returned } = self.floor.time(self.frame, repeat)?;
        ensure!(returned == XDP_DROP, "the floor returned {returned}");
        Ok(took)
    }
}

impl Spread {
    /// Of at least one figure.
    pub fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.collect();
        sorted.sort_by(f64::total_cmp);
        Self { min: sorted[0], median: sorted[sorted.len() / 2], max: sorted[sorted.len() - 1] }
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_middle_is_by_size_and_not_by_order() {
        let spread = Spread::of([3.0, 9.0, 1.0, 2.0, 8.0].into_iter());
        assert_eq!((spread.min, spread.median, spread.max), (1.0, 3.0, 9.0));
    }
}
