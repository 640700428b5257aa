//! Settings, and the edits that bring them about.

use serde_json::{Value, json};

use super::guard::{self, Guard};
use super::site::{Object, SERVING, Site, Sizing};
use crate::change::{Added, ChangeSet, Edit, Edited};
use crate::units::figures::bytes;

/// What a search sets: a size for every site, and what guards the pods.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// By site.
    pub sizes: Vec<Sizing>,
    /// On every site that they are for; later ones may set a field anew.
    pub guards: Vec<Guard>,
}

/// Why settings are what they are: a sentence without its full stop for each.
/// While searching, nobody reads them, and there are none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reasons {
    /// CPU request, limit and HPA target, by site.
    pub cpu: Vec<String>,
    /// Memory, by site.
    pub memory: Vec<String>,
    /// How many pods, by site.
    pub pods: Vec<String>,
    /// What a guard is good for.
    pub guards: Vec<(Guard, String)>,
}

impl Reasons {
    fn of(list: &[String], site: usize) -> &str {
        list.get(site).map_or("", String::as_str)
    }

    fn guard(&self, guard: Guard) -> &str {
        self.guards.iter().find(|(one, _)| *one == guard).map_or("", |(_, why)| why)
    }
}

impl Settings {
    /// The settings as the user has them.
    pub fn now(sites: &[Site]) -> Self {
        Self { sizes: sites.iter().map(|site| site.now).collect(), guards: Vec::new() }
    }

    /// What has to be changed of the user's objects.
    pub fn changes(&self, sites: &[Site], objects: &[Object], why: &Reasons) -> ChangeSet {
        let mut edits: Vec<Vec<Edit>> = vec![Vec::new(); objects.len()];
        let mut added: Vec<Added> = Vec::new();
        for (index, (site, size)) in sites.iter().zip(&self.sizes).enumerate() {
            resources(index, site, size, &objects[site.object], why, &mut edits[site.object]);
            replicas(index, site, size, objects, why, &mut edits);
            for guard in self.guards.iter().filter(|guard| guard.is_for(site)) {
                let Some(object) = guard.object(site) else { continue };
                let because = why.guard(*guard);
                guard::edits(*guard, site, size, &objects[object], because, &mut edits[object]);
                let more = guard::added(*guard, site, size, objects, because.to_owned());
                added.extend(more.filter(|one| !added.contains(one)));
            }
        }
        let edited = objects
            .iter()
            .zip(edits)
            .filter(|(_, edits)| !edits.is_empty())
            .map(|(object, edits)| Edited { object: object.name.clone(), edits });
        ChangeSet { edited: edited.collect(), added }
    }

    /// How many of the user's settings these change.
    pub fn distance(&self, sites: &[Site], objects: &[Object]) -> usize {
        let changes = self.changes(sites, objects, &Reasons::default());
        changes.edited.iter().map(|one| one.edits.len()).sum::<usize>() + changes.added.len()
    }
}

/// `250m`, `2`.
pub fn cores(milli: u64) -> String {
    if milli.is_multiple_of(1000) { (milli / 1000).to_string() } else { format!("{milli}m") }
}

/// `256Mi`, `2Gi`.
pub fn mebibytes(mebibytes: u64) -> String {
    if mebibytes.is_multiple_of(1024) && mebibytes > 0 {
        format!("{}Gi", mebibytes / 1024)
    } else {
        format!("{mebibytes}Mi")
    }
}

/// The same for people.
pub fn memory_in_words(mebibytes: u64) -> String {
    bytes((mebibytes << 20) as f64)
}

/// An edit of `path` where the object says something else.
pub(super) fn set(object: &Object, path: &str, to: Option<Value>, because: &str, into: &mut Vec<Edit>) {
    if at(&object.value, path) != to.as_ref() {
        into.push(Edit { path: path.to_owned(), to, because: because.to_owned() });
    }
}

/// What an object says at a path.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    crate::source::steps_of(path).iter().try_fold(value, |value, step| match step {
        crate::source::Step::Key(key) => value.get(key.as_str()),
        crate::source::Step::Index(index) => value.get(*index),
    })
}

fn resources(index: usize, site: &Site, size: &Sizing, object: &Object, why: &Reasons, into: &mut Vec<Edit>) {
    let now = &site.now;
    let path = |of: &str| format!("{SERVING}.resources.{of}");
    if size.cpu != now.cpu {
        set(object, &path("requests.cpu"), Some(json!(cores(size.cpu))), Reasons::of(&why.cpu, index), into);
    }
    if size.cpu_limit != now.cpu_limit {
        let limit = size.cpu_limit.map(|limit| json!(cores(limit)));
        set(object, &path("limits.cpu"), limit, Reasons::of(&why.cpu, index), into);
    }
    if size.memory != now.memory {
        set(
            object,
            &path("requests.memory"),
            Some(json!(mebibytes(size.memory))),
            Reasons::of(&why.memory, index),
            into,
        );
    }
    if size.memory_limit != now.memory_limit {
        let limit = size.memory_limit.map(|limit| json!(mebibytes(limit)));
        set(object, &path("limits.memory"), limit, Reasons::of(&why.memory, index), into);
    }
}

fn replicas(
    index: usize,
    site: &Site,
    size: &Sizing,
    objects: &[Object],
    why: &Reasons,
    edits: &mut [Vec<Edit>],
) {
    let (now, because) = (&site.now, Reasons::of(&why.pods, index));
    let Some(hpa) = &site.hpa else {
        if size.min != now.min {
            let object = &objects[site.object];
            set(object, "spec.replicas", Some(json!(size.min)), because, &mut edits[site.object]);
        }
        return;
    };
    let object = &objects[hpa.object];
    if size.min != now.min {
        set(object, "spec.minReplicas", Some(json!(size.min)), because, &mut edits[hpa.object]);
    }
    if size.max != now.max {
        set(object, "spec.maxReplicas", Some(json!(size.max)), because, &mut edits[hpa.object]);
    }
    if let Some(path) = site.cpu_target().filter(|_| size.target != now.target) {
        let because = Reasons::of(&why.cpu, index);
        set(object, path, Some(json!(size.target)), because, &mut edits[hpa.object]);
    }
    // Whoever applies the file anew would otherwise undo what the HPA did.
    let changed = size.min != now.min || size.max != now.max || size.target != now.target;
    if changed && at(&objects[site.object].value, "spec.replicas").is_some() {
        let because = "its HPA sets the replicas; stated here, every apply would undo that. Where it was applied \
                       before, first remove it with `kubectl apply edit-last-applied`: else the apply that leaves \
                       it out makes it 1";
        set(&objects[site.object], "spec.replicas", None, because, &mut edits[site.object]);
    }
}
