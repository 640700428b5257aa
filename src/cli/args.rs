//! What can be asked on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::values;
use crate::k8s::version::Version;
use crate::run::Replications;
use crate::scenario::Fidelity;
use crate::units::{SimDuration, SimTime};

/// Plan the capacity of Kubernetes workloads and simulate their autoscaling.
#[derive(Debug, Parser)]
#[command(
    name = "plan",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  plan simulate --users 100000             the application that comes along, at 100,000 users
  plan simulate -m k8s/ --users 20k        your manifests, with guesses for what they don't say
  helm template shop ./chart | plan simulate -m - --traffic steady

Exit codes: 0 every objective met, 1 missed, 2 wrong usage or input, 3 unsure or
nothing judged, 5 something outside failed, 70 a bug of ours, 130 interrupted."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// When to use colour; NO_COLOR is heeded.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Only results and errors.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Also say what is being done.
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Simulate a cluster under load and judge the policy's objectives.
    Simulate(Box<SimulateArgs>),
    /// Break things on purpose: who feels it, for how long, and what a year holds.
    Drill(Box<DrillArgs>),
    /// Find how many users it carries, and what breaks first.
    Capacity(Box<CapacityArgs>),
    /// Compare two configurations under the same requests.
    Compare(Box<CompareArgs>),
    /// See what becomes of the verdict where what nobody measured is otherwise.
    Robust(Box<RobustArgs>),
    /// Find settings that keep the policy at the least cost, write and prove them.
    Tune(Box<TuneArgs>),
    /// Explain one decision from objects as kubectl prints them.
    #[command(subcommand)]
    Explain(Explain),
    /// Check all input without simulating, and find known traps.
    Validate(Box<ValidateArgs>),
    /// Write a model, traffic, a policy and a cluster for manifests, to be filled in.
    Init(InitArgs),
    /// Print completions for a shell.
    Completions(CompletionsArgs),
}

/// Which files make the scenario.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// Kubernetes manifests: a file, a folder, or - for standard input; may be
    /// repeated. Without any: the application that comes along.
    #[arg(short, long, value_name = "PATH")]
    pub manifests: Vec<PathBuf>,
    /// What manifests don't say: work per request, calls, start-up.
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Who asks, how often, for what: a file, or a name that comes along (steady).
    #[arg(long, value_name = "FILE")]
    pub traffic: Option<PathBuf>,
    /// The objectives.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// The nodes.
    #[arg(long, value_name = "FILE")]
    pub cluster: Option<PathBuf>,
    /// Which profile of the cluster file.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Scale the traffic to so many users at its peak (20000, 20k, 2e4).
    #[arg(long, value_name = "N", value_parser = values::users, allow_negative_numbers = true)]
    pub users: Option<f64>,
    /// Observe for so long (90s, 15m, 1h30m).
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub duration: Option<SimDuration>,
    /// The release whose rules apply, such as 1.34.
    #[arg(long, value_name = "VERSION")]
    pub kubernetes_version: Option<Version>,
}

/// `plan simulate`
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  plan simulate --users 100000
  plan simulate -m k8s/ --model model.yaml --traffic traffic.yaml --policy policy.yaml
  plan simulate --users 5000 --traffic steady --duration 10m -o json | jq .verdict
  plan simulate --users 100000 --seed 7 --out outputs/seed-7

Results (verdict.json, CSV, charts) are written to outputs/NAME, replaced as a whole.")]
pub struct SimulateArgs {
    /// The input.
    #[command(flatten)]
    pub input: InputArgs,
    /// What breaks within the observed time, and when: a file of kind Drills, or
    /// Chaos Mesh's experiments.
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub drills: Option<PathBuf>,
    /// Where all chance comes from; the same seed gives the same results.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How many replications, or auto: 3, and more (up to 10) while unsure.
    #[arg(long, value_name = "N", default_value = "auto", value_parser = values::replications)]
    pub replications: Replications,
    /// Write results to this folder instead of outputs/NAME.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write no results folder.
    #[arg(long, conflicts_with = "out")]
    pub no_out: bool,
    /// Which requests are simulated one by one: full (all), sliced (slices of calm
    /// time stand for the rest), or auto: sliced beyond two hours.
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = values::fidelity)]
    pub fidelity: Fidelity,
    /// What to print.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
    /// Exit with 0 even if an objective is missed or unsure.
    #[arg(long)]
    pub exit_zero: bool,
}

/// `plan drill`
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  plan drill --users 20000                   every drill, and the availability of a year
  plan drill node-failure rollout --users 20000
  plan drill --list                          the drills for this application
  plan drill --per-year node-failure=2 --per-year rollout=250 -o json")]
pub struct DrillArgs {
    /// Which drills; all of them when none is named.
    #[arg(value_name = "DRILL")]
    pub names: Vec<String>,
    /// The input.
    #[command(flatten)]
    pub input: InputArgs,
    /// Hold the drills of this file instead of the catalogue's: one of kind Drills,
    /// or Chaos Mesh's experiments.
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub drills: Option<PathBuf>,
    /// The workload to strike; without it, the one that users ask most.
    #[arg(long, value_name = "WORKLOAD")]
    pub target: Option<String>,
    /// How often a year a drill comes in life.
    #[arg(long, value_name = "DRILL=N", value_parser = values::per_year)]
    pub per_year: Vec<(String, f64)>,
    /// Print the drills there are for this application, and end.
    #[arg(long)]
    pub list: bool,
    /// Where all chance comes from; the same seed gives the same results.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How often each drill is held.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub replications: u32,
    /// Write verdict, table and a chart of each drill to this folder.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What to print.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
    /// Exit with 0 even if an objective is missed or unsure.
    #[arg(long)]
    pub exit_zero: bool,
}

/// `plan capacity`
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  plan capacity
  plan capacity compose kubernetes outputs/example/kubernetes --out capacity/
  plan capacity -m k8s/ --model model.yaml --users 5000 --duration 20m -o json")]
pub struct CapacityArgs {
    /// Several configurations, side by side: manifests, or kubernetes, compose (the
    /// application that comes along). Without any: what the input says.
    #[arg(value_name = "CONFIGURATION", num_args = 0..=4, conflicts_with = "manifests")]
    pub sides: Vec<String>,
    /// The input; its load is where the search starts.
    #[command(flatten)]
    pub input: InputArgs,
    /// Where all chance comes from; the same seed gives the same results.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How many replications at each load, or auto: 3, and more (up to 10) while unsure.
    #[arg(long, value_name = "N", default_value = "auto", value_parser = values::replications)]
    pub replications: Replications,
    /// Which requests are simulated one by one: full (all), sliced (slices of calm
    /// time stand for the rest), or auto: sliced beyond two hours and from 20,000 users on.
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = values::fidelity)]
    pub fidelity: Fidelity,
    /// Write document, page and chart to this folder.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What to print.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}

/// `plan compare`
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  plan compare compose kubernetes --users 500   the application that comes along, before and after
  plan compare k8s/ k8s-new/ --model model.yaml --traffic traffic.yaml
  plan compare k8s/ k8s-new/ --drill rollout --drill node-failure -o json")]
pub struct CompareArgs {
    /// Manifests, or: kubernetes, compose (the application that comes along).
    #[arg(value_name = "A", conflicts_with = "manifests")]
    pub a: String,
    /// What they are compared with.
    #[arg(value_name = "B")]
    pub b: String,
    /// Everything else is the same on both sides.
    #[command(flatten)]
    pub input: InputArgs,
    /// Which drills to hold on both sides; may be repeated.
    #[arg(long = "drill", value_name = "DRILL")]
    pub drills: Vec<String>,
    /// Hold no drills.
    #[arg(long, conflicts_with = "drills")]
    pub no_drills: bool,
    /// Where all chance comes from; the same seed gives the same results.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How many pairs of runs.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub replications: u32,
    /// Which requests are simulated one by one: full (all), sliced (slices of calm
    /// time stand for the rest), or auto: sliced beyond two hours.
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = values::fidelity)]
    pub fidelity: Fidelity,
    /// What to print.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}

/// `plan robust`
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  plan robust --users 20000
  plan robust compose kubernetes outputs/my-saas-chat-tuned --users 500
  plan robust k8s/ k8s-new/ --model model.yaml --policy policy.yaml --worlds 50 --out robust/

Every number with a range (low, mid, high) is unknown. Worlds are drawn from the
ranges; then each unknown alone is tried at both ends.

Exit codes: 0 every objective kept in every world, 1 in none, 3 it depends or
none could be judged.")]
pub struct RobustArgs {
    /// Manifests, or: kubernetes, compose (the application that comes along); the
    /// first is in question, the others are what it is compared with. Without any:
    /// what the input says, against itself with other numbers of pods.
    #[arg(value_name = "CONFIGURATION", num_args = 0..=4, conflicts_with = "manifests")]
    pub sides: Vec<String>,
    /// Everything else is the same for all.
    #[command(flatten)]
    pub input: InputArgs,
    /// How many worlds.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub worlds: u32,
    /// Simulate the whole time in every world, not only its hardest minutes.
    #[arg(long)]
    pub whole: bool,
    /// Where all chance comes from; the same seed gives the same results.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Write document, page and chart to this folder.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What to print.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
    /// Exit with 0 even if an objective is missed in some world.
    #[arg(long)]
    pub exit_zero: bool,
}

/// `plan tune`
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  plan tune --users 100000
  plan tune -m k8s/ --model model.yaml --policy policy.yaml --form patch --out tuned/
  plan tune --users 20000 --tries 100 --seed 7 -o json

The tuned manifests are written to outputs/NAME-tuned, read back, and simulated
with other seeds, at 80 % and 120 % of the load, and through every drill.

Exit codes: 0 every objective met, 1 nothing keeps them all, 3 unsure or
nothing judged.")]
pub struct TuneArgs {
    /// The input.
    #[command(flatten)]
    pub input: InputArgs,
    /// Where all chance comes from; the same seed gives the same results.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How many candidates to try.
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub tries: u32,
    /// In how many worlds to try the result where what nobody measured is otherwise; 0
    /// for none.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub worlds: u32,
    /// In which form to write the manifests.
    #[arg(long, value_name = "FORM", default_value = "kustomize")]
    pub form: Form,
    /// Write to this folder instead of outputs/NAME-tuned.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write nothing.
    #[arg(long, conflicts_with = "out")]
    pub no_out: bool,
    /// What to print.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
    /// Exit with 0 even if an objective is missed or unsure.
    #[arg(long)]
    pub exit_zero: bool,
}

/// In which form changed manifests are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// A component of patches, to be listed in your own kustomization.
    Kustomize,
    /// Your files with only the changed bytes replaced.
    Patch,
    /// Values for your chart, with only the changed keys, by `helm create`'s names.
    Helm,
    /// A whole chart of all objects, with what was tuned as its values.
    Chart,
    /// All objects, written anew.
    Plain,
    /// Everything for operation: a tree for kustomize with an overlay for each
    /// namespace, a chart, alerts, a dashboard, a workflow, guides.
    Bundle,
}

/// `plan explain`
#[derive(Clone, Debug, Subcommand)]
pub enum Explain {
    /// Why an autoscaler scales, or doesn't: every step of one decision.
    Hpa(ExplainHpaArgs),
    /// Why a pod goes to a node, or to none: every filter and every score.
    Scheduling(ExplainSchedulingArgs),
}

/// `plan explain hpa`
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl get hpa web -o yaml > hpa.yaml
  kubectl get pods -o yaml > pods.yaml
  kubectl get podmetrics -o yaml > metrics.yaml
  plan explain hpa -f hpa.yaml --pods pods.yaml --metrics metrics.yaml")]
pub struct ExplainHpaArgs {
    /// The HPA, of any API version; other objects may stand in the same file.
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    pub filename: Vec<PathBuf>,
    /// Its pods, as `kubectl get pods -o yaml` prints them.
    #[arg(long, value_name = "FILE")]
    pub pods: Vec<PathBuf>,
    /// Their metrics, as `kubectl get podmetrics -o yaml` prints them.
    #[arg(long, value_name = "FILE")]
    pub metrics: Vec<PathBuf>,
    /// What the controller remembers: earlier recommendations and scale events.
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Which HPA, where there are several: NAME or NAMESPACE/NAME.
    #[arg(short, long, value_name = "NAME")]
    pub name: Option<String>,
    /// The moment of the decision; without it, that of the newest metrics.
    #[arg(long, value_name = "RFC3339", value_parser = values::moment)]
    pub now: Option<SimTime>,
    /// The replicas there are; without it, those of the HPA's status.
    #[arg(long, value_name = "N")]
    pub current: Option<u32>,
    /// The release whose rules apply, such as 1.34.
    #[arg(long, value_name = "VERSION")]
    pub kubernetes_version: Option<Version>,
    /// What to print.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}

/// `plan explain scheduling`
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl get nodes -o yaml > nodes.yaml
  kubectl get pods -A -o yaml > pods.yaml
  plan explain scheduling --pod deployment.yaml --nodes nodes.yaml --pods pods.yaml")]
pub struct ExplainSchedulingArgs {
    /// The pod, or a workload whose template is to be scheduled.
    #[arg(long, value_name = "FILE", required = true)]
    pub pod: Vec<PathBuf>,
    /// The nodes, as `kubectl get nodes -o yaml` prints them.
    #[arg(long, value_name = "FILE", required = true)]
    pub nodes: Vec<PathBuf>,
    /// The pods on them, as `kubectl get pods -A -o yaml` prints them.
    #[arg(long, value_name = "FILE")]
    pub pods: Vec<PathBuf>,
    /// Which pod or workload, where there are several: NAME or NAMESPACE/NAME.
    #[arg(short, long, value_name = "NAME")]
    pub name: Option<String>,
    /// The release whose rules apply, such as 1.34.
    #[arg(long, value_name = "VERSION")]
    pub kubernetes_version: Option<Version>,
    /// What to print.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}

/// `plan validate`
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  plan validate
  plan validate -m k8s/ --cluster cluster.yaml --strict
  helm template shop ./chart | plan validate -m - -o sarif > plan.sarif

Exit codes: 0 nothing worse than warnings, 1 an error (with --strict a warning),
2 input that doesn't read.")]
pub struct ValidateArgs {
    /// The input.
    #[command(flatten)]
    pub input: InputArgs,
    /// Exit with 1 for warnings, too.
    #[arg(long)]
    pub strict: bool,
    /// What to print.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: ValidateFormat,
}

/// What `plan validate` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ValidateFormat {
    /// A page for people.
    Table,
    /// One document, stable under its apiVersion.
    Json,
    /// The same document as YAML.
    Yaml,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for test reports.
    Junit,
}

/// `plan init`
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  plan init -m k8s/ --users 20k
  helm template shop ./chart | plan init -m - --out shop/
  kubectl get deploy,sts,hpa,pdb,svc,ing,nodes -o yaml | plan init -m - --force

Writes model.yaml, traffic.yaml, policy.yaml and cluster.yaml; never over files that
are there, unless with --force.")]
pub struct InitArgs {
    /// Kubernetes manifests: a file, a folder, or - for standard input; may be
    /// repeated.
    #[arg(short, long, value_name = "PATH", required = true)]
    pub manifests: Vec<PathBuf>,
    /// Users at the peak (20000, 20k, 2e4); 1,000 where nobody says.
    #[arg(long, value_name = "N", value_parser = values::users, allow_negative_numbers = true)]
    pub users: Option<f64>,
    /// Write to this folder.
    #[arg(long, value_name = "DIR", default_value = "plan")]
    pub out: PathBuf,
    /// Replace files that are there.
    #[arg(long)]
    pub force: bool,
}

/// `plan completions`
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  plan completions bash > ~/.local/share/bash-completion/completions/plan
  plan completions zsh > \"${fpath[1]}/_plan\"")]
pub struct CompletionsArgs {
    /// For which shell.
    pub shell: Shell,
}

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A page for people.
    Table,
    /// One document, stable under its apiVersion.
    Json,
    /// The same document as YAML.
    Yaml,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
