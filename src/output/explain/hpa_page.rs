//! The page of `plan explain hpa`: every step in words.

use super::Page;
use super::hpa::{Explained, MetricExplained, conditions, holding, limits, moment};
use crate::input::explain::HpaCase;
use crate::k8s::behavior::{Behavior, Limit, PolicyKind, ScalingRules, SelectPolicy, Stabilization};
use crate::k8s::behavior::{scale_down_limit, scale_up_limit};
use crate::k8s::hpa::{Because, MetricSpec, ResourceTarget, Turn, words};
use crate::k8s::replicas::{CurrentValue, Group, Proposal, Rule};
use crate::output::text::{Side, columns, cut};
use crate::units::figures::{amount, plural};

/// The page of a decision.
pub fn page(case: &HpaCase, explained: &Explained, width: usize) -> String {
    let mut page = Page::new(width);
    let (answer, spec) = (&explained.answer, &case.hpa.spec);
    let hpa = &case.hpa;
    page.item(
        "",
        &format!(
            "HPA {}/{} of {}/{} at {}, by the rules of Kubernetes {}",
            hpa.namespace,
            hpa.name,
            hpa.target_kind,
            hpa.target_name,
            moment(case.now),
            case.version
        ),
    );
    let change = match answer.replicas.cmp(&answer.current) {
        std::cmp::Ordering::Equal => format!("stays at {}", answer.current),
        std::cmp::Ordering::Greater => format!("scales up from {} to {}", answer.current, answer.replicas),
        std::cmp::Ordering::Less => format!("scales down from {} to {}", answer.current, answer.replicas),
    };
    page.item("", &format!("It {change}: {}.", words::because(answer, &spec.metrics)));
    for (place, (metric, one)) in spec.metrics.iter().zip(&explained.metrics).enumerate() {
        metric_part(&mut page, case, (place, spec.metrics.len()), metric, one);
    }
    page.heading("From the metrics to the answer");
    decision(&mut page, case, explained);
    page.heading("Conditions after this pass");
    let rows: Vec<Vec<String>> = conditions(&answer.conditions)
        .iter()
        .map(|one| vec![format!("  {}", one.kind), one.status.to_owned(), one.reason.to_owned()])
        .collect();
    page.lines.extend(columns(&[Side::Left, Side::Left, Side::Left], &rows));
    page.heading("What would change the answer");
    changes(&mut page, case, explained);
    if !case.notes.is_empty() {
        page.heading("What the files don't say");
        for note in &case.notes {
            page.item("  - ", note);
        }
    }
    page.finish()
}

/// One metric: its pods, its sums, its estimates.
fn metric_part(
    page: &mut Page,
    case: &HpaCase,
    (place, of): (usize, usize),
    metric: &MetricSpec,
    one: &MetricExplained,
) {
    let number = if of > 1 { format!(" {} of {of}", place + 1) } else { String::new() };
    let container = match metric {
        MetricSpec::Resource { container: Some(container), .. } => format!(" of container {container}"),
        _ => String::new(),
    };
    let target = words::target(metric);
    let requests = matches!(metric, MetricSpec::Resource { target: ResourceTarget::Utilization(_), .. });
    let requests = if requests { " of requests" } else { "" };
    page.heading(&format!("Metric{number}: {}{container}, target {target}{requests}", words::name(metric)));
    pods_table(page, case, metric, one);
    match &one.found {
        Ok(found) => estimates(page, case, metric, found),
        Err(problem) => page.item("  ", &format!("No count: {problem}.")),
    }
}

/// The pods with their groups, and why one isn't counted.
fn pods_table(page: &mut Page, case: &HpaCase, metric: &MetricSpec, one: &MetricExplained) {
    if one.pods.is_empty() {
        return;
    }
    let mut rows = vec![["  POD", "USES", "REQUESTS", "GROUP"].map(str::to_owned).to_vec()];
    for pod in &one.pods {
        let shown = |milli: Option<i64>| milli.map_or("-".to_owned(), |milli| words::amount(metric, milli));
        rows.push(vec![
            format!("  {}", cut(&case.pods[pod.pod].name, 44)),
            shown(pod.sample.map(|sample| sample.value)),
            shown(pod.request),
            words::group(pod.group).to_owned(),
        ]);
    }
    page.lines.extend(columns(&[Side::Left, Side::Right, Side::Right, Side::Left], &rows));
    for pod in one.pods.iter().filter(|pod| pod.group != Group::Counted) {
        let (group, why) = (words::group(pod.group), words::group_reason(pod.group));
        page.item("  ", &format!("{} is {group}: {why}.", case.pods[pod.pod].name));
    }
}

/// From the sums to the count that the metric asks for.
fn estimates(page: &mut Page, case: &HpaCase, metric: &MetricSpec, found: &Proposal) {
    let current = case.scale.spec_replicas;
    let readings = case.readings();
    let tolerance = case.pass(&readings).tolerance();
    let of = |totals: crate::k8s::replicas::Totals, pods: u32| {
        let usage = words::amount(metric, i64::try_from(totals.usage).unwrap_or(i64::MAX));
        let pods = plural(u64::from(pods), "pod", "pods");
        if totals.request == 0 {
            return format!("{pods} together: {usage}");
        }
        let request = words::amount(metric, i64::try_from(totals.request).unwrap_or(i64::MAX));
        format!("{pods} together: {usage} of {request} requested")
    };
    if let (Some(totals), Some(counts)) = (found.totals, found.counts) {
        page.item("  ", &format!("Counted: {}.", of(totals, counts.counted)));
    }
    let value = match found.value {
        CurrentValue::Utilization { percent, average_milli } => format!(
            "{percent}% (whole percent, the rest is dropped), a mean of {} a pod",
            words::amount(metric, average_milli)
        ),
        other => words::value(metric, other),
    };
    page.item("  ", &format!("Value: {value}."));
    let side = format!("{} to {}", amount(1.0 - tolerance.down), amount(1.0 + tolerance.up));
    let within = if tolerance.allows(found.ratio) { "within" } else { "outside" };
    let shown = ratio(found.ratio);
    page.item("  ", &format!("Ratio to the target: {shown}; {within} the tolerance, {side} is no change."));
    if let Some(second) = found.second {
        let mut filled = Vec::new();
        if let (Some(words), Some(counts)) = (words::fill(metric, second.missing_as), found.counts) {
            filled.push(format!("{} missing {words}", counts.missing));
        }
        if let (true, Some(counts)) = (second.unready_as_idle, found.counts) {
            filled.push(format!("{} unready taken as idle (0), as this is a scale-up", counts.unready));
        }
        let filled = if filled.is_empty() { "nothing is filled in".to_owned() } else { filled.join("; ") };
        page.item("  ", &format!("Second estimate: {filled}."));
        let within = if tolerance.allows(second.ratio) { "within" } else { "outside" };
        let sums = of(second.totals, second.values);
        page.item(
            "  ",
            &format!("With those: {sums}; ratio {}, {within} the tolerance.", ratio(second.ratio)),
        );
    }
    let count = match (found.rule, found.second) {
        (Rule::RatioTimesPods(pods), _) => format!(" ({} × {pods})", ratio(found.ratio)),
        (Rule::SecondTimesValues(pods), Some(second)) => format!(" ({} × {pods})", ratio(second.ratio)),
        _ => String::new(),
    };
    page.item("  ", &format!("Asks for {}: {}{count}.", found.replicas, words::rule(found.rule, current)));
}

/// A ratio with the digits that tell it from its neighbours.
fn ratio(ratio: f64) -> String {
    let text = format!("{ratio:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Highest proposal, window, policies, bounds.
fn decision(page: &mut Page, case: &HpaCase, explained: &Explained) {
    let (answer, spec) = (&explained.answer, &case.hpa.spec);
    let bounds = format!("minReplicas {} and maxReplicas {}", spec.min_replicas, spec.max_replicas);
    let Because::Metrics { metric, proposal, stabilized, limited } = answer.because else {
        let words = words::because(answer, &spec.metrics);
        let rest =
            if limits(answer).is_empty() { "" } else { ": metrics, windows and policies are not asked" };
        page.item("  ", &format!("Between {bounds}; {words}{rest}."));
        return;
    };
    if spec.metrics.len() > 1 {
        let name = words::name(&spec.metrics[metric]);
        page.item("  Highest:   ", &format!("{name} asks for most, {proposal}; the highest counts."));
    }
    let window = match &spec.behavior {
        None => format!(
            "scale-down waits {} after a higher recommendation",
            case.settings.downscale_stabilization
        ),
        Some(behavior) => {
            let readings = case.readings();
            let (up, down) = case.pass(&readings).windows(behavior);
            format!("{up} up, {down} down")
        }
    };
    let done = match stabilized.stabilization {
        Stabilization::ReadyForNewScale => format!("holds nothing, {proposal} stands"),
        Stabilization::ScaleUpStabilized | Stabilization::ScaleDownStabilized => {
            let held = holding(case, stabilized.replicas)
                .map_or(String::new(), |at| format!(" (recommended at {})", moment(at)));
            format!("{proposal} becomes {}{held}", stabilized.replicas)
        }
    };
    page.item("  Window:    ", &format!("{done}; {window}."));
    let rate = match &spec.behavior {
        None => {
            let cap = (case.settings.scale_up_limit_factor * f64::from(answer.current))
                .max(case.settings.scale_up_limit_minimum);
            format!("without `behavior` one pass goes up to twice the replicas or 4, here {cap}")
        }
        Some(behavior) => policies(case, behavior, stabilized.replicas, answer.current),
    };
    let held = match limited.limit {
        Limit::ScaleUpLimit | Limit::ScaleDownLimit => {
            format!("{} becomes {}; ", stabilized.replicas, limited.replicas)
        }
        _ => String::new(),
    };
    page.item("  Policies:  ", &format!("{held}{rate}."));
    let clamped = match limited.limit {
        Limit::TooFewReplicas | Limit::TooManyReplicas => {
            format!("{} becomes {}; ", stabilized.replicas, limited.replicas)
        }
        _ => String::new(),
    };
    page.item("  Bounds:    ", &format!("{clamped}{bounds}."));
    page.item("  Answer:    ", &format!("{}.", plural(u64::from(answer.replicas), "replica", "replicas")));
}

/// What the policies of the direction allow now.
fn policies(case: &HpaCase, behavior: &Behavior, wanted: u32, current: u32) -> String {
    let events = &case.memory.events;
    let (word, rules, allowed) = match wanted.cmp(&current) {
        std::cmp::Ordering::Equal => return "no change, so none is asked".to_owned(),
        std::cmp::Ordering::Greater => {
            ("up to", &behavior.scale_up, scale_up_limit(current, events, &behavior.scale_up, case.now))
        }
        std::cmp::Ordering::Less => {
            let allowed = scale_down_limit(current, events, &behavior.scale_down, case.now);
            ("down to", &behavior.scale_down, allowed.max(0))
        }
    };
    format!("{} allow {word} {allowed} now", policy_words(rules))
}

fn policy_words(rules: &ScalingRules) -> String {
    let each = rules.policies.iter().map(|policy| match policy.kind {
        PolicyKind::Pods => {
            format!("{} in {}", plural(policy.value.unsigned_abs().into(), "pod", "pods"), policy.period)
        }
        PolicyKind::Percent => format!("{}% in {}", policy.value, policy.period),
    });
    let list = each.collect::<Vec<_>>().join(" or ");
    match rules.select_policy {
        SelectPolicy::Disabled => "this direction is disabled, and the policies".to_owned(),
        SelectPolicy::Max => list,
        SelectPolicy::Min => format!("{list}, whichever is less,"),
    }
}

/// Values, and moments, from which on the answer is another.
fn changes(page: &mut Page, case: &HpaCase, explained: &Explained) {
    let (current, spec) = (explained.answer.current, &case.hpa.spec);
    let before = page.lines.len();
    for (metric, one) in spec.metrics.iter().zip(&explained.metrics) {
        let now = one.found.as_ref().ok().map(|found| shown(metric, found.value));
        let now = now.map_or(String::new(), |now| format!("; now {now}"));
        let name = words::name(metric);
        let at = |turn: Turn| shown(metric, turn.value);
        if let Some(up) = one.turns.up.filter(|_| current < spec.max_replicas) {
            page.item("  - ", &format!("{name} asks for more than {current} from {} on{now}.", at(up)));
        }
        if let Some(down) = one.turns.down.filter(|_| current > spec.min_replicas) {
            page.item("  - ", &format!("{name} asks for fewer than {current} at {} or less{now}.", at(down)));
        }
    }
    if let Some((time, replicas)) = explained.next {
        let wait = crate::units::figures::duration(time.since_or_zero(case.now));
        let replicas = plural(u64::from(replicas), "replica", "replicas");
        let at = moment(time);
        page.item(
            "  - ",
            &format!("If metrics and pods stay as they are: {replicas} after {at} (in {wait})."),
        );
    }
    if page.lines.len() == before {
        page.item("  - ", "Nothing that was given: it is at its bounds, or no metric gives a count.");
    }
}

/// A metric's value as a threshold: percent with the amount behind it.
fn shown(metric: &MetricSpec, value: CurrentValue) -> String {
    match value {
        CurrentValue::Utilization { percent, average_milli } => {
            format!("a mean of {percent}% ({} a pod)", words::amount(metric, average_milli))
        }
        CurrentValue::Average(_) | CurrentValue::Whole(_) => words::value(metric, value),
    }
}
