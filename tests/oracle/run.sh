#!/bin/sh
# Builds the oracle and holds our rules to it: run.sh [COUNT [SEED]].
# COUNT is the number of HPA passes; each of the other families gets a tenth.
# Needs Go (see go.mod) and the network, the first time, for the Go modules.
set -eu
cd "$(dirname "$0")"
count=${1:-100000}
seed=${2:-$(date +%s)}
mkdir -p ../../target
go build -o ../../target/oracle .
cd ../..
PLAN_ORACLE=$PWD/target/oracle
export PLAN_ORACLE
echo "Kubernetes $(sed -n 's/^require k8s.io\/kubernetes //p;s/^\tk8s.io\/kubernetes //p' tests/oracle/go.mod), seed $seed"
run() { cargo test --quiet --test oracle -- run "$1" "$2" "$seed"; }
run hpa_reconcile "$count"
for family in deployment_math pdb_math replicaset_pod_ranking scheduler_fit scheduler_other_scores \
    scheduler_resource_scores scheduler_spread_filter scheduler_spread_score; do
    run "$family" "$((count / 10))"
done
