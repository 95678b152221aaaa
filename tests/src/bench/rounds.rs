//! Timing: packets through the program and through the yardstick in turns, so that whatever slows the machine falls on
//! both.

use std::time::Duration;

use anyhow::{Result, ensure};
use cmgate::datapath::{Stopwatch, Timed};

use super::cases::{Case, Setting, Yardstick, allowed};
use super::receiver::Receiver;
use super::site::NIC;
use super::stand::Stand;

/// The least share of packets that must be judged as their case says. Of many flows a few find their places in the
/// table taken by others.
const LEAST_SHARE: f64 = 0.95;

/// Packets that another firewall must admit.
const ALLOWED: u32 = 1_000;

/// More packets than all sockets have room for.
const FILLING: u32 = 50_000;

/// How often and how long each case is timed.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds, each with one lap of every case and one of its yardstick beside it.
    pub rounds: u32,
    /// Processor time of a lap.
    pub lap: Duration,
}

/// A case, ready.
pub struct Subject<'a> {
    /// Which.
    pub case: &'a Case,
    /// What it runs on.
    pub stand: &'a Stand,
    /// Where its live packets are received.
    pub receiver: &'a Receiver,
    /// Where the yardstick's are.
    pub yardstick_receiver: &'a Receiver,
    /// The program.
    pub program: Stopwatch,
    /// The yardstick.
    pub yardstick: Stopwatch,
}

/// What the rounds gave for one case.
pub struct Measured {
    /// The case's name.
    pub name: &'static str,
    /// Where it was measured.
    pub setting: Setting,
    /// Packets in a lap.
    pub repeat: u32,
    /// The share of packets that were judged as the case says.
    pub as_said: f64,
    /// Nanoseconds a packet.
    pub nanoseconds: Spread,
    /// The same by the yardstick.
    pub yardstick: Spread,
    /// The one by the other, each within one round.
    pub ratio: Spread,
    /// The least by the yardstick's least: what it is where nobody is near. Neighbours, interrupts and cold caches make a lap
    /// longer and never shorter, so that this holds still between runs far better than any middle of them.
    pub quiet: f64,
    /// Both of each round.
    pub pairs: Vec<(f64, f64)>,
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

/// Times every case.
///
/// # Errors
///
/// When the kernel does not run a program, or packets are judged otherwise than their case says.
pub fn run(subjects: &[Subject<'_>], effort: Effort) -> Result<Vec<Measured>> {
    let prepared = subjects.iter().map(|subject| subject.prepare(effort.lap)).collect::<Result<Vec<_>>>()?;
    let mut pairs = vec![Vec::new(); subjects.len()];
    for round in 0..effort.rounds {
        for ((subject, (repeat, _)), pairs) in subjects.iter().zip(&prepared).zip(&mut pairs) {
            pairs.push(subject.pair(*repeat, round % 2 == 0)?);
        }
    }
    let measured = subjects.iter().zip(prepared).zip(pairs);
    Ok(measured
        .map(|((subject, (repeat, as_said)), pairs)| {
            let nanoseconds = Spread::of(pairs.iter().map(|(program, _)| *program));
            let yardstick = Spread::of(pairs.iter().map(|(_, yardstick)| *yardstick));
            Measured {
                name: subject.case.name,
                setting: subject.case.setting,
                repeat,
                as_said,
                nanoseconds,
                yardstick,
                ratio: Spread::of(pairs.iter().map(|(program, yardstick)| program / yardstick)),
                quiet: nanoseconds.min / yardstick.min,
                pairs,
            }
        })
        .collect())
}

impl Subject<'_> {
    /// How many packets take so long, and which share of them is judged as the case says.
    fn prepare(&self, lap: Duration) -> Result<(u32, f64)> {
        let Case { name, .. } = self.case;
        let before = self.stand.judged(self.case)?;
        let repeat = self.calibrate(lap)?;
        let after = self.stand.judged(self.case)?;
        let [wanted, all] = [0, 1].map(|place| (after[place] - before[place]) as f64);
        ensure!(all > 0.0, "{name}: no packet came to the program");
        let share = wanted / all;
        ensure!(share >= LEAST_SHARE, "{name}: only {share:.3} of the packets were judged as they should");
        if let Yardstick::Filter(filter) = self.case.yardstick {
            // One that drops everything would be no yardstick. What a socket still has room for is not counted as come up.
            let allowed = Stopwatch::new(Timed::Pass, allowed(self.case.setting.site.networks()))?;
            self.came_up(&allowed, FILLING)?;
            let came_up = self.came_up(&allowed, ALLOWED)?;
            ensure!(
                came_up == u64::from(ALLOWED),
                "{name}: {filter:?} admits {came_up} of {ALLOWED} allowed packets"
            );
            let came_up = self.came_up(&self.yardstick, repeat / 10)?;
            ensure!(came_up == 0, "{name}: {filter:?} admits {came_up} of {} packets", repeat / 10);
        }
        self.stand.check_events()?;
        Ok((repeat, share))
    }

    /// How many of so many packets come up to UDP where the yardstick's are received.
    fn came_up(&self, stopwatch: &Stopwatch, packets: u32) -> Result<u64> {
        let before = self.yardstick_receiver.came_up()?;
        self.time(stopwatch, self.yardstick_receiver, packets)?;
        Ok(self.yardstick_receiver.came_up()? - before)
    }

    fn calibrate(&self, lap: Duration) -> Result<u32> {
        let mut repeat = 1_000;
        loop {
            let took = self.program_time(repeat)?;
            if took >= lap.mul_f64(0.8) {
                return Ok(repeat);
            }
            // A short lap says little of how much longer it must be.
            let growth = (lap.as_secs_f64() / took.as_secs_f64()).clamp(1.1, 20.0);
            repeat = (f64::from(repeat) * growth) as u32;
        }
    }

    /// Nanoseconds a packet by the program, and by the yardstick.
    fn pair(&self, repeat: u32, program_first: bool) -> Result<(f64, f64)> {
        let each = |took: Duration| took.as_secs_f64() * 1e9 / f64::from(repeat);
        // A flow is asked for in general once in a second. Between two laps there are several: the first packet of each flow is
        // none of what its packets cost. Of so many drawn at random, hardly one is left out.
        let flows = self.case.setting.flows;
        if flows > 0 {
            self.program_time(repeat.max(8 * flows))?;
        }
        if program_first {
            let program = self.program_time(repeat)?;
            Ok((each(program), each(self.yardstick_time(repeat)?)))
        } else {
            let yardstick = self.yardstick_time(repeat)?;
            Ok((each(self.program_time(repeat)?), each(yardstick)))
        }
    }

    fn program_time(&self, repeat: u32) -> Result<Duration> {
        self.time(&self.program, self.receiver, repeat)
    }

    fn yardstick_time(&self, repeat: u32) -> Result<Duration> {
        self.time(&self.yardstick, self.yardstick_receiver, repeat)
    }

    fn time(&self, stopwatch: &Stopwatch, receiver: &Receiver, repeat: u32) -> Result<Duration> {
        let packet = &self.case.packet;
        if self.case.live {
            Ok(receiver.run(|| stopwatch.receive(packet, repeat, NIC))??)
        } else {
            Ok(stopwatch.time(packet, repeat)?)
        }
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
