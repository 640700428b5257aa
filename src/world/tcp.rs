//! What TCP makes of lost packets: late ones.
//!
//! A lost packet is sent again when its retransmission timer runs out, and the timer
//! doubles each time (RFC 6298, section 5.5). Linux begins with 1 s while a
//! connection is set up (`TCP_TIMEOUT_INIT`, six further SYNs by default) and with
//! 200 ms above the round trip afterwards (`TCP_RTO_MIN`, fifteen further attempts
//! by default), up to 120 s (`TCP_RTO_MAX`; all in `include/net/tcp.h`). So moderate
//! loss is latency first, and failure only where a caller gives up before.

use crate::sim::random::{draw, unit};
use crate::units::SimDuration;

/// The first timer while a connection is set up.
const SET_UP: SimDuration = SimDuration::from_secs(1);
/// The first timer of data, above the round trip.
const DATA: SimDuration = SimDuration::from_millis(200);
/// No timer is longer.
const LONGEST: SimDuration = SimDuration::from_secs(120);
/// So many further SYNs are sent: `tcp_syn_retries`.
const SYN_RETRIES: u32 = 6;
/// Data is sent again so often: `tcp_retries2`.
const DATA_RETRIES: u32 = 15;

/// How long a call waits for packets that are sent again, where each is lost with the
/// chance `loss`, independently; `None` where TCP gives up.
///
/// At risk are one packet of data and, where a connection is `set_up` first, one of
/// the set-up. The answer goes the other way, which a fault of one direction leaves
/// alone. `late` is what the fault adds to the round trip; `key` decides.
pub fn resent(loss: f64, set_up: bool, late: SimDuration, key: u64) -> Option<SimDuration> {
    if loss <= 0.0 {
        return Some(SimDuration::ZERO);
    }
    let connecting = if set_up { losses(loss, draw(key, 0), SYN_RETRIES)? } else { 0 };
    let sending = losses(loss, draw(key, 1), DATA_RETRIES)?;
    Some(waited(SET_UP, connecting) + waited(DATA + late, sending))
}

/// How often in a row a packet is lost; `None` where that is more than `retries`.
fn losses(loss: f64, bits: u64, retries: u32) -> Option<u32> {
    // Lost at least k times with the chance loss^k.
    let (even, mut chance) = (unit(bits), loss);
    for lost in 0..=retries {
        if even >= chance {
            return Some(lost);
        }
        chance *= loss;
    }
    None
}

/// The sum of so many timers, each twice the one before.
fn waited(first: SimDuration, timers: u32) -> SimDuration {
    let (mut sum, mut timer) = (SimDuration::ZERO, first);
    for _ in 0..timers {
        sum += timer;
        timer = (timer * 2).min(LONGEST);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_double_up_to_two_minutes() {
        for (first, timers, milliseconds) in [
            (DATA, 0, 0),
            (DATA, 1, 200),
            (DATA, 4, 200 + 400 + 800 + 1_600),
            (SET_UP, 3, 7_000),
            // The last SYN is sent after 63 s; Linux gives up 64 s later.
            (SET_UP, SYN_RETRIES, 63_000),
            // 0.2 s doubled up to 102.4 s, then 120 s each: man 7 tcp has 924.6 s with the last wait.
            (DATA, DATA_RETRIES, 804_600),
        ] {
            assert_eq!(waited(first, timers), SimDuration::from_millis(milliseconds), "{timers} timers");
        }
    }

    #[test]
    fn losses_in_a_row_are_as_likely_as_their_product() {
        const CALLS: u64 = 200_000;
        let mut seen = [0_u32; 5];
        for key in 0..CALLS {
            let wait = resent(0.2, false, SimDuration::ZERO, draw(7, key)).expect("0.2^16 is never");
            let lost = [0, 200, 600, 1_400].iter().position(|ms| wait == SimDuration::from_millis(*ms));
            seen[lost.unwrap_or(4)] += 1;
        }
        for (lost, share) in [0.8, 0.16, 0.032, 0.0064, 0.0016].into_iter().enumerate() {
            let (mean, found) = (share * CALLS as f64, f64::from(seen[lost]));
            assert!((found - mean).abs() < 5.0 * mean.sqrt(), "{lost}: {found} for {mean}");
        }
    }

    #[test]
    fn a_cut_line_carries_nothing_and_a_whole_one_everything_at_once() {
        for key in 0..1_000 {
            assert_eq!(resent(1.0, false, SimDuration::ZERO, key), None);
            assert_eq!(resent(0.0, true, SimDuration::from_secs(1), key), Some(SimDuration::ZERO));
        }
        // A connection is set up with the slower timer: both packets at risk.
        let mean = |set_up| {
            let all = (0..20_000).filter_map(|key| resent(0.1, set_up, SimDuration::ZERO, draw(3, key)));
            all.map(SimDuration::as_secs_f64).sum::<f64>() / 20_000.0
        };
        // The sum of p^k times the k-th timer: p·first / (1 - 2p).
        assert!((mean(false) - 0.025).abs() < 0.003, "{}", mean(false));
        assert!((mean(true) - 0.15).abs() < 0.015, "{}", mean(true));
    }
}
