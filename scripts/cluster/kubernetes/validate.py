"""Validates the manifests beside it without a cluster: the Service and Job by kubernetes-validate, the TrainJob by the
CRD of Kubeflow Trainer, the JobSet by the copy of JobSet's schema in Trainer's ClusterTrainingRuntime.

usage: validate.py DIRECTORY_OF_THE_GO_MODULE_github.com/kubeflow/trainer/v2
"""

import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml

here = pathlib.Path(__file__).parent
crds = pathlib.Path(sys.argv[1]) / "manifests/base/crds"


def crd(name, *path):
    """The schema under path of a CRD, closed: a key that it does not name is an error, as with --strict."""
    document = yaml.safe_load((crds / f"trainer.kubeflow.org_{name}.yaml").read_text())
    schema = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for key in path:
        schema = schema["properties"][key]
    close(schema)
    return schema


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

trainjob = crd("trainjobs")
trainjob["properties"]["metadata"] = {"type": "object"}
jsonschema.validate(load("trainjob.yaml")[0], trainjob)
print("trainjob.yaml: TrainJob fits the CRD")

jsonschema.validate(load("jobset.yaml")[0]["spec"], crd("clustertrainingruntimes", "spec", "template", "spec"))
print("jobset.yaml: its spec fits the JobSet that a ClusterTrainingRuntime embeds")
