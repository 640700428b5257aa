//! Everything that leaves the program: the verdict as data, the page a person
//! reads, tables and charts, and the folder they are kept in.
//!
//! Nothing here prints; `cli` does. What is written depends on the scenario and
//! the runs alone: no clock, no machine, so equal inputs give equal bytes.

pub mod capacity;
pub mod chart;
pub mod compare;
pub mod csv;
pub mod drill;
pub mod explain;
pub mod folder;
pub mod fresh;
mod number;
pub mod promised;
pub mod raster;
pub mod reach;
pub mod robust;
pub mod table;
mod text;
mod tradeoff;
pub mod tune;
pub mod validate;
pub mod verdict;

pub use folder::FolderError;
pub use number::Number;

use crate::judge::Verdict;
use crate::observe::Observations;
use crate::scenario::{Population, Scenario};
use crate::units::SimTime;
use crate::units::figures::{amount, count};

/// A file of the results folder: its name and its bytes.
pub type File = (String, Vec<u8>);

/// All files of a simulation's results folder.
pub fn files(scenario: &Scenario, runs: &[Observations], verdict: &Verdict) -> Vec<File> {
    let document = verdict::document(scenario, runs, verdict);
    let mut files = vec![
        ("verdict.json".to_owned(), verdict::json(&document).into_bytes()),
        ("timeseries.csv".to_owned(), csv::time_series(scenario, runs)),
        ("decisions.csv".to_owned(), csv::decisions(scenario, runs)),
    ];
    for (name, svg) in chart::all(scenario, &runs[verdict.shown], runs.len()) {
        files.push((format!("{name}.png"), raster::png(&svg)));
        files.push((format!("{name}.svg"), svg.into_bytes()));
    }
    files
}

/// The load in words: the most users that were seen, or what a rate asks for at its peak where
/// nobody said how many users that is.
fn load_at_peak(scenario: &Scenario, users: f64) -> String {
    match &scenario.demand.population {
        Population::Rate { peak_per_second, shape, users: None, .. } => {
            let begin = SimTime::ZERO + scenario.warm_up;
            let most = peak_per_second * shape.peak(begin, begin + scenario.horizon);
            format!("{} journeys a second at the peak", amount(most))
        }
        Population::Rate { .. } | Population::Users { .. } => {
            format!("{} users at the peak", count(users.round()))
        }
    }
}
