"""numpy's binary16: the value of all 65,536 bit patterns (as float32 bits), and the rounding of the float32 bits on stdin."""
import sys

import numpy as np

bits = np.array(sys.stdin.read().split(), np.uint32)
with np.errstate(all="ignore"):
    print(*np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float32).view(np.uint32))
    print(*bits.view(np.float32).astype(np.float16).view(np.uint16))
