//! Circuit breakers of one caller towards one workload: after too many failures calls
//! fail at once, until a few have shown that it is well again.
//!
//! The rule is resilience4j's with a window that counts calls (`CircuitBreakerStateMachine`
//! and `CircuitBreakerMetrics`): closed, the breaker opens as soon as the window holds
//! enough calls and the share of failures is at the threshold; open, it refuses all calls
//! for a while; half open, it lets a few through and closes or opens by their share of
//! failures. Beside it stands Envoy's limit of calls at a time (`max_requests`).

use crate::scenario::Breaker;
use crate::units::SimTime;
use crate::world::ids::PodId;

/// All breakers.
#[derive(Clone, Debug, Default)]
pub struct Breakers {
    /// By a pod's place in its arena.
    pub owners: Vec<Owned>,
    /// By a frame's place in its arena: the breaker that it has passed.
    pub passed: Vec<Option<Passed>>,
}

/// The breakers of one run of a pod's container.
#[derive(Clone, Debug, Default)]
pub struct Owned {
    /// Which tenant of the place they belong to.
    pub generation: u32,
    /// Which run of its container.
    pub run: u32,
    /// In the order of its workload's upstreams that have one.
    pub all: Vec<Circuit>,
}

/// A breaker by its pod, the run of its container, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Whose it is.
    pub pod: PodId,
    /// Of which run.
    pub run: u32,
    /// Its number there.
    pub number: u16,
}

/// One breaker.
#[derive(Clone, Debug, PartialEq)]
pub struct Circuit {
    state: State,
    /// The latest calls, a ring: whether each failed.
    window: Vec<bool>,
    /// Where the next call's place in it is.
    next: usize,
    /// Failures in it.
    failures: u32,
    /// Calls that have passed and aren't over.
    active: u32,
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Calls pass.
    Closed,
    /// None does before then.
    Open(SimTime),
    /// So many more may pass; so many have ended, of which so many failed.
    HalfOpen { left: u32, ended: u32, failed: u32 },
}

/// What a breaker says to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Pass,
    /// It is open.
    Open,
    /// Too many calls are under way.
    Full,
}

impl Circuit {
    /// A closed breaker that has seen nothing.
    pub fn new(rule: &Breaker) -> Self {
        let window = rule.ratio.map_or(0, |ratio| ratio.window);
        Self {
            state: State::Closed,
            window: Vec::with_capacity(window as usize),
            next: 0,
            failures: 0,
            active: 0,
        }
    }

    /// Whether a call may pass now; it counts as under way if so.
    pub fn asks(&mut self, rule: &Breaker, now: SimTime) -> Answer {
        if self.active >= rule.max_requests.unwrap_or(u32::MAX) {
            return Answer::Full;
        }
        if let (State::Open(until), Some(ratio)) = (self.state, &rule.ratio) {
            if now < until {
                return Answer::Open;
            }
            self.state = State::HalfOpen { left: ratio.half_open, ended: 0, failed: 0 };
        }
        if let State::HalfOpen { left, .. } = &mut self.state {
            if *left == 0 {
                return Answer::Open;
            }
            *left -= 1;
        }
        self.active += 1;
        Answer::Pass
    }

    /// A call that had passed is over. What comes back while the breaker is open changes
    /// nothing.
    pub fn ended(&mut self, rule: &Breaker, failed: bool, now: SimTime) {
        self.active = self.active.saturating_sub(1);
        let Some(ratio) = &rule.ratio else { return };
        let is_reached = |failures: u32, of: u32| {
            u64::from(failures) * 1_000_000 >= u64::from(ratio.threshold) * u64::from(of)
        };
        match &mut self.state {
            State::Open(_) => {}
            State::Closed => {
                self.record(ratio.window as usize, failed);
                let calls = self.window.len() as u32;
                if calls >= ratio.least && is_reached(self.failures, calls) {
                    self.state = State::Open(now + ratio.wait);
                }
            }
            State::HalfOpen { ended, failed: failures, .. } => {
                *ended += 1;
                *failures += u32::from(failed);
                if *ended < ratio.half_open {
                    return;
                }
                let reached = is_reached(*failures, *ended);
                self.state = if reached { State::Open(now + ratio.wait) } else { State::Closed };
                self.window.clear();
                (self.next, self.failures) = (0, 0);
            }
        }
    }

    /// A call that had passed wasn't made after all: half open, another may be.
    pub fn dropped(&mut self) {
        self.active = self.active.saturating_sub(1);
        if let State::HalfOpen { left, .. } = &mut self.state {
            *left += 1;
        }
    }

    fn record(&mut self, window: usize, failed: bool) {
        self.failures += u32::from(failed);
        if self.window.len() < window {
            self.window.push(failed);
            return;
        }
        let before = std::mem::replace(&mut self.window[self.next], failed);
        self.failures -= u32::from(before);
        self.next = (self.next + 1) % window;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::FailureRatio;
    use crate::units::SimDuration;

    const RULE: Breaker = Breaker {
        max_requests: None,
        ratio: Some(FailureRatio {
            threshold: 500_000,
            window: 10,
            least: 4,
            wait: SimDuration::from_secs(60),
            half_open: 3,
        }),
    };

    /// One call after the other: `.` for good, `x` for bad; what the breaker said to each.
    fn told(circuit: &mut Circuit, rule: &Breaker, calls: &str, now: SimTime) -> String {
        let one = |call: char| match circuit.asks(rule, now) {
            Answer::Pass => {
                circuit.ended(rule, call == 'x', now);
                'p'
            }
            Answer::Open => 'o',
            Answer::Full => 'f',
        };
        calls.chars().map(one).collect()
    }

    #[test]
    fn it_opens_at_the_threshold_and_tries_again_after_its_wait() {
        let mut one = Circuit::new(&RULE);
        let at = SimTime::from_secs;
        // Three failures of three are too few to tell; the fourth call makes it 3 of 4.
        assert_eq!(told(&mut one, &RULE, "xxx.x", at(1)), "ppppo");
        assert_eq!(told(&mut one, &RULE, "..", at(60)), "oo", "opened at 1 s, for 60 s");
        // Half open: 2 of 3 fail, so it opens anew; then 1 of 3, so it closes.
        assert_eq!(told(&mut one, &RULE, "x.x.", at(61)), "pppo");
        assert_eq!(told(&mut one, &RULE, ".", at(120)), "o");
        assert_eq!(told(&mut one, &RULE, ".x.", at(121)), "ppp");
        // The window is empty again: 2 of 5 are below one half, 5 of 10 aren't.
        assert_eq!(told(&mut one, &RULE, "..x.x", at(122)), "ppppp");
        assert_eq!(told(&mut one, &RULE, ".x.x.x.", at(122)), "ppppppo");
        assert_eq!(one.failures, 5, "of the last ten, the first two having left the window");
        assert_eq!(told(&mut one, &RULE, ".", at(123)), "o");
    }

    #[test]
    fn half_open_lets_so_many_pass_at_once() {
        let mut one = Circuit::new(&RULE);
        told(&mut one, &RULE, "xxxx", SimTime::ZERO);
        let now = SimTime::from_secs(60);
        let asked: Vec<Answer> = (0..4).map(|_| one.asks(&RULE, now)).collect();
        assert_eq!(asked, [Answer::Pass, Answer::Pass, Answer::Pass, Answer::Open]);
        // None of them has come back, so it stays half open.
        assert_eq!(one.asks(&RULE, SimTime::from_secs(200)), Answer::Open);
        (0..3).for_each(|_| one.ended(&RULE, false, now));
        assert_eq!(one.asks(&RULE, now), Answer::Pass);
    }

    #[test]
    fn a_limit_of_calls_holds_whatever_the_breaker_says() {
        let rule = Breaker { max_requests: Some(2), ratio: None };
        let mut one = Circuit::new(&rule);
        let asked: Vec<Answer> = (0..3).map(|_| one.asks(&rule, SimTime::ZERO)).collect();
        assert_eq!(asked, [Answer::Pass, Answer::Pass, Answer::Full]);
        one.ended(&rule, true, SimTime::ZERO);
        assert_eq!(one.asks(&rule, SimTime::ZERO), Answer::Pass);
    }
}
