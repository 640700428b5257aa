//! Numbers with what they rest on, and distributions, as our files write them.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::input::findings::{At, Findings};
use crate::input::scalar::{self, Fault, Scalar};
use crate::input::world::{Graded, Unknown};
use crate::scenario::Basis;
use crate::sim::random::Distribution;

/// A mapping in the file's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Named<T> {
    /// These, and those of `other` that have other names.
    pub fn or(mut self, other: Self) -> Self {
        let own = self.0.len();
        for (name, one) in other.0 {
            if self.0[..own].iter().all(|(known, _)| *known != name) {
                self.0.push((name, one));
            }
        }
        self
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(NamedVisitor(PhantomData))
    }
}

/// Takes a mapping entry by entry.
struct NamedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NamedVisitor<T> {
    type Value = Named<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
        let mut entries: Vec<(String, T)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, T>()? {
            if entries.iter().any(|(known, _)| *known == name) {
                return Err(de::Error::custom(format!("`{name}` appears twice")));
            }
            entries.push((name, value));
        }
        Ok(Named(entries))
    }
}

/// Accepts a scalar, or a mapping that reads as `M`.
pub struct ScalarOr<T, M>(PhantomData<(T, M)>);

impl<T, M> Default for ScalarOr<T, M> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: From<Scalar> + From<M>, M: Deserialize<'de>> Visitor<'de> for ScalarOr<T, M> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or a mapping")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        Ok(Scalar::from(text.trim()).into())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        Ok(Scalar { text: number.to_string() }.into())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        Ok(Scalar { text: number.to_string() }.into())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        Ok(Scalar { text: number.to_string() }.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        M::deserialize(MapAccessDeserializer::new(map)).map(T::from)
    }
}

/// A value that may be written plainly (`4`) or with its range and where it comes
/// from (`{low: 2, mid: 4, high: 8, basis: prior, source: …}`).
#[derive(Clone, Debug, PartialEq)]
pub enum Uncertain {
    /// As it is.
    Plain(Scalar),
    /// With its range.
    Ranged(Ranged),
}

/// A value with its range and where it comes from.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ranged {
    /// The lowest plausible value.
    low: Option<Scalar>,
    /// The value that is used.
    mid: Scalar,
    /// The highest plausible value.
    high: Option<Scalar>,
    /// What it rests on; `assumed` where nothing is said.
    basis: Option<BasisName>,
    /// Where it comes from.
    source: Option<String>,
}

/// What a number rests on, as files write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BasisName {
    /// On the user's own system.
    Measured,
    /// Published for this kind of software.
    Prior,
    /// A guess.
    Assumed,
}

impl From<BasisName> for Basis {
    fn from(name: BasisName) -> Self {
        match name {
            BasisName::Measured => Self::Measured,
            BasisName::Prior => Self::Prior,
            BasisName::Assumed => Self::Assumed,
        }
    }
}

impl From<Scalar> for Uncertain {
    fn from(plain: Scalar) -> Self {
        Self::Plain(plain)
    }
}

impl From<Ranged> for Uncertain {
    fn from(ranged: Ranged) -> Self {
        Self::Ranged(ranged)
    }
}

impl<'de> Deserialize<'de> for Uncertain {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ScalarOr::<Self, Ranged>::default())
    }
}

impl Uncertain {
    /// The value that is given first: the only one, or the one in the middle.
    pub fn mid(&self) -> &Scalar {
        match self {
            Self::Plain(text) => text,
            Self::Ranged(ranged) => &ranged.mid,
        }
    }

    /// The value by `parse` in the world of `into`, after noting what it rests on;
    /// `None` where it is wrong.
    pub fn resolve<T: Graded>(
        &self,
        at: &At,
        parse: fn(&Scalar) -> Result<T, Fault>,
        into: &mut Findings,
    ) -> Option<T> {
        let ranged = match self {
            Self::Plain(text) => return into.take(at, parse(text)),
            Self::Ranged(ranged) => ranged,
        };
        let value = into.take(&at.key("mid"), parse(&ranged.mid));
        let range = Range { low: ranged.low.as_ref(), high: ranged.high.as_ref() };
        let ends = range.check(at, value.as_ref(), parse, into);
        let rests = (ranged.basis, ranged.source.as_deref());
        note(at, &ranged.mid, &range, rests, into);
        Some(range.elsewhere(at, &ranged.mid.to_string(), (value?, ends), rests, into))
    }
}

/// A value that may be absent; `default` where it is absent or wrong.
pub fn read<T: Graded>(
    value: Option<&Uncertain>,
    at: &At,
    parse: fn(&Scalar) -> Result<T, Fault>,
    default: T,
    into: &mut Findings,
) -> T {
    value.and_then(|value| value.resolve(at, parse, into)).unwrap_or(default)
}

/// A number of at least `least`; `None` where it is absent or `unlimited`.
pub fn limit(value: Option<&Uncertain>, at: &At, least: u32, into: &mut Findings) -> Option<u32> {
    let number = value?.resolve(at, unlimited_or_count, into)?;
    if number < least {
        into.wrong(at, format!("`{number}` is too few"), format!("at least {least}, or `unlimited`"));
    }
    (number < u32::MAX).then_some(number)
}

/// A number, or the largest there is for `unlimited`.
fn unlimited_or_count(from: &Scalar) -> Result<u32, Fault> {
    if from.text == "unlimited" { Ok(u32::MAX) } else { scalar::count(from) }
}

/// The plausible range of a value.
struct Range<'a> {
    low: Option<&'a Scalar>,
    high: Option<&'a Scalar>,
}

impl Range<'_> {
    /// Its ends, after noting what is wrong with it: `low <= value <= high` must hold.
    fn check<T: Graded>(
        &self,
        at: &At,
        value: Option<&T>,
        parse: fn(&Scalar) -> Result<T, Fault>,
        into: &mut Findings,
    ) -> (Option<T>, Option<T>) {
        let low = self.low.and_then(|text| into.take(&at.key("low"), parse(text)));
        let high = self.high.and_then(|text| into.take(&at.key("high"), parse(text)));
        let Some(value) = value else { return (low, high) };
        if low.as_ref().is_some_and(|low| low > value) {
            into.wrong(&at.key("low"), "the low end is above the middle", "low <= mid <= high");
        }
        if high.as_ref().is_some_and(|high| high < value) {
            into.wrong(&at.key("high"), "the high end is below the middle", "low <= mid <= high");
        }
        (low, high)
    }

    /// The value that it has in the world of `into`, after noting that it may have
    /// another. With one end alone it stays: how far it goes is not known.
    fn elsewhere<T: Graded>(
        &self,
        at: &At,
        mid: &str,
        (value, ends): (T, (Option<T>, Option<T>)),
        (basis, source): (Option<BasisName>, Option<&str>),
        into: &mut Findings,
    ) -> T {
        let (Some(low), Some(high), (Some(least), Some(most))) = (self.low, self.high, ends) else {
            return value;
        };
        let basis = basis.unwrap_or(BasisName::Assumed).into();
        let unknown = Unknown::new(&at.about, (low, mid, high), basis, source.unwrap_or_default());
        let here = into.world.value(&unknown.key, least, value, most);
        unknown.add_to(&mut into.unknowns);
        here
    }

    /// `2ms to 8ms`, where both ends are known.
    fn text(&self) -> Option<String> {
        Some(format!("{} to {}", self.low?, self.high?))
    }
}

/// Notes a number that nobody measured here.
fn note(
    at: &At,
    value: &Scalar,
    range: &Range<'_>,
    (basis, source): (Option<BasisName>, Option<&str>),
    into: &mut Findings,
) {
    let basis = basis.unwrap_or(BasisName::Assumed);
    if basis != BasisName::Measured {
        into.assume(&at.about, value.to_string(), range.text(), basis.into(), source.unwrap_or_default());
    }
}

/// A distribution of durations: a plain value, which is always the same; `mean`
/// (or `mid`) and `cv`; `quantiles`; or one of the kinds by name.
#[derive(Clone, Debug, PartialEq)]
pub enum Chance {
    /// Always the same.
    Plain(Scalar),
    /// Anything else.
    Shaped(Box<Shaped>),
}

/// A distribution in one of its ways of writing, with its range and source.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Shaped {
    mid: Option<Scalar>,
    mean: Option<Scalar>,
    cv: Option<Scalar>,
    quantiles: Option<Named<Scalar>>,
    constant: Option<Scalar>,
    uniform: Option<Between>,
    exponential: Option<MeanOf>,
    gamma: Option<MeanAndCv>,
    erlang: Option<MeanAndPhases>,
    lognormal: Option<MeanAndCv>,
    weibull: Option<MeanAndShape>,
    pareto: Option<LowAndAlpha>,
    hyperexponential: Option<MeanAndCv>,
    empirical: Option<Vec<(Scalar, Scalar)>>,
    low: Option<Scalar>,
    high: Option<Scalar>,
    basis: Option<BasisName>,
    source: Option<String>,
}

/// `{low: 1ms, high: 3ms}`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Between {
    low: Scalar,
    high: Scalar,
}

/// `{mean: 2ms}`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct MeanOf {
    mean: Scalar,
}

/// `{mean: 2ms, cv: 1.5}`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct MeanAndCv {
    mean: Scalar,
    cv: Scalar,
}

/// `{mean: 2ms, phases: 3}`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct MeanAndPhases {
    mean: Scalar,
    phases: Scalar,
}

/// `{mean: 2ms, shape: 0.7}`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct MeanAndShape {
    mean: Scalar,
    shape: Scalar,
}

/// `{low: 1ms, alpha: 2.5}`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct LowAndAlpha {
    low: Scalar,
    alpha: Scalar,
}

impl From<Scalar> for Chance {
    fn from(plain: Scalar) -> Self {
        Self::Plain(plain)
    }
}

impl From<Shaped> for Chance {
    fn from(shaped: Shaped) -> Self {
        Self::Shaped(Box::new(shaped))
    }
}

impl<'de> Deserialize<'de> for Chance {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ScalarOr::<Self, Shaped>::default())
    }
}

/// The largest coefficient of variation that is taken: beyond it a mean says nothing.
const MAX_CV: f64 = 100.0;

impl Chance {
    /// Exponential with this mean.
    pub fn exponential(mean: &str) -> Self {
        let exponential = Some(MeanOf { mean: Scalar::from(mean) });
        Self::Shaped(Box::new(Shaped { exponential, ..Shaped::default() }))
    }

    /// The distribution, in seconds, after noting what it rests on; `None` where
    /// it is wrong.
    pub fn resolve(&self, at: &At, into: &mut Findings) -> Option<Distribution> {
        match self {
            Self::Plain(text) => seconds(at, text, into).map(Distribution::Constant),
            Self::Shaped(shaped) => shaped.resolve(at, into),
        }
    }
}

impl Shaped {
    fn resolve(&self, at: &At, into: &mut Findings) -> Option<Distribution> {
        let ways = self.ways();
        if ways.len() != 1 {
            let (message, help) = match ways.as_slice() {
                [] => ("nothing says how it is distributed".to_owned(), WAYS),
                many => (format!("it is described in {} ways: {}", many.len(), many.join(", ")), WAYS),
            };
            into.wrong(at, message, help);
            return None;
        }
        if self.cv.is_some() && !matches!(ways[0], "mid" | "mean") {
            into.wrong(&at.key("cv"), format!("`cv` has no meaning beside `{}`", ways[0]), "leave it out");
        }
        let found = self.distribution(at, into);
        let range = Range { low: self.low.as_ref(), high: self.high.as_ref() };
        let mean = found.as_ref().map(|found| crate::units::SimDuration::from_secs_f64(found.mean()));
        let ends = range.check(at, mean.as_ref(), scalar::duration, into);
        let rests = (self.basis, self.source.as_deref());
        let text = mean.map_or_else(String::new, |mean| mean.to_string());
        if self.basis.is_some() || self.source.is_some() || self.mid.is_some() {
            note(at, &Scalar { text: text.clone() }, &range, rests, into);
        }
        let (found, mean) = (found?, mean?);
        let here = range.elsewhere(at, &text, (mean, ends), rests, into);
        // A mean of zero has no shape that could be stretched.
        let same = here == mean || mean.as_nanos() == 0;
        Some(if same { found } else { found.scaled(here.number() / mean.number()) })
    }

    /// The keys that describe it; one is right.
    fn ways(&self) -> Vec<&'static str> {
        let all = [
            ("mid", self.mid.is_some()),
            ("mean", self.mean.is_some()),
            ("quantiles", self.quantiles.is_some()),
            ("constant", self.constant.is_some()),
            ("uniform", self.uniform.is_some()),
            ("exponential", self.exponential.is_some()),
            ("gamma", self.gamma.is_some()),
            ("erlang", self.erlang.is_some()),
            ("lognormal", self.lognormal.is_some()),
            ("weibull", self.weibull.is_some()),
            ("pareto", self.pareto.is_some()),
            ("hyperexponential", self.hyperexponential.is_some()),
            ("empirical", self.empirical.is_some()),
        ];
        all.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect()
    }

    /// The one that is given.
    fn distribution(&self, at: &At, into: &mut Findings) -> Option<Distribution> {
        if let Some((key, mean)) =
            self.mid.as_ref().map(|mid| ("mid", mid)).or(self.mean.as_ref().map(|mean| ("mean", mean)))
        {
            let mean = seconds(&at.key(key), mean, into);
            let cv = self.cv.as_ref().map_or(Some(0.0), |cv| number(&at.key("cv"), cv, 0.0, MAX_CV, into));
            return Some(mean_and_cv(mean?, cv?));
        }
        if let Some(value) = &self.constant {
            return seconds(&at.key("constant"), value, into).map(Distribution::Constant);
        }
        if let Some(quantiles) = &self.quantiles {
            return from_quantiles(&at.key("quantiles"), quantiles, into);
        }
        if let Some(points) = &self.empirical {
            return from_points(&at.key("empirical"), points, into);
        }
        self.light(at, into).or_else(|| self.heavy(at, into))
    }

    /// One of the kinds with a light tail.
    fn light(&self, at: &At, into: &mut Findings) -> Option<Distribution> {
        if let Some(of) = &self.uniform {
            let at = at.key("uniform");
            let low = seconds(&at.key("low"), &of.low, into);
            let (low, high) = (low?, seconds(&at.key("high"), &of.high, into)?);
            if low > high {
                into.wrong(&at.key("low"), "the low end is above the high end", "low <= high");
                return None;
            }
            return Some(Distribution::Uniform { low, high });
        }
        if let Some(of) = &self.exponential {
            let mean = seconds(&at.key("exponential").key("mean"), &of.mean, into)?;
            return Some(constant_or(mean, Distribution::Exponential { mean }));
        }
        if let Some(of) = &self.gamma {
            let (mean, cv) = of.read(&at.key("gamma"), 0.0, into)?;
            return Some(spread_or_constant(mean, cv, Distribution::Gamma { mean, cv }));
        }
        let of = self.erlang.as_ref()?;
        let at = at.key("erlang");
        let mean = seconds(&at.key("mean"), &of.mean, into);
        let phases = number(&at.key("phases"), &of.phases, 1.0, 1e4, into);
        let (mean, cv) = (mean?, 1.0 / phases?.sqrt());
        Some(constant_or(mean, Distribution::Gamma { mean, cv }))
    }

    /// One of the kinds with a heavier tail.
    fn heavy(&self, at: &At, into: &mut Findings) -> Option<Distribution> {
        if let Some(of) = &self.lognormal {
            let (mean, cv) = of.read(&at.key("lognormal"), 0.0, into)?;
            return Some(mean_and_cv(mean, cv));
        }
        if let Some(of) = &self.hyperexponential {
            let (mean, cv) = of.read(&at.key("hyperexponential"), 1.0, into)?;
            return Some(constant_or(mean, Distribution::HyperExponential { mean, cv }));
        }
        if let Some(of) = &self.weibull {
            let at = at.key("weibull");
            let mean = seconds(&at.key("mean"), &of.mean, into);
            let shape = number(&at.key("shape"), &of.shape, 0.1, 100.0, into);
            let (mean, shape) = (mean?, shape?);
            return Some(constant_or(mean, Distribution::Weibull { mean, shape }));
        }
        let of = self.pareto.as_ref()?;
        let at = at.key("pareto");
        let low = seconds(&at.key("low"), &of.low, into);
        // At or below 1 the mean is infinite.
        let alpha = number(&at.key("alpha"), &of.alpha, 1.01, 1e3, into);
        let (low, alpha) = (low?, alpha?);
        Some(constant_or(low, Distribution::Pareto { low, alpha }))
    }
}

/// The ways to write a distribution.
const WAYS: &str = "give one of: mean (with cv), quantiles, constant, uniform, exponential, gamma, erlang, \
                    lognormal, weibull, pareto, hyperexponential, empirical";

impl MeanAndCv {
    /// Mean in seconds and cv of at least `least`.
    fn read(&self, at: &At, least: f64, into: &mut Findings) -> Option<(f64, f64)> {
        let mean = seconds(&at.key("mean"), &self.mean, into);
        let cv = number(&at.key("cv"), &self.cv, least, MAX_CV, into);
        Some((mean?, cv?))
    }
}

/// Log-normal, or a constant where nothing varies.
fn mean_and_cv(mean: f64, cv: f64) -> Distribution {
    spread_or_constant(mean, cv, Distribution::LogNormal { mean, cv })
}

/// `spread`, or a constant where nothing varies.
fn spread_or_constant(mean: f64, cv: f64, spread: Distribution) -> Distribution {
    if cv > 0.0 { constant_or(mean, spread) } else { Distribution::Constant(mean) }
}

/// `spread`, or zero where its size is zero.
fn constant_or(size: f64, spread: Distribution) -> Distribution {
    if size > 0.0 { spread } else { Distribution::Constant(0.0) }
}

/// A duration in seconds.
fn seconds(at: &At, text: &Scalar, into: &mut Findings) -> Option<f64> {
    into.take(at, scalar::duration(text)).map(crate::units::SimDuration::as_secs_f64)
}

/// A number from `least` to `most`.
fn number(at: &At, text: &Scalar, least: f64, most: f64, into: &mut Findings) -> Option<f64> {
    let value = into.take(at, scalar::number(text))?;
    if (least..=most).contains(&value) {
        return Some(value);
    }
    into.wrong(at, format!("`{text}` is out of range"), format!("it must be from {least} to {most}"));
    None
}

/// Straight lines through quantiles such as `{p50: 2ms, p99: 30ms}`. Without `p0`
/// they start at 0; without `p100` they end as far above the last value as that
/// is above the one before it.
fn from_quantiles(at: &At, quantiles: &Named<Scalar>, into: &mut Findings) -> Option<Distribution> {
    let mut points: Vec<(f64, f64)> = Vec::new();
    for (name, text) in &quantiles.0 {
        let here = at.key(name);
        let share = name.strip_prefix('p').and_then(|percent| percent.parse::<f64>().ok());
        let Some(share) = share.filter(|share| (0.0..=100.0).contains(share)) else {
            into.wrong(&here, format!("`{name}` is not a quantile"), "write `p50`, `p99`, `p99.9`");
            return None;
        };
        points.push((share / 100.0, seconds(&here, text, into)?));
    }
    if points.len() < 2 {
        into.wrong(at, "one quantile does not make a distribution", "give two or more");
        return None;
    }
    if points[0].0 > 0.0 {
        points.insert(0, (0.0, 0.0));
    }
    let (last, before) = (points[points.len() - 1], points[points.len() - 2]);
    if last.0 < 1.0 {
        points.push((1.0, last.1 + (last.1 - before.1).max(0.0)));
    }
    in_order(at, points, into)
}

/// Straight lines between `[share, duration]` points.
fn from_points(at: &At, given: &[(Scalar, Scalar)], into: &mut Findings) -> Option<Distribution> {
    let mut points = Vec::with_capacity(given.len());
    for (index, (share, value)) in given.iter().enumerate() {
        let here = at.index(index);
        let share = into.take(&here.index(0), scalar::share(share));
        let value = seconds(&here.index(1), value, into);
        points.push((share?, value?));
    }
    let ends = points.first().is_some_and(|(share, _)| *share <= 0.0)
        && points.last().is_some_and(|(share, _)| *share >= 1.0);
    if points.len() < 2 || !ends {
        into.wrong(at, "the points don't reach from 0 to 1", "start with `[0, …]`, end with `[1, …]`");
        return None;
    }
    in_order(at, points, into)
}

/// The points as a distribution, where neither shares nor values fall.
fn in_order(at: &At, points: Vec<(f64, f64)>, into: &mut Findings) -> Option<Distribution> {
    if points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1) {
        return Some(Distribution::Empirical(points));
    }
    into.wrong(at, "the quantiles are out of order", "both the shares and the values must rise");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads YAML as a distribution and prints it, or its problems.
    fn read(yaml: &str) -> String {
        let chance: Chance = match serde_yaml::from_str(yaml) {
            Ok(chance) => chance,
            Err(_) => return "! not readable".to_owned(),
        };
        let mut found = Findings::default();
        let read = chance.resolve(&At::root(), &mut found);
        match found.problems.first() {
            None => format!("{:?}", read.expect("no problem means a value")),
            Some(problem) => format!("! {}: {}", problem.path, problem.message),
        }
    }

    #[test]
    fn every_way_of_writing_a_distribution() {
        let rows = [
            ("250ms", "Constant(0.25)"),
            ("{constant: 1s}", "Constant(1.0)"),
            ("{mean: 2s, cv: 1.5}", "LogNormal { mean: 2.0, cv: 1.5 }"),
            ("{mean: 2s}", "Constant(2.0)"),
            (
                "{low: 1s, mid: 2s, high: 4s, cv: 1, basis: prior, source: x}",
                "LogNormal { mean: 2.0, cv: 1.0 }",
            ),
            ("{uniform: {low: 1s, high: 2s}}", "Uniform { low: 1.0, high: 2.0 }"),
            ("{exponential: {mean: 2s}}", "Exponential { mean: 2.0 }"),
            ("{exponential: {mean: 0s}}", "Constant(0.0)"),
            ("{gamma: {mean: 2s, cv: 0.5}}", "Gamma { mean: 2.0, cv: 0.5 }"),
            ("{erlang: {mean: 2s, phases: 4}}", "Gamma { mean: 2.0, cv: 0.5 }"),
            ("{lognormal: {mean: 2s, cv: 1}}", "LogNormal { mean: 2.0, cv: 1.0 }"),
            ("{weibull: {mean: 2s, shape: 0.7}}", "Weibull { mean: 2.0, shape: 0.7 }"),
            ("{pareto: {low: 1s, alpha: 2}}", "Pareto { low: 1.0, alpha: 2.0 }"),
            ("{hyperexponential: {mean: 2s, cv: 2}}", "HyperExponential { mean: 2.0, cv: 2.0 }"),
            ("{empirical: [[0, 0s], [1, 3s]]}", "Empirical([(0.0, 0.0), (1.0, 3.0)])"),
            (
                "{quantiles: {p50: 1s, p99: 3s}}",
                "Empirical([(0.0, 0.0), (0.5, 1.0), (0.99, 3.0), (1.0, 5.0)])",
            ),
        ];
        for (yaml, expected) in rows {
            assert_eq!(read(yaml), expected, "{yaml}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_distribution_is_said_at_its_place() {
        let rows = [
            ("250", "! : `250` has no unit"),
            ("{cv: 1}", "! : nothing says how it is distributed"),
            ("{mean: 1s, constant: 2s}", "! : it is described in 2 ways: mean, constant"),
            ("{constant: 2s, cv: 1}", "! cv: `cv` has no meaning beside `constant`"),
            ("{mean: 1s, cv: -1}", "! cv: `-1` is negative"),
            ("{low: 3s, mid: 2s, high: 4s}", "! low: the low end is above the middle"),
            ("{low: 1s, mid: 2s, high: 1s}", "! high: the high end is below the middle"),
            ("{quantiles: {p50: 3s, p99: 1s}}", "! quantiles: the quantiles are out of order"),
            ("{quantiles: {p50: 3s}}", "! quantiles: one quantile does not make a distribution"),
            ("{quantiles: {median: 3s, p99: 4s}}", "! quantiles.median: `median` is not a quantile"),
            ("{hyperexponential: {mean: 2s, cv: 0.5}}", "! hyperexponential.cv: `0.5` is out of range"),
            ("{pareto: {low: 2s, alpha: 1}}", "! pareto.alpha: `1` is out of range"),
            ("{uniform: {low: 2s, high: 1s}}", "! uniform.low: the low end is above the high end"),
            ("{empirical: [[0.1, 0s], [1, 3s]]}", "! empirical: the points don't reach from 0 to 1"),
            ("{mena: 2s}", "! not readable"),
        ];
        for (yaml, expected) in rows {
            assert_eq!(read(yaml), expected, "{yaml}");
        }
    }

    #[test]
    fn what_nobody_measured_is_noted() {
        let mut found = Findings::default();
        let at = At::root().about("web: CPU");
        for yaml in [
            "{low: 1s, mid: 2s, high: 4s, basis: prior, source: a book}",
            "{mid: 2s, basis: measured}",
            "{exponential: {mean: 3s}, basis: assumed, source: a guess}",
        ] {
            serde_yaml::from_str::<Chance>(yaml).unwrap().resolve(&at, &mut found);
        }
        let seen: Vec<String> = found
            .assumptions
            .iter()
            .map(|one| format!("{} {} {:?} {:?} {}", one.what, one.value, one.range, one.basis, one.source))
            .collect();
        assert_eq!(seen, ["web: CPU 2s Some(\"1s to 4s\") Prior a book", "web: CPU 3s None Assumed a guess"]);
    }
}
