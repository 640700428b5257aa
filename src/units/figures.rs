//! Figures as people read them: few digits, units, thousands set apart.
//!
//! Results are printed by these and nothing else, so that a number looks the
//! same in a reason, a table and a chart.

use super::{SimDuration, SimTime};

/// A count, or a mean of counts: `12,345`, `0.3`.
pub fn count(number: f64) -> String {
    let rounded = number.round();
    if number.abs() < 10.0 && (number - rounded).abs() > 1e-9 {
        return format!("{number:.1}");
    }
    let digits = format!("{:.0}", rounded.abs());
    let mut text = String::with_capacity(digits.len() + 4);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if rounded < 0.0 { format!("-{text}") } else { text }
}

/// A share in percent. What is close to 0 % or 100 % gets the digits that tell
/// it from there: `97.3 %`, `99.987 %`, `0.021 %`.
pub fn percent(share: f64) -> String {
    let distance = share.abs().min((1.0 - share).abs()) * 100.0;
    let decimals = match distance {
        d if d < 1e-9 => 0,
        d if d < 0.01 => 4,
        d if d < 0.1 => 3,
        d if d < 1.0 => 2,
        _ => 1,
    };
    format!("{:.decimals$} %", share * 100.0)
}

/// A length of time in seconds: `0.42 ms`, `212 ms`, `1.31 s`, `47 min`, `2 h 5 min`.
pub fn seconds(length: f64) -> String {
    // The borders are where the next smaller unit would round up to 1000 or 60.
    match length.abs() {
        0.0 => "0 s".to_owned(),
        below if below < 0.000_999_5 => format!("{} ms", significant(length * 1e3, 2)),
        below if below < 0.999_5 => format!("{} ms", significant(length * 1e3, 3)),
        below if below < 119.5 => format!("{} s", significant(length, 3)),
        below if below < 599.5 => {
            let whole = length.abs().round();
            let sign = if length < 0.0 { "-" } else { "" };
            match whole % 60.0 {
                0.0 => format!("{sign}{:.0} min", whole / 60.0),
                rest => format!("{sign}{:.0} min {rest:.0} s", (whole / 60.0).floor()),
            }
        }
        below if below < 3_570.0 => format!("{:.0} min", length / 60.0),
        _ => {
            let minutes = (length / 60.0).round();
            match minutes % 60.0 {
                0.0 => format!("{:.0} h", minutes / 60.0),
                rest => format!("{:.0} h {rest:.0} min", (minutes / 60.0).floor()),
            }
        }
    }
}

/// A length of simulated time, as [`seconds`].
pub fn duration(length: SimDuration) -> String {
    seconds(length.as_secs_f64())
}

/// A moment as `h:mm:ss`.
pub fn clock(time: SimTime) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// CPU in cores, or any other small amount: three digits that count, no zeros
/// at the end.
pub fn amount(number: f64) -> String {
    let text = significant(number, 3);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Memory in binary units: `512 MiB`, `1.5 GiB`.
pub fn bytes(number: f64) -> String {
    const UNITS: [(f64, &str); 4] = [
        ((1_u64 << 40) as f64, "TiB"),
        ((1 << 30) as f64, "GiB"),
        ((1 << 20) as f64, "MiB"),
        (1024.0, "KiB"),
    ];
    match UNITS.iter().find(|(size, _)| number.abs() >= *size) {
        None => format!("{number:.0} B"),
        Some((size, unit)) => format!("{} {unit}", amount(number / size)),
    }
}

/// Money with its currency.
pub fn money(number: f64, currency: &str) -> String {
    let cents = (number.abs() * 100.0).round();
    let sign = if number < 0.0 && cents > 0.0 { "-" } else { "" };
    format!("{sign}{}.{:02.0} {currency}", count((cents / 100.0).floor()), cents % 100.0)
}

/// One of something, or several: `1 pod`, `3 pods`.
pub fn plural(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {many}", count(number as f64)) }
}

/// `number` with `digits` digits that count, never cut before the point.
fn significant(number: f64, digits: usize) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    // The exponent after rounding: 0.9999 is 1.00, not 1.000.
    let scientific = format!("{:.*e}", digits - 1, number);
    let magnitude: i64 = scientific.rsplit('e').next().and_then(|text| text.parse().ok()).unwrap_or(0);
    let decimals = (digits as i64 - 1 - magnitude).clamp(0, 6) as usize;
    let text = format!("{number:.decimals$}");
    // What rounds to nothing has no sign.
    if text.contains(|c: char| ('1'..='9').contains(&c)) { text } else { "0".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[(String, &str)]) {
        for (seen, wanted) in rows {
            assert_eq!(seen, wanted);
        }
    }

    #[test]
    fn counts_and_shares_read_well() {
        check(&[
            (count(0.0), "0"),
            (count(1.0 / 3.0), "0.3"),
            (count(12_345.4), "12,345"),
            (count(-1_234_567.0), "-1,234,567"),
            (percent(1.0), "100 %"),
            (percent(0.0), "0 %"),
            (percent(0.9731), "97.3 %"),
            (percent(0.999), "99.90 %"),
            (percent(0.99987), "99.987 %"),
            (percent(0.0053), "0.53 %"),
            (plural(1, "pod", "pods"), "1 pod"),
            (plural(2_000, "pod", "pods"), "2,000 pods"),
        ]);
    }

    #[test]
    fn lengths_and_amounts_read_well() {
        check(&[
            (seconds(0.0), "0 s"),
            (seconds(0.000_42), "0.42 ms"),
            (seconds(0.212), "212 ms"),
            (seconds(0.999_9), "1.00 s"),
            (seconds(1.314), "1.31 s"),
            (seconds(95.0), "95.0 s"),
            (seconds(2_820.0), "47 min"),
            (seconds(7_500.0), "2 h 5 min"),
            (seconds(7_199.0), "2 h"),
            (seconds(3_600.0), "1 h"),
            (clock(SimTime::from_nanos(750_600_000_000)), "0:12:31"),
            (amount(4.9), "4.9"),
            (amount(0.000_5), "0.0005"),
            (amount(1_250.0), "1250"),
            (amount(-0.000_000_1), "0"),
            (seconds(-1e-12), "0 ms"),
            (bytes(512.0 * 1024.0 * 1024.0), "512 MiB"),
            (money(1_412.5, "USD"), "1,412.50 USD"),
            (money(0.999, "USD"), "1.00 USD"),
            (money(-0.5, "USD"), "-0.50 USD"),
            (money(-12.999, "USD"), "-13.00 USD"),
            (money(-0.001, "USD"), "0.00 USD"),
        ]);
    }
}
