"""Second opinion on raised models. Reads lines `original raised opset converted`; prints a JSON list, one entry for each.

`check`: what onnx.checker says of the raised model, or null. `convert`: why onnx.version_converter cannot convert the original, or
null where it wrote the file `converted`.
"""

import json
import sys

import onnx
from onnx import checker, version_converter


def verdict(original: str, raised: str, opset: str, converted: str) -> dict[str, str | None]:
    check = convert = None
    try:
        checker.check_model(onnx.load(raised), full_check=True)
    except Exception as error:  # noqa: BLE001
        check = str(error)
    try:
        onnx.save(version_converter.convert_version(onnx.load(original), int(opset)), converted)
    except Exception as error:  # noqa: BLE001
        convert = str(error)
    return {"check": check, "convert": convert}


print(json.dumps([verdict(*line.split()) for line in sys.stdin.read().splitlines()]))
