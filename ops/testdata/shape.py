"""Writes shape.json: values and gradients of shape, indexing, convolution and pooling operators, from NumPy 1.24 and PyTorch 1.13.

    python3 shape.py > shape.json

Operands are small integers, so that sums of products are exact and every order of summation gives the same number.
"""
import itertools
import json

import numpy as np
import torch
import torch.nn.functional as F

random = np.random.default_rng(11)
cases = []


def integers(*shape):
    return random.integers(-4, 5, shape).astype(np.float64)


def case(op, out, inputs, dy=None, grads=None, **args):
    dtypes = {"float64": "float64", "int64": "int64"}
    array = lambda a: {"dtype": dtypes[str(a.dtype)], "shape": list(a.shape), "data": a.ravel().tolist()}
    entry = {"op": op, "args": args, "in": [array(np.asarray(a)) for a in inputs], "out": array(np.asarray(out))}
    if dy is not None:
        entry["dy"] = np.asarray(dy).ravel().tolist()
        entry["grads"] = [None if g is None else np.asarray(g).ravel().tolist() for g in grads]
    cases.append(entry)


def with_gradients(op, f, *inputs, **args):
    """A case whose cotangents are integers too; integer operands have no gradient."""
    tensors = [torch.tensor(a, requires_grad=a.dtype == np.float64) for a in inputs]
    out = f(*tensors)
    dy = integers(*out.shape)
    floats = [t for t in tensors if t.requires_grad]
    grads = iter(torch.autograd.grad(out, floats, torch.tensor(dy)))
    case(op, out.detach().numpy(), inputs, dy, [next(grads).numpy() if t.requires_grad else None for t in tensors], **args)


# Slices: NumPy's bounds and steps.
for start, stop, step in [(None, None, None), (1, 4, None), (-3, None, None), (None, -2, None), (None, None, -1), (None, None, -2), (5, 1, -1), (-1, -9, -3),
                          (2, 2, 1), (4, 1, 1), (-99, 99, 2), (99, -99, -2), (0, None, 3), (3, None, -2), (6, 7, 1), (7, None, 1)]:
    x = integers(2, 7)
    case("slice", x[:, slice(start, stop, step)], [x], axis=1, start=start, stop=stop, step=step or 1)
with_gradients("slice", lambda x: x[2:4], integers(5, 2), axis=0, start=2, stop=4, step=1)

# Indexing.
x = integers(3, 4)
for axis, index in [(0, [2, 0, 2]), (1, [[0, -1], [3, -4]]), (-1, [1]), (0, -1)]:
    case("take", np.take(x, np.array(index, dtype=np.int64), axis=axis), [x, np.array(index, dtype=np.int64)], axis=axis)
index = np.array([[2, 1], [0, 0], [3, 3]])
case("takealongaxis", np.take_along_axis(x, index, axis=1), [x, index], axis=1)
with_gradients("takealongaxis", lambda x, i: torch.gather(x, 1, i), x, index, axis=1)
with_gradients("scatteradd", lambda x, i, u: x.scatter_add(1, i, u), x, index, integers(3, 2), axis=1)
with_gradients("indexadd", lambda x, i, u: x.index_add(1, i, u), x, np.array([3, 0, 3]), integers(3, 3), axis=1)
with_gradients("embedding", lambda t, i: F.embedding(i, t), integers(5, 3), np.array([[0, 4, 4], [4, 2, 0]]))
with_gradients("embedding", lambda t, i: F.embedding(i, t), integers(2, 2), np.array([1, 1, 1, 1]))
case("onehot", F.one_hot(torch.tensor([[0, 2], [1, 3]]), 5).numpy(), [np.array([[0, 2], [1, 3]])], n=5)

# Padding.
for margins in [[[1, 2], [0, 1]], [[0, 0], [2, 2]]]:
    x = integers(3, 4)
    case("pad", np.pad(x, margins, constant_values=7), [x], margins=margins, value=7)
    case("padreflect", np.pad(x, margins, mode="reflect"), [x], margins=margins)
    case("padedge", np.pad(x, margins, mode="edge"), [x], margins=margins)
    case("padcircular", np.pad(x, margins, mode="wrap"), [x], margins=margins)
with_gradients("pad", lambda x: F.pad(x, (1, 0, -1, 2), value=3), integers(3, 2), margins=[[-1, 2], [1, 0]], value=3)
with_gradients("padreflect", lambda x: F.pad(x, (2, 1), mode="reflect"), integers(2, 4), margins=[[0, 0], [2, 1]])
with_gradients("padedge", lambda x: F.pad(x, (2, 1), mode="replicate"), integers(2, 4), margins=[[0, 0], [2, 1]])
with_gradients("padcircular", lambda x: F.pad(x, (2, 1), mode="circular"), integers(1, 2, 4), margins=[[0, 0], [0, 0], [2, 1]])

# Order and repetition.
x = integers(2, 3)
for shift in [1, -1, 2, 5, -7]:
    case("roll", np.roll(x, shift, axis=1), [x], axis=1, n=shift)
case("flip", np.flip(x, 0), [x], axis=0)
case("tile", np.tile(x, (3, 1, 2)), [x], reps=[3, 1, 2])
case("tile", np.tile(x, 2), [x], reps=[2])
case("repeat", np.repeat(x, 3, axis=0), [x], axis=0, n=3)
for k in range(-3, 4):
    case("tril", np.tril(x, k), [x], n=k)
    case("triu", np.triu(x, k), [x], n=k)
case("moveaxis", np.moveaxis(np.arange(24.0).reshape(2, 3, 4), 0, 2), [np.arange(24.0).reshape(2, 3, 4)], axis=0, n=2)
case("moveaxis", np.moveaxis(np.arange(24.0).reshape(2, 3, 4), -1, 1), [np.arange(24.0).reshape(2, 3, 4)], axis=-1, n=1)
case("swapaxes", np.swapaxes(np.arange(24.0).reshape(2, 3, 4), 0, -1), [np.arange(24.0).reshape(2, 3, 4)], axis=0, n=-1)
with_gradients("concat", lambda *x: torch.cat(x, 1), integers(2, 1), integers(2, 3), integers(2, 2), axis=1)
with_gradients("stack", lambda *x: torch.stack(x, -1), integers(2, 2), integers(2, 2), axis=-1)

# Convolutions over stride × padding × dilation × groups.
for stride, padding, dilation, groups in itertools.product([[1, 1], [2, 1]], [[0, 0], [1, 2]], [[1, 1], [1, 2]], [1, 2]):
    args = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    with_gradients("conv2d", lambda x, w, b: F.conv2d(x, w, b, **args), integers(2, 2, 4, 5), integers(4, 2 // groups, 2, 3), integers(4), **args)
for stride, padding, dilation, groups in [([1], [0], [1], 1), ([2], [1], [1], 2), ([3], [2], [2], 1)]:
    args = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    with_gradients("conv1d", lambda x, w, b: F.conv1d(x, w, b, **args), integers(2, 4, 9), integers(2, 4 // groups, 3), integers(2), **args)
for dilation in [[1, 1], [2, 3]]:
    with_gradients("conv2dsame", lambda x, w: F.conv2d(x, w, padding="same", dilation=dilation), integers(1, 2, 5, 6), integers(2, 2, 2, 3), dilation=dilation)
for stride, padding, extra, dilation, groups in [([1, 1], [0, 0], [0, 0], [1, 1], 1), ([2, 2], [1, 0], [1, 0], [1, 1], 2), ([3, 1], [1, 2], [2, 0], [1, 2], 1)]:
    args = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    with_gradients("convtranspose2d", lambda x, w, b: F.conv_transpose2d(x, w, b, output_padding=extra, **args), integers(2, 2, 3, 4), integers(2, 4 // groups, 2, 3),
                   integers(4), outputPadding=extra, **args)
with_gradients("convtranspose1d", lambda x, w, b: F.conv_transpose1d(x, w, b, stride=2, padding=1), integers(2, 3, 4), integers(3, 2, 3), integers(2), stride=[2], padding=[1])

# Pools; operands of the maximum have ties, which PyTorch gives to the first.
for size, stride, padding, dilation in [([2, 2], None, [0, 0], [1, 1]), ([3, 2], [1, 2], [1, 0], [1, 1]), ([2, 3], [2, 1], [1, 1], [2, 1])]:
    args = dict(size=size, stride=stride, padding=padding)
    with_gradients("maxpool2d", lambda x: F.max_pool2d(x, size, stride, padding, dilation), integers(2, 2, 5, 6), dilation=dilation, **args)
    for exclude in [False, True]:
        with_gradients("avgpool2d", lambda x: F.avg_pool2d(x, size, stride, padding, count_include_pad=not exclude), integers(2, 2, 5, 6), exclude=exclude, **args)
with_gradients("maxpool1d", lambda x: F.max_pool1d(x, 3, 2, 1), integers(2, 2, 7), size=[3], stride=[2], padding=[1])
with_gradients("avgpool1d", lambda x: F.avg_pool1d(x, 3, 2, 1), integers(2, 2, 7), size=[3], stride=[2], padding=[1])
with_gradients("unfold", lambda x: F.unfold(x, (2, 3), (1, 2), (1, 0), (2, 1)), integers(2, 2, 4, 5), size=[2, 3], dilation=[1, 2], padding=[1, 0], stride=[2, 1])
with_gradients("fold", lambda x: F.fold(x, (4, 5), (2, 3), padding=(1, 0), stride=(2, 1)), integers(1, 12, 9), size=[2, 3], padding=[1, 0], stride=[2, 1], reps=[4, 5])
with_gradients("upsample", lambda x: F.interpolate(x, scale_factor=2, mode="nearest"), integers(1, 2, 2, 3), n=2)

versions = "NumPy %s, PyTorch %s" % (np.__version__, torch.__version__)
lines = ",\n".join(json.dumps(c, separators=(",", ":")).replace(".0,", ",").replace(".0]", "]") for c in cases)
print('{"source":%s,"cases":[\n%s\n]}' % (json.dumps(versions), lines))
