//! The distributions of demands, waits, think times and start-up times.

/// A distribution of non-negative numbers (seconds, mostly).
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Constant(f64),
    /// Evenly between two numbers.
    Uniform {
        /// The smallest.
        low: f64,
        /// The largest.
        high: f64,
    },
    /// Memoryless.
    Exponential {
        /// The mean.
        mean: f64,
    },
    /// Gamma; Erlang-k where cv = 1/√k.
    Gamma {
        /// The mean.
        mean: f64,
        /// Standard deviation ÷ mean.
        cv: f64,
    },
    /// Log-normal: the usual shape of service times.
    LogNormal {
        /// The mean.
        mean: f64,
        /// Standard deviation ÷ mean.
        cv: f64,
    },
    /// Weibull.
    Weibull {
        /// The mean.
        mean: f64,
        /// The shape k: below 1 heavier than exponential, above 1 lighter.
        shape: f64,
    },
    /// Pareto: P(X > x) = (low ÷ x)^alpha. The mean is infinite for alpha <= 1,
    /// so input asks for more.
    Pareto {
        /// The smallest value.
        low: f64,
        /// The tail's exponent.
        alpha: f64,
    },
    /// Two exponentials with balanced means; cv above 1.
    HyperExponential {
        /// The mean.
        mean: f64,
        /// Standard deviation ÷ mean.
        cv: f64,
    },
    /// Straight lines between quantiles `(probability, value)`, in order, from
    /// probability 0 to 1.
    Empirical(Vec<(f64, f64)>),
}

impl Distribution {
    /// The mean.
    pub fn mean(&self) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Uniform { low, high } => (low + high) / 2.0,
            Self::Exponential { mean }
            | Self::Gamma { mean, .. }
            | Self::LogNormal { mean, .. }
            | Self::Weibull { mean, .. }
            | Self::HyperExponential { mean, .. } => *mean,
            Self::Pareto { low, alpha } => low * alpha / (alpha - 1.0),
            Self::Empirical(points) => {
                points.windows(2).map(|pair| (pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1) / 2.0).sum()
            }
        }
    }

    /// The same shape, every value times `factor`.
    pub fn scaled(&self, factor: f64) -> Self {
        match self.clone() {
            Self::Constant(value) => Self::Constant(value * factor),
            Self::Uniform { low, high } => Self::Uniform { low: low * factor, high: high * factor },
            Self::Exponential { mean } => Self::Exponential { mean: mean * factor },
            Self::Gamma { mean, cv } => Self::Gamma { mean: mean * factor, cv },
            Self::LogNormal { mean, cv } => Self::LogNormal { mean: mean * factor, cv },
            Self::Weibull { mean, shape } => Self::Weibull { mean: mean * factor, shape },
            Self::Pareto { low, alpha } => Self::Pareto { low: low * factor, alpha },
            Self::HyperExponential { mean, cv } => Self::HyperExponential { mean: mean * factor, cv },
            Self::Empirical(points) => {
                Self::Empirical(points.into_iter().map(|(share, value)| (share, value * factor)).collect())
            }
        }
    }

    /// The value that is exceeded with probability `tail`, for `tail` in (0, 1].
    pub fn exceeded_with(&self, tail: f64) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Uniform { low, high } => high - (high - low) * tail,
            Self::Exponential { mean } => -mean * libm::log(tail),
            Self::Gamma { mean, cv } => {
                let shape = 1.0 / (cv * cv);
                solve(tail, |x| 1.0 - gamma_cdf(shape, x * shape)) * mean
            }
            Self::LogNormal { mean, cv } => {
                let variance = libm::log1p(cv * cv);
                let sigma = variance.sqrt();
                mean * libm::exp(-variance / 2.0 - sigma * normal_quantile(tail))
            }
            Self::Weibull { mean, shape } => {
                let scale = mean / libm::tgamma(1.0 + 1.0 / shape);
                scale * libm::pow(-libm::log(tail), 1.0 / shape)
            }
            Self::Pareto { low, alpha } => low * libm::pow(tail, -1.0 / alpha),
            Self::HyperExponential { mean, cv } => {
                let (first, second, share) = balanced_means(*cv);
                let survival =
                    |x: f64| share * libm::exp(-first * x) + (1.0 - share) * libm::exp(-second * x);
                solve(tail, survival) * mean
            }
            Self::Empirical(points) => on_lines(points, 1.0 - tail),
        }
    }
}

/// The rates and the first branch's share of a hyperexponential of mean 1 whose
/// branches carry equal load.
fn balanced_means(cv: f64) -> (f64, f64, f64) {
    let squared = cv * cv;
    let share = 0.5 * (1.0 + ((squared - 1.0) / (squared + 1.0)).max(0.0).sqrt());
    (2.0 * share, 2.0 * (1.0 - share), share)
}

/// The x >= 0 with `survival(x) = tail`, by bisection to double precision.
fn solve(tail: f64, survival: impl Fn(f64) -> f64) -> f64 {
    if tail >= 1.0 {
        return 0.0;
    }
    let mut high = 1.0;
    while survival(high) > tail && high < 1e12 {
        high *= 2.0;
    }
    let mut low = 0.0;
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if survival(middle) > tail { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The value at probability `share` on straight lines between points.
fn on_lines(points: &[(f64, f64)], share: f64) -> f64 {
    let after = points.partition_point(|(at, _)| *at < share).clamp(1, points.len() - 1);
    let ((from, low), (to, high)) = (points[after - 1], points[after]);
    if to <= from { high } else { low + (high - low) * ((share - from) / (to - from)).clamp(0.0, 1.0) }
}

/// The standard normal value that lies above `probability` of the mass
/// (P. J. Acklam's rational approximation, then one Halley step against `erfc`,
/// which leaves an error near 1e-15).
fn normal_quantile(probability: f64) -> f64 {
    let rough = rough_normal_quantile(probability);
    let error = 0.5 * libm::erfc(-rough / core::f64::consts::SQRT_2) - probability;
    let step = error * (2.0 * core::f64::consts::PI).sqrt() * libm::exp(rough * rough / 2.0);
    rough - step / (1.0 + rough * step / 2.0)
}

/// A normal quantile good to about 1e-9 relative.
fn rough_normal_quantile(probability: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 5] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    let polynomial = |terms: &[f64], x: f64| terms.iter().fold(0.0, |sum, term| sum * x + term);
    let tail = |p: f64| {
        let q = (-2.0 * libm::log(p)).sqrt();
        polynomial(&C, q) / polynomial(&D, q)
    };
    match probability {
        p if p < 0.024_25 => tail(p.max(1e-300)),
        p if p > 1.0 - 0.024_25 => -tail((1.0 - p).max(1e-300)),
        p => {
            let q = p - 0.5;
            polynomial(&A, q * q) * q / polynomial(&B, q * q)
        }
    }
}

/// The regularised lower incomplete gamma function P(shape, x): by its series
/// below shape + 1, by its continued fraction above (Numerical Recipes §6.2 gives
/// both expansions).
fn gamma_cdf(shape: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let front = libm::exp(shape * libm::log(x) - x - libm::lgamma(shape));
    if x < shape + 1.0 {
        let (mut term, mut sum, mut at) = (1.0 / shape, 1.0 / shape, shape);
        while term > sum * 1e-17 {
            at += 1.0;
            term *= x / at;
            sum += term;
        }
        return front * sum;
    }
    let mut b = x + 1.0 - shape;
    let mut c = 1e300;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for step in 1..10_000 {
        let a = -f64::from(step) * (f64::from(step) - shape);
        b += 2.0;
        d = 1.0 / (a * d + b);
        c = b + a / c;
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    1.0 - front * fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_agree_with_closed_forms() {
        let erlang2 = Distribution::Gamma { mean: 1.0, cv: 0.5_f64.sqrt() };
        // Erlang-2 of mean 1: P(X > x) = e^(-2x) (1 + 2x).
        let x = erlang2.exceeded_with(0.05);
        assert!((libm::exp(-2.0 * x) * (1.0 + 2.0 * x) - 0.05).abs() < 1e-12);
        let lognormal = Distribution::LogNormal { mean: 1.0, cv: 1.0 };
        assert!(
            (lognormal.exceeded_with(0.5) - 1.0 / 2.0_f64.sqrt()).abs() < 1e-9,
            "the median is mean/√(1+cv²)"
        );
        assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-12);
    }

    #[test]
    fn integrating_the_quantiles_gives_the_mean() {
        let all = [
            Distribution::Uniform { low: 0.5, high: 1.5 },
            Distribution::Exponential { mean: 1.0 },
            Distribution::Gamma { mean: 1.0, cv: 1.5 },
            Distribution::Gamma { mean: 1.0, cv: 0.25 },
            Distribution::LogNormal { mean: 1.0, cv: 1.4 },
            Distribution::Weibull { mean: 1.0, shape: 0.8 },
            Distribution::Pareto { low: 2.0 / 3.0, alpha: 3.0 },
            Distribution::HyperExponential { mean: 1.0, cv: 2.0 },
            Distribution::Empirical(vec![(0.0, 0.0), (0.5, 0.5), (1.0, 2.5)]),
        ];
        for one in &all {
            let cells = 20_000;
            let sum: f64 =
                (0..cells).map(|i| one.exceeded_with((f64::from(i) + 0.5) / f64::from(cells))).sum();
            let mean = sum / f64::from(cells);
            assert!((mean - one.mean()).abs() < 0.004 * one.mean(), "{one:?}: {mean}");
        }
    }
}
