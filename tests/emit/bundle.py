#!/usr/bin/env python3
"""Holds a bundle of `plan tune --form bundle` against the tools that will read it.

    python3 -m venv /tmp/others && /tmp/others/bin/pip install kubernetes-validate
    /tmp/others/bin/python tests/emit/bundle.py outputs/example

On PATH: kubectl (or kustomize), helm and promtool
(`go install helm.sh/helm/v3/cmd/helm@latest`,
`go install github.com/prometheus/prometheus/cmd/promtool@latest`).
"""
import glob
import shutil
import subprocess
import sys

import kubernetes_validate
import yaml

VERSIONS = ["1.31", kubernetes_validate.latest_version()]


def run(*words, cwd=None):
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr}{done.stdout}")
    return done.stdout


def objects(text):
    return [one for one in yaml.safe_load_all(text) if one]


def key(one):
    metadata = one["metadata"]
    return one["apiVersion"], one["kind"], metadata.get("namespace", "default"), metadata["name"]


def main(bundle):
    build = ["kubectl", "kustomize"] if shutil.which("kubectl") else ["kustomize", "build"]
    folders = [f"{bundle}/kubernetes"] + sorted(glob.glob(f"{bundle}/kubernetes/overlays/*"))
    built = {folder: objects(run(*build, folder)) for folder in folders}
    [chart] = glob.glob(f"{bundle}/helm/*")
    run("helm", "lint", chart)
    rendered = objects(run("helm", "template", "release", chart, "-n", "default"))
    whole = {key(one): one for one in built[folders[0]]}
    if {key(one): one for one in rendered} != whole:
        sys.exit("the chart renders to other objects than the kustomization")
    valid = wrong = 0
    for folder, all_of_it in built.items():
        for one in all_of_it:
            for version in VERSIONS:
                try:
                    kubernetes_validate.validate(one, version, strict=True)
                    valid += 1
                except kubernetes_validate.SchemaNotFoundError:
                    print(f"{folder}: no schema for {key(one)} in {version}")
                except kubernetes_validate.ValidationError as error:
                    wrong += 1
                    print(f"{folder}: {key(one)} by {version}: {error.message[:150]}")
    rules = f"{bundle}/operations/prometheus"
    print(run("promtool", "check", "rules", "rules.yaml", cwd=rules).strip())
    print(run("promtool", "test", "rules", "rules_test.yaml", cwd=rules).strip())
    print(f"{len(whole)} objects, {len(folders)} kustomizations, {valid} found valid by {VERSIONS}")
    return 1 if wrong or not valid else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
