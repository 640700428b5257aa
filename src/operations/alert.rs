//! What an alert is made of.

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    BurnsFast,
    BurnsSlowly,
    LoadBeyondProof,
    AutoscalerAtMaximum,
    AutoscalerBlind,
    TooFewReplicas,
    CpuThrottled,
    MemoryNearLimit,
    ContainersRestart,
    PodsPending,
    NodesAtMaximum,
    TooFewNodes,
}

impl Kind {
    /// The `alert` of its rules.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BurnsFast => "ObjectiveBurnsFast",
            Self::BurnsSlowly => "ObjectiveBurnsSlowly",
            Self::LoadBeyondProof => "LoadBeyondProof",
            Self::AutoscalerAtMaximum => "AutoscalerAtMaximum",
            Self::AutoscalerBlind => "AutoscalerBlind",
            Self::TooFewReplicas => "TooFewReplicas",
            Self::CpuThrottled => "CpuThrottled",
            Self::MemoryNearLimit => "MemoryNearLimit",
            Self::ContainersRestart => "ContainersRestart",
            Self::PodsPending => "PodsPending",
            Self::NodesAtMaximum => "NodesAtMaximum",
            Self::TooFewNodes => "TooFewNodes",
        }
    }

    /// Whether somebody is called, or it can wait for working hours.
    pub(super) fn severity(self) -> &'static str {
        match self {
            Self::BurnsFast | Self::AutoscalerBlind | Self::TooFewReplicas | Self::TooFewNodes => "page",
            Self::BurnsSlowly
            | Self::LoadBeyondProof
            | Self::AutoscalerAtMaximum
            | Self::CpuThrottled
            | Self::MemoryNearLimit
            | Self::ContainersRestart
            | Self::PodsPending
            | Self::NodesAtMaximum => "ticket",
        }
    }
}

/// One alert.
pub(super) struct Alert {
    pub kind: Kind,
    /// A label of its own: `objective` or `workload`.
    pub about: Option<(&'static str, String)>,
    pub expr: String,
    /// It must hold so many minutes.
    pub minutes: u64,
    pub summary: String,
    pub description: String,
    /// Series, name and values, under which it fires …
    pub fires: Vec<(String, String)>,
    /// … and under which it does not, after so many minutes.
    pub rests: Vec<(String, String)>,
    pub after: u64,
    /// For a burning objective.
    pub burn: Option<Burn>,
}

/// When a burning objective's alert fires.
#[derive(Clone, Copy)]
pub(super) struct Burn {
    /// Which of the plan's burning objectives.
    pub objective: usize,
    /// The lowest share of bad requests at which it fires.
    pub lowest: f64,
    /// The share in the series that make it fire, and in those that don't.
    pub tried: (f64, f64),
}

/// A constant series over an hour and a half.
pub(super) fn flat(name: String, value: impl std::fmt::Display) -> (String, String) {
    (name, format!("{value}x90"))
}
