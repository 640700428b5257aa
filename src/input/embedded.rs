//! The files that come with the program: the default application, the traffic,
//! the priors.

use serde::de::DeserializeOwned;

use crate::source::{self, Sources};

/// Path from the project's root, and text. Sorted by path.
const FILES: [(&str, &str); 40] = [
    ("models/my-saas-chat/cluster.yaml", include_str!("../../models/my-saas-chat/cluster.yaml")),
    ("models/my-saas-chat/compose.yaml", include_str!("../../models/my-saas-chat/compose.yaml")),
    (
        "models/my-saas-chat/kubernetes/base/auth-service/deployment.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/base/auth-service/deployment.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/base/auth-service/hpa.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/base/auth-service/hpa.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/base/auth-service/service.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/base/auth-service/service.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/base/billing-service/deployment.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/base/billing-service/deployment.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/base/billing-service/hpa.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/base/billing-service/hpa.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/base/billing-service/service.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/base/billing-service/service.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/base/chat-service/deployment.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/base/chat-service/deployment.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/base/chat-service/hpa.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/base/chat-service/hpa.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/base/chat-service/service.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/base/chat-service/service.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/base/jaeger/deployment.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/base/jaeger/deployment.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/base/jaeger/service.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/base/jaeger/service.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/base/postgres/pvc.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/base/postgres/pvc.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/base/postgres/service.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/base/postgres/service.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/base/postgres/statefulset.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/base/postgres/statefulset.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/base/redis/deployment.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/base/redis/deployment.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/base/redis/pvc.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/base/redis/pvc.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/base/redis/service.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/base/redis/service.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/config/configmap.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/config/configmap.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/config/secrets.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/config/secrets.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/ingress/ingress.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/ingress/ingress.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/kustomization.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/kustomization.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/monitoring/grafana.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/monitoring/grafana.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/monitoring/prometheus.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/monitoring/prometheus.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/namespaces/development.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/namespaces/development.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/namespaces/production.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/namespaces/production.yaml"),
    ),
    (
        "models/my-saas-chat/kubernetes/namespaces/staging.yaml",
        include_str!("../../models/my-saas-chat/kubernetes/namespaces/staging.yaml"),
    ),
    ("models/my-saas-chat/model.yaml", include_str!("../../models/my-saas-chat/model.yaml")),
    ("models/my-saas-chat/policy.yaml", include_str!("../../models/my-saas-chat/policy.yaml")),
    ("models/my-saas-chat/promises.yaml", include_str!("../../models/my-saas-chat/promises.yaml")),
    ("models/priors.yaml", include_str!("../../models/priors.yaml")),
    ("traffic/busy-hour.yaml", include_str!("../../traffic/busy-hour.yaml")),
    ("traffic/flash-crowd.yaml", include_str!("../../traffic/flash-crowd.yaml")),
    ("traffic/steady.yaml", include_str!("../../traffic/steady.yaml")),
    ("traffic/trace-elb.yaml", include_str!("../../traffic/trace-elb.yaml")),
    ("traffic/trace-llm-code.yaml", include_str!("../../traffic/trace-llm-code.yaml")),
    (
        "traffic/traces/aws-elb-2014-04-300s.csv",
        include_str!("../../traffic/traces/aws-elb-2014-04-300s.csv"),
    ),
    (
        "traffic/traces/azure-llm-code-2023-11-1s.csv",
        include_str!("../../traffic/traces/azure-llm-code-2023-11-1s.csv"),
    ),
    ("traffic/working-day.yaml", include_str!("../../traffic/working-day.yaml")),
];

/// The folder of the default application.
pub const APPLICATION: &str = "models/my-saas-chat";

/// All embedded files: path from the project's root, and text.
pub fn files() -> &'static [(&'static str, &'static str)] {
    &FILES
}

/// The text of an embedded file.
pub fn text(path: &str) -> Option<&'static str> {
    let found = FILES.binary_search_by_key(&path, |(known, _)| known).ok()?;
    Some(FILES[found].1)
}

/// The names by which the embedded traffic is known.
pub fn traffic() -> impl Iterator<Item = &'static str> {
    FILES.into_iter().filter_map(|(path, _)| path.strip_prefix("traffic/")?.strip_suffix(".yaml"))
}

/// The manifests of the default application.
pub fn manifests() -> Vec<(&'static str, &'static str)> {
    let inside = |path: &str| {
        path.strip_prefix(APPLICATION).is_some_and(|rest| rest.starts_with("/kubernetes/"))
            && !path.ends_with("/kustomization.yaml")
    };
    FILES.into_iter().filter(|(path, _)| inside(path)).collect()
}

/// The default application's Docker Compose deployment.
pub fn compose() -> Vec<(&'static str, &'static str)> {
    let path = "models/my-saas-chat/compose.yaml";
    FILES.into_iter().filter(|(known, _)| *known == path).collect()
}

/// Reads one of these files.
///
/// # Panics
/// When there is no such file or it does not read, which a test rules out.
pub fn read<T: DeserializeOwned>(path: &str) -> T {
    let text = text(path).unwrap_or_else(|| panic!("{path} is not embedded"));
    let mut sources = Sources::new();
    let id = sources.add(path, text);
    let (documents, _) = source::parse(&sources, id);
    let read = documents.first().and_then(|document| source::decode(document, false).value);
    read.unwrap_or_else(|| panic!("the embedded {path} does not read"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// All data files below a folder.
    fn below(folder: &Path, into: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, into);
            } else if path.extension().is_some_and(|kind| kind == "yaml" || kind == "csv") {
                into.push(path.to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn the_table_is_the_folders() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        below(&root.join("models"), &mut found);
        below(&root.join("traffic"), &mut found);
        let prefix = format!("{}/", root.display());
        let mut found: Vec<&str> = found.iter().map(|path| path.strip_prefix(&prefix).unwrap()).collect();
        found.sort_unstable();
        let known: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
        assert_eq!(known, found);
        for (path, text) in FILES {
            assert_eq!(text, std::fs::read_to_string(root.join(path)).unwrap(), "{path}");
        }
        assert!(text("models/priors.yaml").is_some() && text("models/none.yaml").is_none());
    }
}
