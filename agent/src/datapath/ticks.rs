//! The programs' clock: ticks (jiffies), how many make a second, and when a tick was.

use std::os::fd::AsFd;
use std::time::{Duration, SystemTime};

use nix::time::{ClockId, clock_getres, clock_gettime};

use super::{Error, sys};

/// How many ticks make a second: 100, 250, 300 or 1000, as the kernel was configured. The coarse clocks advance once
/// a tick, and their resolution is that.
///
/// # Errors
///
/// Where the kernel has no such clock.
pub fn per_second() -> Result<u64, Error> {
    let tick = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE)
        .map_err(|errno| Error::Clock { source: errno.into() })
        .map(Duration::from)?;
    let nanoseconds = tick.as_nanos().max(1);
    Ok(((1_000_000_000 + nanoseconds / 2) / nanoseconds) as u64)
}

/// A duration in ticks, rounded up and bounded by what an entry's time-out can hold.
pub fn of(duration: Duration, per_second: u64) -> u32 {
    let ticks = (duration.as_millis() * u128::from(per_second)).div_ceil(1000);
    u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// One moment in ticks and on the wall.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    per_second: u64,
    /// Ticks at this moment.
    pub ticks: u64,
    wall: SystemTime,
}

impl Moment {
    /// Now. `clock`: the program that returns the low half of the tick counter.
    ///
    /// # Errors
    ///
    /// Where the program cannot be run.
    pub fn now(clock: impl AsFd) -> Result<Self, Error> {
        let per_second = per_second()?;
        let fail = |source| Error::Clock { source };
        // A frame of the least length the kernel takes; the program does not look at it.
        let low = sys::test_run(clock, &[0; 14]).map_err(fail)?;
        let wall = SystemTime::now();
        let since_boot = clock_gettime(ClockId::CLOCK_MONOTONIC)
            .map(Duration::from)
            .map_err(|errno| fail(errno.into()))?;
        let counted = (since_boot.as_millis() * u128::from(per_second) / 1000) as u64;
        Ok(Self { per_second, ticks: whole(low, START_HIGH - 300 * per_second + counted), wall })
    }

    /// When a tick was or will be.
    #[must_use]
    pub fn at(&self, ticks: u64) -> SystemTime {
        if ticks <= self.ticks {
            self.wall.checked_sub(self.time(self.ticks - ticks)).unwrap_or(SystemTime::UNIX_EPOCH)
        } else {
            self.wall + self.time(ticks - self.ticks)
        }
    }

    /// How long it is from this moment to a tick; nothing where that has been.
    #[must_use]
    pub fn until(&self, ticks: u64) -> Duration {
        self.time(ticks.saturating_sub(self.ticks))
    }

    /// How long a tick is.
    #[must_use]
    pub fn tick(&self) -> Duration {
        self.time(1)
    }

    fn time(&self, ticks: u64) -> Duration {
        Duration::from_secs(ticks / self.per_second)
            + Duration::from_nanos(ticks % self.per_second * 1_000_000_000 / self.per_second)
    }
}

/// The kernel starts its tick counter five minutes before its low half overflows (INITIAL_JIFFIES).
const START_HIGH: u64 = 1 << 32;

/// The whole counter: the number nearest to `estimate` whose low half is `low`.
const fn whole(low: u32, estimate: u64) -> u64 {
    let ahead = low.wrapping_sub(estimate as u32).cast_signed();
    estimate.wrapping_add_signed(ahead as i64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{of, per_second, whole};

    #[test]
    fn the_kernel_ticks_at_one_of_its_rates() {
        let rate = per_second().unwrap();
        assert!([100, 250, 300, 1000].contains(&rate), "{rate}");
    }

    #[test]
    fn durations_round_up_and_do_not_overflow() {
        assert_eq!(of(Duration::from_millis(1), 250), 1);
        assert_eq!(of(Duration::from_secs(30), 250), 7500);
        assert_eq!(of(Duration::from_secs(10), 300), 3000);
        assert_eq!(of(Duration::MAX, 1000), u32::MAX);
    }

    #[test]
    fn the_low_half_and_an_estimate_give_the_counter() {
        for (counter, error) in [(1u64 << 32, -20i64), (5 << 32, 20), ((5 << 32) - 1, 7), (0x1_ffff_ffff, 1)]
        {
            assert_eq!(whole(counter as u32, counter.wrapping_add_signed(error)), counter);
        }
    }
}
