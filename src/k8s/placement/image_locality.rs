//! Nodes that already hold a pod's images: nothing to pull there.
//!
//! Upstream: `pkg/scheduler/framework/plugins/imagelocality`.

use crate::k8s::placement::cluster::{ClusterView, KindId, NodeId};
use crate::k8s::placement::objects::MAX_SCORE;

/// Fewer bytes than this are not worth a preference.
const FLOOR: i64 = 23 << 20;
/// More bytes than this per container make no further difference.
const CEILING_PER_CONTAINER: i64 = 1_000 << 20;

/// An image's name with the tag that an absent one stands for.
pub fn normalized(name: &str) -> String {
    let tagged = match (name.rfind(':'), name.rfind('/')) {
        (Some(colon), Some(slash)) => colon > slash,
        (colon, _) => colon.is_some(),
    };
    if tagged { name.to_owned() } else { format!("{name}:latest") }
}

/// 0 to 100 by the bytes of the pod's images on the node. An image counts in the
/// ratio of nodes that hold it, so that the first node to pull it isn't flooded.
pub fn score(cluster: &ClusterView, kind: KindId, node: NodeId) -> i64 {
    let images = &cluster.compiled(kind).images;
    if images.is_empty() {
        return 0;
    }
    let held = &cluster.node(node).images;
    let nodes_total = cluster.node_ids().len() as f64;
    let weigh = |image: &u32| {
        let size = held.get(image)?;
        let spread = f64::from(cluster.image_spread(*image)) / nodes_total;
        Some((*size as f64 * spread) as i64)
    };
    let bytes: i64 = if held.is_empty() { 0 } else { images.iter().filter_map(weigh).sum() };
    let ceiling = CEILING_PER_CONTAINER * images.len() as i64;
    MAX_SCORE * (bytes.clamp(FLOOR, ceiling) - FLOOR) / (ceiling - FLOOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_before_the_last_slash_is_a_port() {
        for (name, expected) in [
            ("nginx", "nginx:latest"),
            ("nginx:1.27", "nginx:1.27"),
            ("host:5000/nginx", "host:5000/nginx:latest"),
            ("host:5000/nginx:2", "host:5000/nginx:2"),
        ] {
            assert_eq!(normalized(name), expected);
        }
    }
}
