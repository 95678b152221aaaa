//! Moments as text: RFC 3339, in UTC, to the millisecond.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `2026-11-20T16:50:49.123Z`. Moments before 1970 read as 1970.
#[must_use]
pub fn text(moment: SystemTime) -> String {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs(), since.subsec_millis());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Now.
#[must_use]
pub fn now() -> String {
    text(SystemTime::now())
}

/// Since 1970, of a text as [`text`] writes it; `None` of any other.
#[must_use]
pub fn read(text: &str) -> Option<Duration> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, between: char| -> Option<[u64; 3]> {
        let parts: Option<Vec<u64>> = text.split(between).map(|part| part.parse().ok()).collect();
        parts?.try_into().ok()
    };
    let [year, month, day] = numbers(date, '-')?;
    let (clock, millis) = clock.split_once('.')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1970 {
        return None;
    }
    // From March on, so that a leap day ends a year: the inverse of [`date`].
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let days = era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_1970;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(Duration::from_secs(seconds) + Duration::from_millis(millis.parse().ok()?))
}

/// For files: a moment as [`text`] has it.
pub mod as_text {
    use std::time::{SystemTime, UNIX_EPOCH};

    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    /// Writes it.
    ///
    /// # Errors
    /// The writer's own.
    pub fn serialize<S: Serializer>(moment: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::text(*moment))
    }

    /// Reads it.
    ///
    /// # Errors
    /// If it is no such text.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(from)?;
        let since = super::read(&text).ok_or_else(|| D::Error::custom(format!("\"{text}\" is no moment")))?;
        Ok(UNIX_EPOCH + since)
    }
}

/// Days from the first of March of the year 0 to 1970-01-01, and days in 400 years.
const DAYS_TO_1970: u64 = 719_468;
const ERA: u64 = 146_097;

/// The Gregorian date of a day since 1970-01-01. Years are counted from March, so that a leap day ends one.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_TO_1970;
    let (era, of_era) = (days / ERA, days % ERA);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for seconds in (0..4_200_000_000).step_by(86_399 * 37) {
            let moment = Duration::from_secs(seconds) + Duration::from_millis(seconds % 1000);
            assert_eq!(read(&text(UNIX_EPOCH + moment)), Some(moment));
        }
        for other in ["", "2026-11-20", "2026-13-20T00:00:00.000Z", "T", "2026-11-20T16:50:49Z"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn moments_read_as_the_calendar_has_them() {
        let at =
            |seconds, millis| text(UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(millis));
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_400, 7), "2000-02-29T00:00:00.007Z");
        assert_eq!(at(1_709_251_199, 999), "2024-02-29T23:59:59.999Z");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
        assert_eq!(at(1_795_193_449, 0), "2026-11-20T16:50:49.000Z");
    }
}
