//! Rates: what two readings of the same counters say about the time between them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::observation::status::Total;

/// What passed in a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rate {
    /// Frames.
    pub packets: f64,
    /// Bytes.
    pub bytes: f64,
}

/// One counter: its name, what it stands at, and how fast it grows.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What is counted.
    pub name: String,
    /// Since the maps were made.
    pub total: Total,
    /// Between the last two readings; 0 of the first.
    pub rate: Rate,
}

/// Counters by name.
pub type Reading = BTreeMap<String, Total>;

/// How fast each counter grew. One that went down was begun anew, and what it stands at passed since.
#[must_use]
pub fn between(before: Option<&Reading>, now: &Reading, passed: Duration) -> Vec<Line> {
    let seconds = passed.as_secs_f64();
    let line = |(name, total): (&String, &Total)| {
        let old = before.map(|before| before.get(name).copied().unwrap_or_default());
        let rate = match old {
            Some(old) if seconds > 0.0 => Rate {
                packets: grown(old.packets, total.packets) / seconds,
                bytes: grown(old.bytes, total.bytes) / seconds,
            },
            _ => Rate::default(),
        };
        Line { name: name.clone(), total: *total, rate }
    };
    now.iter().map(line).collect()
}

fn grown(before: u64, now: u64) -> f64 {
    // Exact up to 2^53 frames in a second.
    now.checked_sub(before).unwrap_or(now) as f64
}

/// A number in at most five characters: `0`, `12.3`, `999`, `1.2k`, `45M`.
#[must_use]
pub fn short(number: f64) -> String {
    const UNITS: [&str; 5] = ["", "k", "M", "G", "T"];
    let mut number = number;
    let mut unit = 0;
    while number >= 999.5 && unit + 1 < UNITS.len() {
        number /= 1000.0;
        unit += 1;
    }
    let whole = unit == 0 && number.fract() == 0.0 || number >= 99.95;
    let digits = usize::from(!whole);
    format!("{number:.digits$}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(values: &[(&str, u64)]) -> Reading {
        values.iter().map(|(name, packets)| ((*name).to_owned(), total(*packets))).collect()
    }

    fn total(packets: u64) -> Total {
        Total { packets, bytes: packets * 100 }
    }

    #[test]
    fn a_rate_is_what_came_since_the_last_reading() {
        let before = reading(&[("a", 10), ("gone", 5), ("anew", 100)]);
        let now = reading(&[("a", 40), ("anew", 20), ("new", 4)]);
        let rates: Vec<_> = between(Some(&before), &now, Duration::from_secs(2))
            .into_iter()
            .map(|line| (line.name, line.rate.packets, line.rate.bytes))
            .collect();
        let rate = |name: &str, packets, bytes| (name.to_owned(), packets, bytes);
        assert_eq!(rates, [rate("a", 15.0, 1500.0), rate("anew", 10.0, 1000.0), rate("new", 2.0, 200.0)]);
        for (before, passed) in [(None, Duration::from_secs(1)), (Some(&before), Duration::ZERO)] {
            assert!(between(before, &now, passed).iter().all(|line| line.rate == Rate::default()));
        }
    }

    #[test]
    fn numbers_are_short() {
        let numbers = [0.0, 1.0, 12.34, 999.0, 999.4, 999.6, 1234.0, 45_600_000.0, 1.5e9, 9.99e14];
        let said: Vec<_> = numbers.into_iter().map(short).collect();
        assert_eq!(said, ["0", "1", "12.3", "999", "999", "1.0k", "1.2k", "45.6M", "1.5G", "999T"]);
        assert!(numbers.into_iter().all(|number| short(number).len() <= 5));
    }
}
