"""Runs models in onnx.reference: no ONNX Runtime. Reads JSON {"model": path, "feeds": {name: {"dtype", "dims", "data"}}};
prints {output: [numbers]}."""

import json
import sys

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

case = json.load(sys.stdin)
feeds = {name: np.array(t["data"], dtype=t["dtype"]).reshape(t["dims"]) for name, t in case["feeds"].items()}
evaluator = ReferenceEvaluator(onnx.load(case["model"]))
names = evaluator.output_names
print(json.dumps({name: value.ravel().tolist() for name, value in zip(names, evaluator.run(None, feeds))}))
