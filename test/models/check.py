"""Reads paths, one a line; prints for each `ok`, `skip: why` where this onnx is older than the file's opset, or what the checker says."""

import sys

import onnx

known = onnx.defs.onnx_opset_version()
for path in sys.stdin.read().split():
    opset = max(entry.version for entry in onnx.load(path, load_external_data=False).opset_import if entry.domain == "")
    if opset > known:
        print(f"skip: onnx {onnx.__version__} knows opsets up to {known}, not {opset}")
        continue
    try:
        onnx.checker.check_model(path, full_check=True)
        print("ok")
    except Exception as error:
        print(f"{path}: {' '.join(str(error).split())[:300]}")
