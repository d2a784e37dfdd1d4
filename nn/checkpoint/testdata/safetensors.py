# Writes the two safetensors files beside it from the format's definition, with numpy 1.24: foreign.safetensors as other programs
# would (all element types, compact header without padding or checksum, offsets not in the order of the names), own.safetensors as
# this package does (wide elements first, then by name; header padded to 8 bytes; checksum).
import hashlib, json, struct
import numpy as np

half = np.array([0.5, -2.0, 65504.0, 6e-8, -0.0, np.inf], np.float16)
bf16 = (np.array([1.0, -3.140625, 1e38, 0.0], np.float32).view(np.uint32) >> 16).astype(np.uint16)
tensors = [  # name, dtype, array
    ("z.half", "F16", half.reshape(2, 3)),
    ("brain", "BF16", bf16),
    ("f32", "F32", np.array([[1.5, -0.1], [3e-45, 3.4028235e38]], np.float32)),
    ("f64", "F64", np.array([0.1, -1e300])),
    ("scalar", "F64", np.array(2.5)),
    ("empty", "F32", np.zeros((0, 3), np.float32)),
    ("i8", "I8", np.array([-128, 127], np.int8)),
    ("u8", "U8", np.array([0, 255], np.uint8)),
    ("i16", "I16", np.array([-32768, 32767], np.int16)),
    ("u16", "U16", np.array([65535], np.uint16)),
    ("i32", "I32", np.array([-2**31, 2**31 - 1], np.int32)),
    ("u32", "U32", np.array([2**32 - 1], np.uint32)),
    ("i64", "I64", np.array([-2**63, 2**63 - 1], np.int64)),
    ("bool", "BOOL", np.array([True, False, True])),
]


def layout(tensors, metadata):
    header, data = {"__metadata__": metadata} if metadata else {}, b""
    for name, dtype, a in tensors:
        raw = a.astype(a.dtype.newbyteorder("<")).tobytes()
        header[name] = {"dtype": dtype, "shape": list(a.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    return json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode(), data


header, data = layout(tensors, {"format": "np"})
open("foreign.safetensors", "wb").write(struct.pack("<Q", len(header)) + header + data)

size = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "BOOL": 1}
own = sorted((t for t in tensors if t[1] in size), key=lambda t: (-size[t[1]], t[0]))
zeros = "sha256:" + 64 * "0"
header, data = layout(own, {"checksum": zeros, "über": 'a "quoted" line\n'})
header += b" " * (-len(header) % 8)
checksum = "sha256:" + hashlib.sha256(header + data).hexdigest()
header = header.replace(zeros.encode(), checksum.encode(), 1)
open("own.safetensors", "wb").write(struct.pack("<Q", len(header)) + header + data)
