"""Reads JSON {"models": [{"file", "outputs": {name: numbers}}], "feeds": [[name, dims, numbers]]}; checks each model fully with onnx.checker, runs it in
onnx.reference, and prints for each the largest difference to `outputs`, as a share of the largest number."""

import json
import sys

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

request = json.load(sys.stdin)
feeds = {name: np.array(numbers, np.float32).reshape(dims) for name, dims, numbers in request["feeds"]}
worst = []
for model in request["models"]:
    onnx.checker.check_model(model["file"], full_check=True)
    evaluator = ReferenceEvaluator(model["file"])
    found = dict(zip(evaluator.output_names, evaluator.run(None, feeds), strict=True))
    apart = [
        float(np.abs(found[name].ravel() - numbers).max() / max(1e-6, np.abs(numbers).max()))
        for name, numbers in model["outputs"].items()
    ]
    worst.append(max(apart))
print(json.dumps(worst))
