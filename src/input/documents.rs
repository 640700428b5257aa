//! The files of one request.

use crate::input::cluster::ClusterFile;
use crate::input::document::Document;
use crate::input::model::ModelFile;
use crate::input::openslo::Slos;
use crate::input::policy::PolicyFile;
use crate::input::traffic::TrafficFile;
use crate::source::SourceId;

/// The files of one request; `None` where none was given.
#[derive(Default)]
pub struct Documents {
    /// `kind: Model`
    pub model: Option<Document<ModelFile>>,
    /// `kind: Traffic`
    pub traffic: Option<Document<TrafficFile>>,
    /// `kind: Policy`
    pub policy: Option<Document<PolicyFile>>,
    /// OpenSLO documents in a policy's place.
    pub slos: Option<Slos>,
    /// Whether that is the default application's own policy, asked for by nobody.
    pub policy_is_default: bool,
    /// `kind: Cluster`
    pub cluster: Option<Document<ClusterFile>>,
}

impl Documents {
    /// The texts of those that were given, by their usual names.
    pub fn texts(&self) -> Vec<(String, SourceId)> {
        let all = [
            ("model.yaml", self.model.as_ref().map(Document::node)),
            ("traffic.yaml", self.traffic.as_ref().map(Document::node)),
            ("policy.yaml", self.policy.as_ref().map(Document::node)),
            ("cluster.yaml", self.cluster.as_ref().map(Document::node)),
        ];
        let ours = all.into_iter().filter_map(|(name, node)| Some((name.to_owned(), node?.head().source)));
        let slos = self.slos.as_ref().map(|slos| ("policy.yaml".to_owned(), slos.source()));
        ours.chain(slos).collect()
    }
}
