//! `traffic.yaml` and `policy.yaml`: who asks, and what must hold.

use super::flow::text;
use super::{Ask, Known};
use crate::input::priors;

/// The traffic: an hour around a day's peak, every entry alike.
pub(super) fn traffic(known: &Known<'_>, ask: Ask<'_>) -> String {
    let users = ask.users;
    let mut out = format!(
        "# Who asks, how often, for what. All of it is assumed: an hour around a day's peak, a request in 34 s and\n\
         # user, every entry alike. `--users N` scales it. All keys: traffic/README.md.\n\
         apiVersion: plan/v1alpha1\n\
         kind: Traffic\n\
         name: {name}\n\
         # One way between a user and the cluster. Measure: half of `ping`, or your real-user monitoring.\n\
         clientLatency: {{low: 5ms, mid: 20ms, high: 80ms, basis: assumed, source: \"same continent\"}}\n\
         warmUp: 15m\n\
         duration: 1h\n\
         \n\
         # Users at a time. Measure: sessions in your analytics around the peak; or the rate of requests, as\n\
         # `ramping-arrival-rate`, or a recorded `trace` of t_seconds,requests_per_second from your access log.\n\
         load:\n  \
         ramping-vus:\n    \
         startVUs: {start}\n    \
         stages:\n    \
         - {{duration: 25m, target: {users}}}\n    \
         - {{duration: 20m, target: {users}}}\n    \
         - {{duration: 15m, target: {end}}}\n\
         \n",
        name = text(ask.name),
        start = users * 0.6,
        end = users * 0.85,
    );
    if !known.sure {
        out += "# Nothing in the manifests says that users ask these: is there an application at all?\n";
    }
    out += "# What a user does. Measure: the paths of your access log by session, and the pauses between them.\njourneys:\n";
    for (call, part) in calls(known) {
        let weight = if part < 1.0 { format!("    weight: {part}\n") } else { String::new() };
        out += &format!(
            "  {name}:\n{weight}    visits:\n    - {{call: {call}, think: {{exponential: {{mean: 34s}}}}, timeout: 10s}}\n",
            name = text(&call),
            call = text(&call),
        );
    }
    out
}

/// The operations that users ask, each with its part of their Service's users.
fn calls(known: &Known<'_>) -> Vec<(String, f64)> {
    let entries = known.entries.iter();
    let call =
        |index: &usize| Some((known.first_operation(*index)?, priors::part_of_users(known.set, *index)));
    entries.filter_map(call).collect()
}

/// The policy: what nobody can guess is there as an example.
pub(super) fn policy(known: &Known<'_>, ask: Ask<'_>) -> String {
    let journey = calls(known).into_iter().next().map(|(call, _)| call).unwrap_or_default();
    format!(
        "# What must hold. These are decisions, not measurements: take them from your SLOs, or make them here.\n\
         # All indicators: models/README.md.\n\
         apiVersion: plan/v1alpha1\n\
         kind: Policy\n\
         name: {name}\n\
         confidence: 95%\n\
         currency: USD\n\
         \n\
         objectives:\n\
         - {{name: availability, indicator: availability, atLeast: 99.9%}}\n\
         # How fast is fast enough? Your users' patience decides, not today's figures.\n\
         # - {{name: p95, indicator: latency, quantile: p95, scope: {{journey: {journey}}}, atMost: 300ms}}\n\
         # How many users must it carry?\n\
         # - {{name: users carried, indicator: carriedUsers, atLeast: {users}}}\n\
         # What may it cost?\n\
         # - {{name: cost, indicator: costPerMonth, atMost: 500}}\n\
         # How soon must users be served again after each failure (`plan drill`)?\n\
         # - {{name: recovery, indicator: usersRecovered, scope: {{drill: \"*\"}}, atMost: 30s}}\n\
         # - {{name: rollout loses nothing, indicator: failedRequests, scope: {{drill: rollout}}, atMost: 0}}\n",
        name = text(ask.name),
        journey = text(&journey),
        users = ask.users,
    )
}
