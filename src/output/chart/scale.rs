//! Ticks that people count in, and fewer points than pixels.

use crate::units::figures::amount;

/// Ticks of a linear axis from 0 to at least `most`: steps of 1, 2 or 5 (and 25)
/// times a power of ten, about `wanted` of them; `whole` for things that come
/// in ones.
pub(super) fn linear_ticks(most: f64, wanted: usize, whole: bool) -> Vec<f64> {
    let rough = (most / wanted as f64).max(1e-9);
    let power = decade(rough);
    // Quarters only where they are whole numbers.
    let factors: &[f64] = if power >= 10.0 { &[1.0, 2.0, 2.5, 5.0] } else { &[1.0, 2.0, 5.0] };
    let step = factors.iter().map(|factor| factor * power).find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(10.0 * power).max(if whole { 1.0 } else { 0.0 });
    let count = (most / step - 1e-9).ceil().max(1.0) as usize;
    (0..=count).map(|tick| tick as f64 * step).collect()
}

/// Ticks of a logarithmic axis that covers `least` to `most`: 1, 2, 5 per
/// decade, or only 1 where that would be too many.
pub(super) fn log_ticks(least: f64, most: f64) -> Vec<f64> {
    let factors: &[f64] = if most / least > 5_000.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let mut all = Vec::new();
    let mut power = decade(least);
    while power <= most * 10.0 {
        all.extend(factors.iter().map(|factor| factor * power));
        power *= 10.0;
    }
    let lowest = all.iter().rposition(|tick| *tick <= least * 1.001).unwrap_or(0);
    let highest = all.iter().position(|tick| *tick >= most * 0.999).unwrap_or(all.len() - 1);
    all[lowest..=highest.max(lowest + 1)].to_vec()
}

/// Ticks of a time axis in seconds: whole minutes, hours or days, at most `most`.
pub(super) fn time_ticks(end: f64, most: usize) -> Vec<f64> {
    const STEPS: [f64; 18] = [
        1.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 10_800.0,
        21_600.0, 43_200.0, 86_400.0, 604_800.0,
    ];
    let fits = |step: &f64| end / step <= most as f64;
    let step = STEPS.into_iter().find(fits).unwrap_or(end / most as f64);
    let count = (end / step * 1.000_1).floor() as usize;
    (0..=count).map(|tick| tick as f64 * step).collect()
}

/// A time as `h:mm`, with seconds where ticks are closer than a minute, in days
/// where they are a day apart or more.
pub(super) fn time_label(time: f64, step: f64) -> String {
    let seconds = time.round() as u64;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    if step < 60.0 {
        format!("{hours}:{minutes:02}:{:02}", seconds % 60)
    } else if step >= 86_400.0 {
        format!("day {}", seconds / 86_400 + 1)
    } else {
        format!("{hours}:{minutes:02}")
    }
}

/// A number at a tick: `1.5`, `20k`, `3M`.
pub(super) fn number_label(value: f64) -> String {
    match value.abs() {
        big if big >= 1e6 => format!("{}M", amount(value / 1e6)),
        big if big >= 1e4 => format!("{}k", amount(value / 1e3)),
        _ => amount(value),
    }
}

/// At most about `2 * bins` points: the least and the largest of each bin, in
/// their order, so that no peak is lost.
pub(super) fn thinned(points: &[(f64, f64)], bins: usize) -> Vec<(f64, f64)> {
    if points.len() <= 2 * bins {
        return points.to_vec();
    }
    let size = points.len().div_ceil(bins);
    let mut kept = Vec::with_capacity(2 * bins);
    for bin in points.chunks(size) {
        let least = (0..bin.len()).min_by(|&a, &b| bin[a].1.total_cmp(&bin[b].1)).unwrap_or(0);
        let most = (0..bin.len()).max_by(|&a, &b| bin[a].1.total_cmp(&bin[b].1)).unwrap_or(0);
        kept.push(bin[least.min(most)]);
        if least != most {
            kept.push(bin[least.max(most)]);
        }
    }
    kept
}

/// The power of ten at or below a number above zero.
fn decade(number: f64) -> f64 {
    libm::pow(10.0, libm::floor(libm::log10(number) + 1e-9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_all() {
        assert_eq!(linear_ticks(7.3, 4, false), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(linear_ticks(102_000.0, 5, true).last(), Some(&125_000.0));
        assert_eq!(linear_ticks(0.0, 4, false).len(), 2);
        assert_eq!(linear_ticks(1.0, 4, true), [0.0, 1.0]);
        let logs: Vec<String> = log_ticks(0.018, 1.7).into_iter().map(amount).collect();
        assert_eq!(logs, ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(time_ticks(3_900.0, 8), [0.0, 600.0, 1_200.0, 1_800.0, 2_400.0, 3_000.0, 3_600.0]);
        assert_eq!(time_label(5_400.0, 1_800.0), "1:30");
        assert_eq!(number_label(50_000.0), "50k");
    }

    #[test]
    fn thinning_keeps_the_peaks() {
        let mut points: Vec<(f64, f64)> = (0..10_000).map(|i| (f64::from(i), f64::from(i % 7))).collect();
        points[7_777].1 = 99.0;
        points[3_333].1 = -5.0;
        let kept = thinned(&points, 300);
        assert!(kept.len() <= 600 && kept.contains(&(7_777.0, 99.0)) && kept.contains(&(3_333.0, -5.0)));
        assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
    }
}
