//! Spans of time as the operator writes them: `60s`, `2h4m`.

use std::time::Duration;

use crate::config::text::diagnostics::Mistake;

/// Units, longest first: the order in which they may be written.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Longest span accepted: thirty days. A firewall has no use for more, and a slip of a unit is found.
pub const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// Reads numbers with the units d, h, m and s, each at most once and the longest first; one second to [`LONGEST`].
///
/// # Errors
/// Where the text is no such span of time, or is out of range.
pub fn parse(text: &str) -> Result<Duration, Mistake> {
    up_to(text, LONGEST)
}

/// Reads numbers with the units d, h, m and s, each at most once and the longest first; one second to `longest`.
///
/// # Errors
/// Where the text is no such span of time, or is out of range.
pub fn up_to(text: &str, longest: Duration) -> Result<Duration, Mistake> {
    let wrong = |why: String| Mistake::new(why, "write a span of time like \"60s\", \"3m\" or \"2h4m\"");
    let mut units = UNITS.iter();
    let mut rest = text;
    let mut seconds: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let unit = tail.chars().next();
        let scale = unit.and_then(|unit| units.find(|(name, _)| *name == unit)).map(|(_, scale)| *scale);
        let (Some(unit), Some(scale), Ok(number)) = (unit, scale, number.parse::<u64>()) else {
            return Err(wrong(format!("\"{text}\" is no span of time")));
        };
        let part = number.checked_mul(scale).and_then(|part| seconds.checked_add(part));
        seconds = part.ok_or_else(|| wrong(format!("\"{text}\" is too long")))?;
        rest = &tail[unit.len_utf8()..];
    }
    let span = Duration::from_secs(seconds);
    if span.is_zero() || span > longest {
        let days = longest.as_secs() / 86_400;
        return Err(wrong(format!("\"{text}\" is not between 1s and {days}d")));
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time() {
        assert_eq!(parse("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(parse("2h4m"), Ok(Duration::from_secs(7_440)));
        assert_eq!(parse("1d1s"), Ok(Duration::from_secs(86_401)));
        for wrong in
            ["", "60", "s", "4m2h", "1h1h", "-5s", "1.5h", "0s", "31d", "5 s", "99999999999999999999s"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
