"""Writes the arrays that arrays_test.go reads back, by NumPy 1.24: python3 arrays.py, in this folder.

Element i of an array of n elements is (7 i mod 11) - 3, where the type has negative numbers, else 7 i mod 11; of bools,
whether that is odd.
"""
import gzip
import struct

import numpy as np


def values(dtype, *shape):
    n = int(np.prod(shape))
    v = 7 * np.arange(n) % 11
    if np.dtype(dtype).kind == "b":
        v = v % 2
    elif np.dtype(dtype).kind != "u":
        v = v - 3
    return v.astype(dtype).reshape(shape)


for name in ["f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"]:
    np.save(name, values(name, 2, 3))
np.save("big", values(">f8", 2, 3))
np.save("columns", np.asfortranarray(values("i4", 2, 3, 4)))
np.save("scalar", values("f8"))
np.save("vector", values("f4", 5))
np.save("empty", values("f4", 0, 3))
np.save("half", values("f2", 2, 3))
np.save("text", np.array(["a", "bc"]))
with open("version2.npy", "wb") as f:
    np.lib.format.write_array(f, values("f4", 2, 3), version=(2, 0))
np.savez("several", weight=values("f4", 2, 3), bias=values("f8", 3), count=np.int64(7))
np.savez_compressed("compressed", weight=values("f4", 2, 3), bias=values("f8", 3), count=np.int64(7))

# Four images of 3 x 2 pixels and their labels, in the IDX format, as bytes put together here.
images = struct.pack(">4B3I", 0, 0, 8, 3, 4, 3, 2) + bytes(10 * i for i in range(24))
labels = struct.pack(">4BI", 0, 0, 8, 1, 4) + bytes([2, 0, 1, 2])
open("images-idx3-ubyte", "wb").write(images)
open("labels-idx1-ubyte", "wb").write(labels)
gzip.GzipFile("images-idx3-ubyte.gz", "wb", mtime=0).write(images)
