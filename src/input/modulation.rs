//! `modulation`: a rate that bursts at random, state by state.

use serde::Deserialize;

use crate::input::findings::{At, Findings};
use crate::input::load::{Counts, LoadFile};
use crate::input::scalar::{self, Scalar};
use crate::scenario::RateState;
use crate::units::SimDuration;

/// One state of a modulated rate.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateStateFile {
    /// The rate while it lasts, relative to the load.
    times: Scalar,
    /// How long it lasts on average.
    mean: Scalar,
}

/// The shortest mean of a state: a shorter one is no burst, and costs an event
/// each time.
const SHORTEST: SimDuration = SimDuration::from_millis(10);
/// The most states that are taken.
const MOST: usize = 100;

/// The states of a load's rate. Users who wait for answers have none, and a trace
/// has bursts of its own.
pub fn resolve(
    states: &[RateStateFile],
    load: &LoadFile,
    counts: Counts,
    at: &At,
    into: &mut Findings,
) -> Vec<RateState> {
    if states.is_empty() {
        return Vec::new();
    }
    if load.trace_file().is_some() {
        into.wrong(at, "a trace has its own bursts", "leave `modulation` out, or use another load");
    } else if counts == Counts::Users {
        let help = "use a load of rates, such as `constant-arrival-rate`, or `bursts`";
        into.wrong(at, "users who wait for answers have no rate to modulate", help);
    }
    if !(2..=MOST).contains(&states.len()) {
        let help = format!("list from 2 to {MOST} `{{times, mean}}`");
        into.wrong(at, format!("{} is no number of states to go through", states.len()), help);
    }
    let read = states.iter().enumerate().filter_map(|(index, state)| {
        let at = at.index(index);
        let times = into.take(&at.key("times"), scalar::number(&state.times));
        let mean = into.take(&at.key("mean"), scalar::duration(&state.mean));
        if mean.is_some_and(|mean| mean < SHORTEST) {
            into.wrong(&at.key("mean"), "a state must last", "10ms or longer");
        }
        Some(RateState { times: times?, mean: mean? })
    });
    let read: Vec<RateState> = read.collect();
    if !read.is_empty() && read.iter().all(|state| state.times <= 0.0) {
        into.wrong(at, "nobody ever asks", "let one state rise above 0");
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_or_refused_each_at_its_place() {
        let rate = "constant-arrival-rate: {rate: 10}";
        // states, load, what is wrong (path: message)
        let rows: [(&str, &str, &[&str]); 7] = [
            ("[{times: 0.5, mean: 50s}, {times: 3.5, mean: 10s}]", rate, &[]),
            ("[{times: 1, mean: 50s}]", rate, &["modulation: 1 is no number of states to go through"]),
            (
                "[{times: -1, mean: 50}, {times: 2, mean: 1ms}]",
                rate,
                &[
                    "modulation[0].times: `-1` is negative",
                    "modulation[0].mean: `50` has no unit",
                    "modulation[1].mean: a state must last",
                ],
            ),
            ("[{times: 0, mean: 5s}, {times: 0, mean: 1s}]", rate, &["modulation: nobody ever asks"]),
            (
                "[{times: 1, mean: 5s}, {times: 2, mean: 1s}]",
                "constant-vus: {vus: 10}",
                &["modulation: users who wait for answers have no rate to modulate"],
            ),
            (
                "[{times: 1, mean: 5s}, {times: 2, mean: 1s}]",
                "trace: {file: x}",
                &["modulation: a trace has its own bursts"],
            ),
            ("[]", "constant-vus: {vus: 10}", &[]),
        ];
        for (states, load, wrong) in rows {
            let files: Vec<RateStateFile> = serde_yaml::from_str(states).unwrap();
            let file: LoadFile = serde_yaml::from_str(load).unwrap();
            let mut found = Findings::default();
            let curve = file.curve(&At::root(), None, None, &mut Findings::default());
            let read = resolve(&files, &file, curve.counts, &At::root().key("modulation"), &mut found);
            let said: Vec<String> =
                found.problems.iter().map(|one| format!("{}: {}", one.path, one.message)).collect();
            assert_eq!(said, wrong, "{states} on {load}");
            if wrong.is_empty() {
                assert_eq!(read.len(), files.len());
            }
        }
        let unknown = "[{times: 1, mean: 5s, often: 3}]";
        assert!(serde_yaml::from_str::<Vec<RateStateFile>>(unknown).is_err(), "unknown keys are refused");
    }
}
