//! The agenda: hand one event out and put one in, with so many pending.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use kubeplan::sim::agenda::{Agenda, Engine};
use kubeplan::sim::random::{Distribution, Sampler, Seed};

fn hold(c: &mut Criterion) {
    let mut group = c.benchmark_group("agenda/hold");
    let delays = Sampler::new(&Distribution::Exponential { mean: 1.0 });
    for (engine, name) in [(Engine::Wheel, "wheel"), (Engine::Reference, "heap")] {
        for pending in [100_u32, 10_000, 100_000] {
            let mut stream = Seed { base: 1, replication: 0 }.stream("hold");
            let mut agenda = Agenda::new(engine, &[]);
            for event in 0..pending {
                agenda.after_active(delays.at(stream.bits()), event);
            }
            group.bench_function(BenchmarkId::new(name, pending), |b| {
                b.iter(|| {
                    let (_, event) =
                        agenda.hand_out(|_| true, |_| {}).expect("as many are put in as are taken out");
                    agenda.after_active(delays.at(stream.bits()), event);
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, hold);
criterion_main!(benches);
