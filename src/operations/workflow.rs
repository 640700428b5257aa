//! A GitHub Actions workflow: `plan` as a gate, a deployment that is waited for,
//! and the way back when it fails.

use super::Plan;
use super::figures::Seen;
use crate::scenario::Kind;

/// `deploy.yaml`, for `.github/workflows/`.
pub(super) fn workflow(plan: &Plan<'_>) -> String {
    let seen = plan.seen();
    let rollouts: Vec<String> = seen
        .iter()
        .filter_map(|one| Some(format!("{} {}", one.workload.namespace, one.rollout()?)))
        .collect();
    let longest = seen.iter().map(patience).max().unwrap_or(600);
    TEMPLATE
        .replace("@NAME@", &plan.scenario.name)
        .replace("@LOAD@", &plan.load())
        .replace("@INPUT@", plan.input)
        .replace("@SEED@", &plan.seed.to_string())
        .replace("@APPLIED@", plan.applied)
        .replace("@ROLLOUTS@", &rollouts.join("\n    "))
        .replace("@PATIENCE@", &longest.to_string())
}

/// How many seconds a rollout may take: as long as its Deployment gives it for
/// progress, and for each pod that has to go first its grace period.
pub(super) fn patience(of: &Seen<'_>) -> u64 {
    let deadline = match of.workload.kind {
        Kind::Deployment { progress_deadline, .. } => progress_deadline.as_secs_f64(),
        _ => 600.0,
    };
    let grace = of.workload.template.grace.as_secs_f64();
    (deadline + grace * f64::from(of.most().min(10))).ceil() as u64
}

const TEMPLATE: &str = r#"# Deploys @NAME@, planned for @LOAD@.
# Copy to .github/workflows/deploy.yaml. It needs:
#   variable PLAN_REPOSITORY   Git URL of plan's source
#   variable PLAN_REVISION     the commit of it that this plan was made with
#   secret   KUBE_CONFIG       a kubeconfig that may apply to the cluster
# What is deployed is what is committed: whoever builds images commits their tags to
# kubernetes/ (`kustomize edit set image` in the overlay does it).
name: deploy

on:
  pull_request:
  push:
    branches: [main]

permissions:
  contents: read

concurrency:
  group: deploy-${{ github.ref }}
  cancel-in-progress: false

env:
  # Namespace and object of each rollout that is waited for.
  ROLLOUTS: |
    @ROLLOUTS@

jobs:
  gate:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    steps:
    - uses: actions/checkout@v4
    - name: Install plan
      env:
        REPOSITORY: ${{ vars.PLAN_REPOSITORY }}
        REVISION: ${{ vars.PLAN_REVISION }}
      run: cargo install --locked --git "$REPOSITORY" --rev "$REVISION" kubeplan
    - name: Find traps
      run: plan validate @INPUT@ -o sarif > plan.sarif
    # Exit code 1 is a missed objective, 3 an unsure one: neither is deployed.
    - name: Keep the objectives
      run: plan simulate @INPUT@ --seed @SEED@ --out plan-results
    - name: Keep the results
      if: always()
      uses: actions/upload-artifact@v4
      with:
        name: plan
        path: |
          plan.sarif
          plan-results

  deploy:
    needs: gate
    if: github.event_name == 'push'
    runs-on: ubuntu-latest
    environment: production
    timeout-minutes: 120
    steps:
    - uses: actions/checkout@v4
    - uses: azure/setup-kubectl@v4
    - name: Reach the cluster
      env:
        KUBE_CONFIG: ${{ secrets.KUBE_CONFIG }}
      run: |
        umask 077
        printf '%s' "$KUBE_CONFIG" > "$RUNNER_TEMP/kubeconfig"
        echo "KUBECONFIG=$RUNNER_TEMP/kubeconfig" >> "$GITHUB_ENV"
    # What is not changed by this deployment must not be rolled back by it.
    - name: Remember the revisions
      run: |
        cat > "$RUNNER_TEMP/revisions" <<'END'
        revisions() {
          printf '%s' "$ROLLOUTS" | while read -r namespace object; do
            revision=$(kubectl -n "$namespace" get "$object" --ignore-not-found \
              -o jsonpath='{.metadata.annotations.deployment\.kubernetes\.io/revision}{.status.updateRevision}')
            echo "$namespace $object ${revision:-none}"
          done
        }
        END
        . "$RUNNER_TEMP/revisions"
        revisions | tee "$RUNNER_TEMP/before"
    - name: Apply
      run: kubectl apply -k @APPLIED@
    - name: Wait for the rollouts
      run: |
        printf '%s' "$ROLLOUTS" | while read -r namespace object; do
          kubectl -n "$namespace" rollout status "$object" --timeout=@PATIENCE@s || exit 1
        done
    - name: Roll back what was changed
      if: failure()
      run: |
        . "$RUNNER_TEMP/revisions"
        revisions > "$RUNNER_TEMP/after"
        while read -r namespace object revision; do
          if [ "$revision" = none ] || grep -qxF "$namespace $object $revision" "$RUNNER_TEMP/after"; then
            continue
          fi
          kubectl -n "$namespace" rollout undo "$object"
          kubectl -n "$namespace" rollout status "$object" --timeout=@PATIENCE@s
        done < "$RUNNER_TEMP/before"
"#;
