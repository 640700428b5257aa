//! What Prometheus answers about a counter: `rate()` over a range of samples.
//!
//! Custom and external metrics of an HPA mostly come from there, through an adapter that
//! asks anew at each of the HPA's passes. Upstream: Prometheus `promql/functions.go`,
//! `extrapolatedRate`.

use crate::units::{SimDuration, SimTime};

/// What the configuration that comes with most operators scrapes at.
pub const SCRAPE_INTERVAL: SimDuration = SimDuration::from_secs(30);
/// The range of most adapters' rules: four scrapes, so that one may be missed.
pub const RANGE: SimDuration = SimDuration::from_secs(120);
/// A series whose last sample is older than this has no value (`--query.lookback-delta`).
pub const LOOKBACK: SimDuration = SimDuration::from_secs(300);

/// Samples are about evenly spaced: one that lies further than so many times their mean
/// distance from a range's end is not followed by another that was missed.
const NEXT_TO_THE_END: f64 = 1.1;

/// A counter's growth per second within the `range` before `now`, by its samples in the
/// order of their times. `None` where fewer than two of them lie in the range.
///
/// What lies between the samples and the ends of the range is made up: to the very end
/// where a sample is near it, else half a scrape, and never to before the counter was zero.
pub fn rate<'a>(
    samples: impl IntoIterator<Item = &'a (SimTime, u64)>,
    now: SimTime,
    range: SimDuration,
) -> Option<f64> {
    let begin = now.minus_or_zero(range);
    // The range is open where it begins, but for a range that begins with time itself.
    let inside =
        samples.into_iter().filter(|(time, _)| (*time > begin || begin == SimTime::ZERO) && *time <= now);
    let (mut count, mut grown) = (0_u32, 0_u64);
    let mut ends: Option<((SimTime, u64), (SimTime, u64))> = None;
    for &sample in inside {
        let (first, last) = ends.unwrap_or((sample, sample));
        // A counter that has gone down has begun anew.
        grown += if sample.1 < last.1 { sample.1 } else { sample.1 - last.1 };
        ends = Some((first, sample));
        count += 1;
    }
    let (first, last) = ends.filter(|_| count >= 2)?;
    let (sampled, grown) = (last.0.since(first.0).as_secs_f64(), grown as f64);
    let apart = sampled / f64::from(count - 1);
    let up_to = |end: f64| if end < NEXT_TO_THE_END * apart { end } else { apart / 2.0 };
    let mut before = up_to(first.0.since(begin).as_secs_f64());
    if grown > 0.0 {
        before = before.min(sampled * first.1 as f64 / grown);
    }
    let after = up_to(now.since(last.0).as_secs_f64());
    Some(grown * (sampled + before + after) / sampled / range.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(second)
    }

    #[test]
    fn a_counter_s_rate_is_that_of_prometheus() {
        // Samples (second, value), now, range in seconds -> increase over the range.
        let rows: [(&str, &[(u64, u64)], u64, u64, Option<f64>); 9] = [
            ("evenly up to both ends", &[(0, 0), (30, 60), (60, 120)], 60, 60, Some(120.0)),
            ("from a sample before", &[(0, 0), (30, 60), (60, 120), (90, 180)], 100, 60, Some(120.0)),
            // 47 s and 97 s to the ends, 10 s apart: five are added at the end, and at the
            // beginning no more than takes the counter to zero, 0.505 s.
            (
                "a counter that was nearly zero",
                &[(153, 1), (163, 1), (173, 1), (183, 100), (193, 100), (203, 100)],
                300,
                300,
                Some(109.9),
            ),
            // The same distances, far from zero: half a scrape at both ends.
            ("far from both ends", &[(153, 500), (163, 520), (173, 540)], 300, 300, Some(60.0)),
            ("it began anew", &[(10, 100), (20, 110), (30, 5), (40, 15)], 40, 40, Some(25.0 * 40.0 / 30.0)),
            ("nothing happens", &[(10, 7), (20, 7), (30, 7)], 30, 30, Some(0.0)),
            ("one sample", &[(10, 7)], 30, 30, None),
            ("the first lies where the range begins", &[(30, 7), (60, 9)], 90, 60, None),
            ("none", &[], 30, 30, None),
        ];
        for (name, samples, now, range, expected) in rows {
            let samples: Vec<(SimTime, u64)> =
                samples.iter().map(|(second, value)| (at(*second), *value)).collect();
            let seconds = SimDuration::from_secs(range);
            let seen = rate(&samples, at(now), seconds).map(|rate| rate * range as f64);
            match (seen, expected) {
                (Some(seen), Some(expected)) => assert!((seen - expected).abs() < 1e-9, "{name}: {seen}"),
                (seen, expected) => assert_eq!(seen, expected, "{name}"),
            }
        }
    }
}
