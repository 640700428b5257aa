//! What stands beside the serving containers of a set's workloads: injected as the model
//! says, and warned of where nobody knows what it does.

use crate::input::custom_metrics::hpa_problem;
use crate::input::directory::Directory;
use crate::input::document::Document;
use crate::input::findings::{At, Findings, suggest};
use crate::input::manifest::set::{ManifestSet, ManifestWorkload};
use crate::input::model::{ModelFile, WorkloadFile};
use crate::input::problem::Problem;
use crate::input::sidecars::{MOST, SidecarFile, beside};
use crate::input::uncertain::Named;
use crate::k8s::hpa::MetricSpec;
use crate::scenario::{Autoscaler, Container};

/// Adds what the model says is injected to the pods of its workloads, as an admission
/// webhook does, and notes names that don't fit.
pub fn inject(set: &mut ManifestSet, model: Option<&Document<ModelFile>>, problems: &mut Vec<Problem>) {
    let Some(document) = model else { return };
    let names = set.workloads.iter().map(|one| (one.namespace.clone(), one.name.clone())).collect();
    let directory = Directory { workloads: names, ..Directory::default() };
    let mut found = Findings::default();
    for (name, file) in &document.file.workloads.0 {
        // Whose name is wrong is told where workloads are read.
        let Ok(index) = directory.workload(name) else { continue };
        let at = At::root().key("workloads").key(name).key("sidecars");
        add(&mut set.workloads[index], file, &at, &mut found);
    }
    document.report(found, problems);
}

fn add(workload: &mut ManifestWorkload, file: &WorkloadFile, at: &At, into: &mut Findings) {
    for (name, sidecar) in file.sidecars.0.iter().take(MOST) {
        let at = at.key(name);
        let template = &mut workload.template;
        let is_first = template.containers.first().is_some_and(|first| first.name == *name);
        let asks = sidecar.asks();
        if is_first {
            let message = format!("`{name}` is the first container of {}, which serves", workload.name);
            into.wrong(&at, message, "say what it does in `operations`, `idleCpu` and `memory`");
        } else if beside(template).any(|one| one.name == *name) {
            if asks {
                let message = format!("the manifest of {} says what `{name}` requests", workload.name);
                into.wrong(&at, message, "leave `requests` and `limits` to containers that it doesn't show");
            }
        } else if asks {
            let container = sidecar.injected(name, &at, into);
            template.containers.push(container);
        } else {
            let message = format!("{} has no container `{name}` beside its first", workload.name);
            let near = suggest(name, beside(template).map(|one| one.name.as_str()));
            let help = format!("{near}; one that is injected needs `requests: {{cpu: …, memory: …}}`");
            into.wrong(&at, message, help.trim_start_matches("; "));
        }
    }
}

/// Warns of containers whose use nobody knows where an HPA goes by it, and of meshes whose
/// proxies the model doesn't show.
pub fn unknown<'a>(
    autoscalers: &'a [Autoscaler],
    set: &'a ManifestSet,
    known: impl Fn(usize) -> &'a WorkloadFile + 'a,
) -> impl Iterator<Item = Problem> + 'a {
    // A usage curve holds what whole pods use.
    let asked = autoscalers.iter().map(move |hpa| (hpa, known(hpa.workload)));
    asked.filter(|(_, file)| file.usage.is_none()).flat_map(move |(hpa, file)| {
        let (workload, files) = (&set.workloads[hpa.workload], &file.sidecars);
        let found = [unmeasured(hpa, workload, files), injected(hpa, workload, files)];
        found.into_iter().flatten().map(move |problem| hpa_problem(&set.autoscalers, hpa, problem))
    })
}

/// Containers that an HPA counts and whose use neither the model nor the priors know.
fn unmeasured(hpa: &Autoscaler, workload: &ManifestWorkload, files: &Named<SidecarFile>) -> Option<Problem> {
    let counts = |one: &&Container| {
        hpa.spec.metrics.iter().any(|metric| match metric {
            MetricSpec::Resource { container, .. } => container.as_ref().is_none_or(|name| *name == one.name),
            _ => false,
        })
    };
    let is_known = |one: &Container| files.0.iter().any(|(name, _)| *name == one.name);
    let names: Vec<String> = beside(&workload.template)
        .filter(counts)
        .filter(|one| !is_known(one))
        .map(|one| format!("`{}`", one.name))
        .collect();
    let first = names.first()?;
    let message = format!(
        "HPA `{}`: what {} of {}/{} uses isn't known, and counts as nothing",
        hpa.name,
        names.join(", "),
        workload.api_kind,
        workload.name
    );
    let help = format!(
        "write `sidecars: {{{}: {{idleCpu: 5m, memory: 50Mi}}}}` into the model, and `cpuPerCall` for a proxy",
        first.trim_matches('`')
    );
    Some(Problem::warning(message).help(help))
}

/// A mesh's proxy that an HPA will count once it is injected.
fn injected(hpa: &Autoscaler, workload: &ManifestWorkload, files: &Named<SidecarFile>) -> Option<Problem> {
    let whole_pods = |metric: &MetricSpec| matches!(metric, MetricSpec::Resource { container: None, .. });
    let proxy = workload.injects.filter(|_| hpa.spec.metrics.iter().any(whole_pods))?;
    if files.0.iter().any(|(name, _)| name == proxy) {
        return None;
    }
    let message = format!(
        "HPA `{}`: the pods of {}/{} get a container `{proxy}` that no manifest shows",
        hpa.name, workload.api_kind, workload.name
    );
    let help = format!(
        "write what it requests and uses into the model: `sidecars: {{{proxy}: {{requests: {{cpu: 100m, \
         memory: 128Mi}}, cpuPerCall: 0.35ms, memory: 50Mi}}}}`"
    );
    Some(Problem::warning(message).help(help))
}
