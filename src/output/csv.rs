//! The series and the HPA's decisions as CSV, for other tools.

use csv::{Terminator, Writer, WriterBuilder};

use super::Number;
use crate::observe::{Observations, Whose, WorkloadSeries};
use crate::scenario::Scenario;
use crate::units::figures::amount;

/// `timeseries.csv`: one row per replication and step. Counts are of the step
/// that ends at `t_seconds`, which count from the start of the warm-up. The latencies that
/// goals are about come last; as many steps as it takes for enough requests share a value.
pub fn time_series(scenario: &Scenario, runs: &[Observations]) -> Vec<u8> {
    let mut header = [
        "replication",
        "t_seconds",
        "users",
        "requests",
        "failed",
        "p50_seconds",
        "p95_seconds",
        "p99_seconds",
        "nodes",
        "pods",
        "pending_pods",
    ]
    .map(str::to_owned)
    .to_vec();
    let names = scenario.workload_names();
    for name in &names {
        header.extend(WORKLOAD_COLUMNS.map(|column| format!("{name}.{column}")));
    }
    for course in runs.iter().take(1).flat_map(|run| &run.series.courses) {
        let (kind, name) = match course.whose {
            Whose::Journey(journey) => ("journey", &scenario.demand.journeys[journey].name),
            Whose::Workload(workload) => ("workload", &names[workload]),
        };
        header.push(format!("{kind}/{name}.p{}_seconds", amount(course.quantile * 100.0)));
    }
    let mut writer = writer();
    put(&mut writer, &header);
    for run in runs {
        for row in 0..run.series.times.len() {
            put(&mut writer, &series_row(run, row));
        }
    }
    finish(writer)
}

/// `decisions.csv`: every HPA decision that changed a replica count.
pub fn decisions(scenario: &Scenario, runs: &[Observations]) -> Vec<u8> {
    let names = scenario.workload_names();
    let mut writer = writer();
    put(&mut writer, &["replication", "t_seconds", "workload", "from", "to", "because"].map(str::to_owned));
    for run in runs {
        for decision in &run.decisions {
            put(
                &mut writer,
                &[
                    run.seed.replication.to_string(),
                    Number(decision.time.as_secs_f64()).to_string(),
                    names[decision.workload].clone(),
                    decision.from.to_string(),
                    decision.to.to_string(),
                    decision.because.clone(),
                ],
            );
        }
    }
    finish(writer)
}

const WORKLOAD_COLUMNS: [&str; 9] = [
    "desired",
    "ready",
    "cpu_cores",
    "cpu_request_cores",
    "cpu_limit_cores",
    "memory_bytes",
    "memory_request_bytes",
    "memory_limit_bytes",
    "failed",
];

fn series_row(run: &Observations, row: usize) -> Vec<String> {
    let series = &run.series;
    let number = |number: f64| Number(number).to_string();
    let perhaps = |value: Option<f64>| value.map_or(String::new(), number);
    let mut cells = vec![
        run.seed.replication.to_string(),
        number(series.times[row].as_secs_f64()),
        number(series.users[row]),
        series.arrived[row].to_string(),
        series.failed[row].to_string(),
        perhaps(series.p50[row]),
        perhaps(series.p95[row]),
        perhaps(series.p99[row]),
        series.nodes[row].to_string(),
        series.pods[row].to_string(),
        series.pending[row].to_string(),
    ];
    for workload in &series.workloads {
        cells.extend(workload_row(workload, row));
    }
    cells.extend(series.courses.iter().map(|course| perhaps(course.values[row])));
    cells
}

fn workload_row(workload: &WorkloadSeries, row: usize) -> [String; WORKLOAD_COLUMNS.len()] {
    [
        Number(f64::from(workload.desired[row])),
        Number(f64::from(workload.ready[row])),
        Number(workload.cpu[row]),
        Number(workload.cpu_request[row]),
        Number(workload.cpu_limit[row]),
        Number(workload.memory[row]),
        Number(workload.memory_request[row]),
        Number(workload.memory_limit[row]),
        Number(workload.failed[row] as f64),
    ]
    .map(|number| number.to_string())
}

fn writer() -> Writer<Vec<u8>> {
    WriterBuilder::new().terminator(Terminator::Any(b'\n')).from_writer(Vec::new())
}

fn put(writer: &mut Writer<Vec<u8>>, cells: &[String]) {
    writer.write_record(cells).expect("memory takes every row, and all rows are of one length");
}

fn finish(writer: Writer<Vec<u8>>) -> Vec<u8> {
    writer.into_inner().expect("memory takes every row")
}
