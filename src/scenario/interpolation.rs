//! What holds between two points of a curve.

/// What holds between two points of a shape or of a usage curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// A straight line.
    Linear,
    /// The earlier point's value.
    Step,
}
