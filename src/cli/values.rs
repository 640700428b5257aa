//! Values on the command line: users, durations, replications.

use crate::input::manifest::live;
use crate::run::Replications;
use crate::scenario::Fidelity;
use crate::units::{SimDuration, SimTime};

/// More replications than this are a slip of the finger.
const MOST_REPLICATIONS: u32 = 10_000;
/// More users than live on Earth are, too.
const MOST_USERS: f64 = 1e10;

/// A number of users: `100000`, `100_000`, `100k`, `1.5M`, `1e5`.
pub(super) fn users(text: &str) -> Result<f64, String> {
    let plain = text.replace('_', "");
    let (digits, factor) = match plain.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1e3),
        None => plain.strip_suffix(['m', 'M']).map_or((plain.as_str(), 1.0), |digits| (digits, 1e6)),
    };
    // `inf` and `nan` are numbers to Rust, not to us.
    let starts_well = digits.starts_with(|first: char| first.is_ascii_digit());
    let number: f64 = digits
        .parse()
        .ok()
        .filter(|_| starts_well)
        .ok_or("not a number of users; write it as 100000, 100k or 1e5")?;
    let users = (number * factor).round();
    if users < 1.0 {
        return Err("there must be at least 1 user".to_owned());
    }
    if users > MOST_USERS {
        return Err("that is more users than there are people".to_owned());
    }
    Ok(users)
}

/// How much is simulated request by request: `full`, `sliced`, `auto`.
pub(super) fn fidelity(text: &str) -> Result<Fidelity, String> {
    match text {
        "full" => Ok(Fidelity::Full),
        "sliced" => Ok(Fidelity::Sliced),
        "auto" => Ok(Fidelity::Auto),
        _ => Err("it is full, sliced or auto".to_owned()),
    }
}

/// A length of time: `90s`, `15m`, `1h30m`, `2d`.
pub(super) fn duration(text: &str) -> Result<SimDuration, String> {
    const HELP: &str = "not a length of time; write it as 90s, 15m or 1h30m";
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(HELP)?;
        let number: f64 = rest[..end].parse().map_err(|_| HELP)?;
        let unit_end = rest[end..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| end + at);
        seconds += number
            * match &rest[end..unit_end] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                _ => return Err(HELP.to_owned()),
            };
        rest = &rest[unit_end..];
    }
    let year = 366.0 * 86_400.0;
    match seconds {
        short if short < 1.0 => Err("it must be at least 1s".to_owned()),
        long if long > year => Err("it must be at most 366d".to_owned()),
        fits => Ok(SimDuration::from_secs_f64(fits)),
    }
}

/// A moment as the API writes it: `2026-05-04T10:00:00Z`.
pub(super) fn moment(text: &str) -> Result<SimTime, String> {
    live::moment(text).ok_or_else(|| "not a moment; write it as 2026-05-04T10:00:00Z".to_owned())
}

/// A number of replications, or `auto`.
pub(super) fn replications(text: &str) -> Result<Replications, String> {
    if text == "auto" {
        return Ok(Replications::UntilSure);
    }
    match text.parse() {
        Ok(count @ 1..=MOST_REPLICATIONS) => Ok(Replications::Fixed(count)),
        _ => Err(format!("write auto, or a number from 1 to {MOST_REPLICATIONS}")),
    }
}

/// A drill and how often a year it comes: `node-failure=2`.
pub(super) fn per_year(text: &str) -> Result<(String, f64), String> {
    let wrong = || format!("`{text}` is not DRILL=N, such as node-failure=2");
    let (name, number) = text.split_once('=').ok_or_else(wrong)?;
    let number: f64 = number.parse().map_err(|_| wrong())?;
    if !(0.0..=1e6).contains(&number) {
        return Err(format!("{number} times a year is not between 0 and a million"));
    }
    Ok((name.to_owned(), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_as_people_write_them() {
        let rows = [
            ("500", Some(500.0)),
            ("100_000", Some(100_000.0)),
            ("100k", Some(100_000.0)),
            ("1.5M", Some(1_500_000.0)),
            ("1e5", Some(100_000.0)),
            ("0", None),
            ("-5", None),
            ("inf", None),
            ("1e30", None),
            ("many", None),
            ("", None),
        ];
        for (text, wanted) in rows {
            assert_eq!(users(text).ok(), wanted, "{text}");
        }
    }

    #[test]
    fn durations_carry_units() {
        let rows = [
            ("90s", Some(90)),
            ("1h30m", Some(5_400)),
            ("0.5h", Some(1_800)),
            ("2d", Some(172_800)),
            ("1500ms", None),
            ("90", None),
            ("s", None),
            ("0s", None),
            ("9999d", None),
            ("1 h", None),
            ("1.2.3s", None),
        ];
        for (text, wanted) in rows {
            let seen = duration(text).ok().filter(|seen| seen.as_nanos() % 1_000_000_000 == 0);
            assert_eq!(seen.map(SimDuration::whole_secs), wanted, "{text}");
        }
    }

    #[test]
    fn replications_are_a_number_or_auto() {
        assert_eq!(replications("auto"), Ok(Replications::UntilSure));
        assert_eq!(replications("5"), Ok(Replications::Fixed(5)));
        assert!(replications("0").is_err() && replications("1e9").is_err());
    }
}
