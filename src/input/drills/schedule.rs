//! When a schedule strikes.

use croner::parser::CronParser;
use jiff::civil::{DateTime, date};

use super::MOST;
use crate::input::scalar::{self, Fault, Scalar};
use crate::units::SimDuration;

/// The observed time begins at this midnight: a Monday, as with day curves.
const START: DateTime = date(2024, 1, 1).at(0, 0, 0, 0);

/// The times within the observed one, counted from its start, at which a
/// schedule strikes: cron's five fields, `@hourly` and the like, or `@every 10m`.
pub fn strikes(schedule: &Scalar, horizon: SimDuration) -> Result<Vec<SimDuration>, Fault> {
    let text = schedule.to_string();
    let times: Vec<SimDuration> = if let Some(period) = text.strip_prefix("@every ") {
        every(scalar::duration(&Scalar::from(period.trim()))?, horizon)?
    } else {
        let cron = CronParser::new().parse(&text).map_err(|error| {
            Fault::new(
                format!("`{text}` is not a schedule: {error}"),
                "such as `*/10 * * * *` or `@every 10m`",
            )
        })?;
        let since =
            |time: DateTime| SimDuration::from_secs(time.duration_since(START).as_secs().unsigned_abs());
        let times = cron.iter_from(START, croner::Direction::Forward).map(since);
        times.take_while(|time| *time <= horizon).take(MOST + 1).collect()
    };
    if times.is_empty() {
        let message = format!("`{text}` never comes within the observed time");
        return Err(Fault::new(message, format!("{horizon} from Monday 0:00 on are observed")));
    }
    Ok(times)
}

fn every(period: SimDuration, horizon: SimDuration) -> Result<Vec<SimDuration>, Fault> {
    if period == SimDuration::ZERO {
        return Err(Fault::new("a schedule can't strike all the time", "write `@every 10m`"));
    }
    let next = |time: &SimDuration| Some(time.saturating_add(period)).filter(|time| *time <= horizon);
    Ok(std::iter::successors(next(&SimDuration::ZERO), next).take(MOST + 1).collect())
}
