"""Validates the manifests beside it without a cluster: the Service and Job by kubernetes-validate, the TrainJob and the
JobSet by their CRDs.

usage: validate.py TRAINER JOBSET, the directories of the Go modules github.com/kubeflow/trainer/v2 and sigs.k8s.io/jobset
"""

import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml

here = pathlib.Path(__file__).parent
trainer, jobset = (pathlib.Path(argument) for argument in sys.argv[1:])


def fits(manifest, crd):
    """Checks a manifest against a CRD that is closed: a key that it does not name is an error, as with --strict."""
    custom = yaml.safe_load(crd.read_text())["spec"]
    version = custom["versions"][0]
    document = load(manifest)[0]
    want = {"apiVersion": f"{custom['group']}/{version['name']}", "kind": custom["names"]["kind"]}
    got = {key: document[key] for key in want}
    assert got == want, f"{manifest}: {got}, the CRD is of {want}"
    schema = version["schema"]["openAPIV3Schema"]
    close(schema)
    schema["properties"]["metadata"] = {"type": "object"}
    jsonschema.validate(document, schema)
    print(f"{manifest}: {want['kind']} fits the CRD of {want['apiVersion']}")


def close(schema):
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema and "additionalProperties" not in schema:
            schema["additionalProperties"] = False
        if schema.get("x-kubernetes-int-or-string"):
            schema.pop("type", None)
        for part in schema.values():
            close(part)
    elif isinstance(schema, list):
        for part in schema:
            close(part)


def load(name):
    return list(yaml.safe_load_all((here / name).read_text()))


for document in load("indexed-job.yaml"):
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    print("indexed-job.yaml:", document["kind"], "fits Kubernetes", kubernetes_validate.latest_version())

fits("trainjob.yaml", trainer / "manifests/base/crds/trainer.kubeflow.org_trainjobs.yaml")
fits("jobset.yaml", jobset / "config/components/crd/bases/jobset.x-k8s.io_jobsets.yaml")
