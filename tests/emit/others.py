#!/usr/bin/env python3
"""Holds what `plan` writes against Helm itself and the schemas of Kubernetes.

    python3 -m venv /tmp/others && /tmp/others/bin/pip install helm-python-sdk kubernetes-validate
    PLAN_EMIT_OUT=/tmp/emitted cargo test --test emit export -- --ignored
    /tmp/others/bin/python tests/emit/others.py /tmp/emitted
"""
import glob
import json
import sys

import helm_python
import kubernetes_validate
import yaml

BUILT_IN = ["v1", "apps", "batch", "autoscaling", "policy"]
GONE = ["autoscaling/v2beta1", "autoscaling/v2beta2", "policy/v1beta1", "apps/v1beta1", "apps/v1beta2"]
VERSIONS = ["1.31", kubernetes_validate.latest_version()]


def key(one):
    metadata = one["metadata"]
    return one["apiVersion"], one["kind"], metadata.get("namespace", "default"), metadata["name"]


def documents(text):
    return [one for one in yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if one]


def problem(one, version):
    """What the schema says of an object: nothing where it is content, `None` where there is none."""
    if "$patch" in one:
        return None  # The user's own patch, no object of the API server's.
    try:
        kubernetes_validate.validate(one, version, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        known = one["apiVersion"].split("/")[0] in BUILT_IN and one["apiVersion"] not in GONE
        return "no schema" if known else None
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(str(step) for step in error.path)}: {error.message[:150]}"
    return ""


def main(folder):
    charts = objects = valid = 0
    wrong = []
    for case in sorted(glob.glob(f"{folder}/*/")):
        expected = {key(one): one for one in json.load(open(f"{case}expected.json"))}
        with helm_python.Chart.load(f"{case}chart") as chart:
            rendered = chart.render({}, name="release", namespace="default")
        got = {key(one): one for text in rendered.values() for one in documents(text)}
        files = glob.glob(f"{case}plain/**/*.yaml", recursive=True)
        plain = {key(one): one for file in files for one in documents(open(file))}
        charts += 1
        for name, one in expected.items():
            objects += 1
            for form, found in (("chart", got.get(name)), ("plain", plain.get(name))):
                if found != one:
                    wrong.append(f"{case}: {form} of {name} differs:\n  {found}\n  {one}")
        if len(got) != len(expected) or len(plain) != len(expected):
            wrong.append(f"{case}: {len(got)} and {len(plain)} objects for {len(expected)}")
        for name, one in plain.items():
            for version in VERSIONS:
                told = problem(one, version)
                valid += told == ""
                if told:
                    wrong.append(f"{case}: {name} by {version}: {told}")
    print(f"{charts} charts, {objects} objects, {valid} found valid by {VERSIONS}")
    print("\n".join(wrong))
    return 1 if wrong or not charts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
