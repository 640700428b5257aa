//! Balancers: which of a workload's endpoints gets the next call.
//!
//! - *Random* keeps no state: kube-proxy with iptables or nftables, per connection.
//! - *Round robin* goes through the endpoints in turn from a random one on: gRPC's and
//!   Envoy's `round_robin`, kube-proxy with IPVS, ingress-nginx.
//! - *Least request* takes the one with fewer calls of its own of two that are drawn
//!   with replacement, as Envoy's `LEAST_REQUEST` does.
//! - *Peak EWMA* takes the one of two different ones whose latency times calls is
//!   smaller, as linkerd and finagle do: the latency is an average that forgets by
//!   e^(-t/10 s), jumps to each value above it, and falls while nothing is heard.
//!   A new endpoint counts as one of 30 ms.
//! - *EWMA* is the same without peaks and without calls in progress: ingress-nginx'
//!   `ewma`, where a new endpoint counts as the average of the others.
//!
//! A pod that fails too often in a row may be left out for a while, by Envoy's rule
//! (`source/common/upstream/outlier_detection_impl.cc`). If all of them are, all count.

use crate::scenario::{Balancing, Outlier};
use crate::sim::random::{below, draw};
use crate::units::{SimDuration, SimTime};
use crate::world::frames::NO_POD;
use crate::world::ids::PodId;

/// How fast latencies are forgotten, in seconds: linkerd's decay, and ingress-nginx'
/// `DECAY_TIME`.
const DECAY: f64 = 10.0;
/// What is taken for the latency of an endpoint that hasn't answered yet, in seconds:
/// linkerd's default.
const FIRST: f64 = 0.03;
/// What a balancer draws the second of two endpoints for.
const SECOND: u64 = 2;

/// All balancers that keep something.
#[derive(Clone, Debug, Default)]
pub struct Balancers {
    /// By a pod's place in its arena: those that choose for its calls.
    pub owners: Vec<Owned>,
    /// By workload: that of the ingress in front of it.
    pub ingress: Vec<Balancer>,
    /// By a frame's place in its arena: which endpoint it counts at.
    pub turns: Vec<Option<Turn>>,
}

/// The balancers of one pod: of its process, or of a proxy beside it.
#[derive(Clone, Debug, Default)]
pub struct Owned {
    /// Which tenant of the place they belong to.
    pub generation: u32,
    /// In the order of its workload's upstreams that are balanced.
    pub all: Vec<Balancer>,
}

/// Whose balancer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// That of the ingress in front of a workload.
    Ingress(u32),
    /// A pod's, by its number there.
    Pod(PodId, u16),
}

/// A call that counts at an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who sent it there.
    pub whose: Whose,
    /// How that one chooses.
    pub by: Balancing,
    /// The endpoint's place when the balancer knew `version`.
    pub at: u32,
    /// Which endpoints the balancer knew.
    pub version: u32,
    /// The endpoint.
    pub pod: PodId,
    /// When it was sent there.
    pub since: SimTime,
}

/// Chooses for one caller among the endpoints of one workload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Balancer {
    /// Which endpoints it knows, by the proxy's count of changes; 0 for none.
    pub version: u32,
    /// Whose turn it is.
    next: u32,
    /// The endpoints, in the proxy's order.
    hosts: Vec<Host>,
    /// Places of those that aren't left out.
    live: Vec<u32>,
    /// When the next of the others comes back; `None` where none is left out.
    back: Option<SimTime>,
}

/// An endpoint as one caller knows it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Host {
    pod: PodId,
    /// Calls that it has been sent and that nobody has given up.
    active: u32,
    /// Average latency in seconds …
    cost: f64,
    /// … as of then.
    heard: SimTime,
    /// Failures since the last answer.
    errors: u32,
    /// How often it has been left out, less the intervals that it has been in since.
    times: u32,
    /// It is left out until then, or was.
    until: SimTime,
}

impl Host {
    fn new(pod: PodId, cost: f64, heard: SimTime) -> Self {
        Self { pod, active: 0, cost, heard, errors: 0, times: 0, until: SimTime::ZERO }
    }
}

impl Balancer {
    /// Takes over the endpoints as they are now. What is known of those that stay is
    /// kept.
    pub fn update(&mut self, version: u32, endpoints: &[PodId], (now, bits): (SimTime, u64)) {
        let known = std::mem::take(&mut self.hosts);
        let first = if known.is_empty() {
            FIRST
        } else {
            known.iter().map(|host| host.cost).sum::<f64>() / known.len() as f64
        };
        // Endpoints mostly stay in their order, so each is looked for after the one before.
        let mut after = 0;
        self.hosts.extend(endpoints.iter().map(|&pod| {
            let (before, rest) = known.split_at(after);
            let place = rest.iter().position(|host| host.pod == pod).map(|place| after + place);
            let place = place.or_else(|| before.iter().position(|host| host.pod == pod));
            after = place.map_or(after, |place| place + 1);
            place.map_or(Host::new(pod, first, now), |place| known[place])
        }));
        if self.version == 0 {
            self.next = below(bits, self.hosts.len().max(1) as u64) as u32;
        }
        self.version = version;
        self.look(now);
    }

    /// Who is left out now.
    fn look(&mut self, now: SimTime) {
        self.live.clear();
        self.live.extend((0..self.hosts.len() as u32).filter(|at| self.hosts[*at as usize].until <= now));
        let out = self.hosts.iter().map(|host| host.until).filter(|until| *until > now);
        self.back = out.min();
        if self.live.is_empty() {
            self.live.extend(0..self.hosts.len() as u32);
        }
    }

    /// Chooses an endpoint; `None` where there is none. `bits` are random.
    ///
    /// `refused` has just refused the same request; ingress-nginx' `ewma` leaves it out.
    pub fn choose(&mut self, by: Balancing, bits: u64, now: SimTime, refused: PodId) -> Option<(u32, PodId)> {
        if self.back.is_some_and(|back| back <= now) {
            self.look(now);
        }
        if self.live.is_empty() {
            return None;
        }
        let not = if by == Balancing::Ewma { self.live_place(refused) } else { usize::MAX };
        let count = (self.live.len() - usize::from(not != usize::MAX)) as u64;
        let place = below(bits, count);
        let live = |place: u64| self.live[place as usize + usize::from(place as usize >= not)];
        let first = live(place);
        let at = match by {
            Balancing::RoundRobin => {
                let turn = u64::from(self.next) % count;
                let at = live(turn);
                self.next = turn as u32 + 1;
                at
            }
            Balancing::LeastRequest => {
                let second = live(below(draw(bits, SECOND), count));
                if self.active(second) < self.active(first) { second } else { first }
            }
            Balancing::PeakEwma | Balancing::Ewma if count > 1 => {
                let skip = below(draw(bits, SECOND), count - 1);
                let second = live(if skip < place { skip } else { skip + 1 });
                if self.load(second, by, now) < self.load(first, by, now) { second } else { first }
            }
            Balancing::Random | Balancing::PeakEwma | Balancing::Ewma => first,
        };
        self.hosts[at as usize].active += 1;
        Some((at, self.hosts[at as usize].pod))
    }

    /// A call to an endpoint is over for its caller, after so long. `at` is where the
    /// endpoint stood when the balancer knew `version`.
    pub fn ended(
        &mut self,
        (at, version, pod): (u32, u32, PodId),
        took: SimDuration,
        now: SimTime,
        by: Balancing,
    ) {
        let place = self.place(at, version, pod);
        let Some(host) = place.and_then(|at| self.hosts.get_mut(at)) else { return };
        host.active = host.active.saturating_sub(1);
        let took = took.as_secs_f64();
        match by {
            Balancing::PeakEwma if took > host.cost => (host.cost, host.heard) = (took, now),
            Balancing::PeakEwma | Balancing::Ewma => {
                host.cost = host.decayed(now) + took * (1.0 - host.kept(now));
                host.heard = now;
            }
            Balancing::Random | Balancing::RoundRobin | Balancing::LeastRequest => {}
        }
    }

    /// Where an endpoint stands that stood at `at` when the balancer knew `version`.
    fn place(&self, at: u32, version: u32, pod: PodId) -> Option<usize> {
        if version == self.version {
            return Some(at as usize);
        }
        self.hosts.iter().position(|host| host.pod == pod)
    }

    /// An endpoint has answered or failed: it may be left out for that.
    pub fn judge(
        &mut self,
        (at, version, pod): (u32, u32, PodId),
        rule: &Outlier,
        failed: bool,
        now: SimTime,
    ) {
        let Some(at) = self.place(at, version, pod) else { return };
        let out = self.hosts.iter().filter(|host| host.until > now).count() as u64;
        let may = (out + 1) * 1_000_000 <= u64::from(rule.most) * self.hosts.len() as u64;
        let Some(host) = self.hosts.get_mut(at) else { return };
        host.errors = if failed { host.errors + 1 } else { 0 };
        if host.errors < rule.errors || host.until > now {
            return;
        }
        // Envoy counts anew, whether it leaves the host out or not.
        host.errors = 0;
        if may {
            host.leave(rule, now);
            self.look(now);
        }
    }

    /// Where an endpoint stands among those that count, if it isn't the only one.
    fn live_place(&self, pod: PodId) -> usize {
        let mut live = self.live.iter().filter(|_| self.live.len() > 1 && pod != NO_POD);
        live.position(|&at| self.hosts[at as usize].pod == pod).unwrap_or(usize::MAX)
    }

    fn active(&self, at: u32) -> u32 {
        self.hosts[at as usize].active
    }

    fn load(&self, at: u32, by: Balancing, now: SimTime) -> f64 {
        let host = &self.hosts[at as usize];
        let calls = if by == Balancing::PeakEwma { f64::from(host.active) + 1.0 } else { 1.0 };
        host.decayed(now) * calls
    }
}

impl Host {
    /// How much of what was known counts now.
    fn kept(&self, now: SimTime) -> f64 {
        libm::exp(-now.since_or_zero(self.heard).as_secs_f64() / DECAY)
    }

    /// It is left out: each time for longer, and for less after it has been in for a
    /// while. It comes back when the hosts are looked at.
    fn leave(&mut self, rule: &Outlier, now: SimTime) {
        let interval = rule.interval.as_nanos().max(1);
        let well = now.since_or_zero(self.until).as_nanos() / interval;
        self.times = self.times.saturating_sub(u32::try_from(well).unwrap_or(u32::MAX)) + 1;
        let longest = Outlier::LONGEST.max(rule.ejection);
        let lasts = rule.ejection.saturating_mul(u64::from(self.times)).min(longest);
        let back = (now + lasts).as_nanos().div_ceil(interval);
        self.until = SimTime::from_nanos(back.saturating_mul(interval));
    }

    fn decayed(&self, now: SimTime) -> f64 {
        self.cost * self.kept(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(count: u32) -> Vec<PodId> {
        (0..count).map(|index| PodId { index, generation: 0 }).collect()
    }

    fn balancer(count: u32) -> Balancer {
        let mut one = Balancer::default();
        one.update(1, &pods(count), (SimTime::ZERO, 0));
        one
    }

    fn chosen(one: &mut Balancer, by: Balancing, bits: u64, now: SimTime) -> u32 {
        one.choose(by, bits, now, NO_POD).expect("there are endpoints").1.index
    }

    #[test]
    fn turns_go_round_and_on_when_endpoints_change() {
        let mut one = balancer(3);
        let mut turns: Vec<u32> =
            (0..4).map(|_| chosen(&mut one, Balancing::RoundRobin, 9, SimTime::ZERO)).collect();
        one.update(2, &pods(5), (SimTime::ZERO, 7));
        turns.extend((0..4).map(|_| chosen(&mut one, Balancing::RoundRobin, 9, SimTime::ZERO)));
        assert_eq!(turns, [0, 1, 2, 0, 1, 2, 3, 4]);
        one.update(3, &[], (SimTime::ZERO, 7));
        assert_eq!(one.choose(Balancing::RoundRobin, 9, SimTime::ZERO, NO_POD), None);
    }

    #[test]
    fn the_one_with_fewer_calls_of_two_is_taken() {
        let mut one = balancer(2);
        for bits in 0..1_000_u64 {
            let bits = draw(5, bits);
            let (first, second) = (below(bits, 2) as u32, below(draw(bits, SECOND), 2) as u32);
            let least = if one.active(second) < one.active(first) { second } else { first };
            assert_eq!(chosen(&mut one, Balancing::LeastRequest, bits, SimTime::ZERO), least);
        }
        let version = one.version;
        let before = one.active(0);
        let pod = PodId { index: 0, generation: 0 };
        one.ended((0, version, pod), SimDuration::ZERO, SimTime::ZERO, Balancing::LeastRequest);
        assert_eq!(one.active(0), before - 1);
        // One that has come back under another version is found by its name.
        one.update(2, &[PodId { index: 9, generation: 1 }, pod], (SimTime::ZERO, 0));
        one.ended((0, version, pod), SimDuration::ZERO, SimTime::ZERO, Balancing::LeastRequest);
        assert_eq!((one.active(0), one.active(1)), (0, before - 2));
    }

    #[test]
    fn latencies_peak_at_once_and_fade() {
        let (mut one, by) = (balancer(2), Balancing::PeakEwma);
        let slow = PodId { index: 0, generation: 0 };
        let second = SimTime::from_secs(1);
        one.ended((0, 1, slow), SimDuration::from_secs(2), second, by);
        assert!((one.hosts[0].cost - 2.0).abs() < 1e-12, "above what was known: at once");
        // Below: 2 e^(-1) + 1 (1 - e^(-1)) after ten seconds.
        let later = SimTime::from_secs(11);
        one.ended((0, 1, slow), SimDuration::from_secs(1), later, by);
        let fade = libm::exp(-1.0);
        assert!((one.hosts[0].cost - (2.0 * fade + 1.0 - fade)).abs() < 1e-12);
        // The other stands at its first 30 ms, faded since the start, and is taken of the two.
        assert!((one.load(1, by, later) - FIRST * libm::exp(-1.1)).abs() < 1e-12);
        assert!((0..20).all(|bits| chosen(&mut one.clone(), by, draw(1, bits), later) == 1));
        // With enough calls of its own it isn't any more: 0.00999 (n + 1) > 1.3679.
        one.hosts[1].active = 136;
        assert!((0..20).all(|bits| chosen(&mut one.clone(), by, draw(1, bits), later) == 0));
        // Without peaks and calls only the average counts, and a new one has that of all.
        assert!((0..20).all(|bits| chosen(&mut one.clone(), Balancing::Ewma, draw(1, bits), later) == 1));
        // Nor is it taken by a request that it has just refused, as long as there is another.
        let refused = PodId { index: 1, generation: 0 };
        let again = |bits| one.clone().choose(Balancing::Ewma, draw(1, bits), later, refused);
        assert!((0..20).all(|bits| again(bits).expect("there are endpoints").1 == slow));
        assert_eq!(balancer(1).choose(Balancing::Ewma, 9, later, slow).expect("there is one").1, slow);
        let mean = f64::midpoint(one.hosts[0].cost, one.hosts[1].cost);
        one.update(2, &pods(3), (later, 0));
        assert!((one.hosts[2].cost - mean).abs() < 1e-12);
    }

    #[test]
    fn who_fails_in_a_row_is_left_out_for_longer_each_time() {
        let rule = Outlier {
            errors: 3,
            interval: SimDuration::from_secs(10),
            ejection: SimDuration::from_secs(30),
            most: 500_000,
        };
        let at = SimTime::from_secs;
        let mut one = balancer(4);
        let host = |index: u32| (index, 1, PodId { index, generation: 0 });
        let tell = |one: &mut Balancer, index: u32, calls: &str, now: SimTime| {
            calls.chars().for_each(|call| one.judge(host(index), &rule, call == 'x', now));
            one.live.clone()
        };
        assert_eq!(tell(&mut one, 0, "xx.xx", at(1)), [0, 1, 2, 3], "never three in a row");
        assert_eq!(tell(&mut one, 0, "x", at(1)), [1, 2, 3]);
        assert_eq!(one.back, Some(at(40)), "30 s, and the next look");
        assert_eq!(tell(&mut one, 1, "xxx", at(2)), [2, 3]);
        assert_eq!(tell(&mut one, 2, "xxx", at(2)), [2, 3], "no more than half");
        for bits in 0..50 {
            assert!(chosen(&mut one, Balancing::Random, draw(3, bits), at(39)) >= 2);
        }
        chosen(&mut one, Balancing::Random, 1, at(40));
        assert_eq!((one.live.clone(), one.back), (vec![0, 1, 2, 3], None), "both are back at 40 s");
        // The second time twice as long; after two intervals without it is the first again.
        assert_eq!(tell(&mut one, 0, "xxx", at(41)), [1, 2, 3]);
        assert_eq!(one.hosts[0].until, at(110));
        chosen(&mut one, Balancing::Random, 1, at(110));
        assert_eq!(tell(&mut one, 0, "xxx", at(131)), [1, 2, 3]);
        assert_eq!(one.hosts[0].until, at(170), "30 s and the next look");
        // If all are left out, all count.
        one.hosts.iter_mut().for_each(|host| host.until = at(500));
        one.look(at(200));
        assert_eq!(one.live, [0, 1, 2, 3]);
    }
}
