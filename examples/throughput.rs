//! tmp
fn main() {
    let users: f64 = std::env::args().nth(1).and_then(|u| u.parse().ok()).unwrap_or(1000.0);
    let req = kubeplan::input::Request { users: Some(users), manifests: std::env::args().skip(2).map(Into::into).collect(), ..Default::default() };
    let loaded = match kubeplan::input::load(&req) { Ok(l) => l, Err(f) => { eprintln!("{}", f.render(false)); std::process::exit(2) } };
    for w in &loaded.warnings { eprintln!("{}", w.render(&loaded.sources, false)); }
    let s = &loaded.scenario;
    println!("{} workloads, horizon {}, warm-up {}, journeys {:?}", s.workloads.len(), s.horizon, s.warm_up, s.demand.journeys.iter().map(|j| (&j.name, j.weight)).collect::<Vec<_>>());
    let t = std::time::Instant::now();
    let seen = kubeplan::world::simulate(s, kubeplan::sim::random::Seed { base: 1, replication: 0 });
    let d = t.elapsed().as_secs_f64();
    let n = seen.balance.arrived as f64;
    println!("{n} requests, {} events ({:.1}/req), {d:.2} s, {:.0} ns/request, failed {}, p99 {:?}, stopped {:?}", seen.events, seen.events as f64 / n, d / n * 1e9, seen.balance.failed, seen.journeys[0].latency.quantile(0.99), seen.stopped);
    for (w, spec) in seen.workloads.iter().zip(&s.workloads) {
        println!("{:20} ready {:.1}/{:.1}/{:.1} desired max {} cpu {:.2}/{:.2} calls {} failed {:?} p95 {:?} wait95 {:?} thr {}/{} restarts {} oom {} atmax {} pend {:.0} {:?}", spec.name, w.ready.min(), w.ready.mean(), w.ready.max(), w.desired.max(), w.cpu_cores.mean(), w.cpu_cores.max(), w.traffic.arrived, w.traffic.failures, w.traffic.latency.quantile(0.95), w.wait.quantile(0.95), w.throttled_periods, w.periods, w.restarts, w.oom_kills, w.held_at_max, w.pending_seconds, w.pending_because);
    }
    for (i,j) in seen.journeys.iter().enumerate() { println!("{} arrived {} avail {:.5} failures {:?} p50 {:?} p99 {:?}", s.demand.journeys[i].name, j.arrived, j.availability(), j.failures, j.latency.quantile(0.5), j.latency.quantile(0.99)); }
    println!("nodes {}..{} users {}..{} cost {}", seen.cluster.nodes.min(), seen.cluster.nodes.max(), seen.cluster.users.min(), seen.cluster.users.max(), seen.cluster.cost);
    for d in seen.decisions.iter().take(20) { println!("{} {} {}->{} {}", d.time, s.workloads[d.workload].name, d.from, d.to, d.because); }
    for m in seen.moments.iter().take(20) { println!("{} {}", m.time, m.text); }
}
