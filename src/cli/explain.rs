//! `plan explain`.

use super::Exit;
use super::args::{ExplainHpaArgs, ExplainSchedulingArgs, Format};
use super::screen::{self, Screen};
use crate::input::explain::{self, HpaRequest, SchedulingRequest};
use crate::input::{Failure, Problem};
use crate::k8s::version::Version;
use crate::output;
use crate::source::Sources;

/// `plan explain hpa`
pub(super) fn hpa(args: &ExplainHpaArgs, screen: Screen) -> Exit {
    let request = HpaRequest {
        files: [args.filename.as_slice(), &args.pods, &args.metrics].concat(),
        history: args.history.clone(),
        name: args.name.clone(),
        now: args.now,
        current: args.current,
        version: args.kubernetes_version.unwrap_or_default(),
    };
    let case = match explain::hpa(&request) {
        Ok(case) => case,
        Err(failure) => return refused(&failure, screen),
    };
    warn(&case.warnings, &case.sources, screen);
    let explained = output::explain::hpa::explain(&case);
    let document = || output::explain::hpa::document(&case, &explained);
    let text = match args.output {
        Format::Table => output::explain::hpa::page(&case, &explained, screen::width()),
        Format::Json => output::explain::json(&document()),
        Format::Yaml => output::explain::yaml(&document()),
    };
    if screen.print(&text) { Exit::Met } else { Exit::Outside }
}

/// `plan explain scheduling`
pub(super) fn scheduling(args: &ExplainSchedulingArgs, screen: Screen) -> Exit {
    let mut cluster = [args.nodes.as_slice(), &args.pods].concat();
    cluster.dedup();
    let version = args.kubernetes_version.unwrap_or(Version::NEWEST);
    let request = SchedulingRequest { pod: args.pod.clone(), cluster, name: args.name.clone(), version };
    let case = match explain::scheduling(&request) {
        Ok(case) => case,
        Err(failure) => return refused(&failure, screen),
    };
    let explained = output::explain::scheduling::explain(&case);
    let document = || output::explain::scheduling::document(&case, &explained);
    let text = match args.output {
        Format::Table => output::explain::scheduling::page(&case, &explained, screen::width()),
        Format::Json => output::explain::json(&document()),
        Format::Yaml => output::explain::yaml(&document()),
    };
    if screen.print(&text) { Exit::Met } else { Exit::Outside }
}

fn refused(failure: &Failure, screen: Screen) -> Exit {
    screen.tell(&failure.render(screen.colours_errors()));
    Exit::Usage
}

fn warn(problems: &[Problem], sources: &Sources, screen: Screen) {
    for problem in problems {
        screen.warn(&problem.render(sources, screen.colours_errors()));
    }
}
