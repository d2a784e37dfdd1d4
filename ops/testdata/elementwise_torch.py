#!/usr/bin/python3
"""Writes elementwise_torch.txt: elementwise functions, their first and second derivatives, by PyTorch in float64.

    python3 elementwise_torch.py        (made with PyTorch 1.13.1, NumPy 1.24.2, Debian's python3-torch)

A line is a function, its operands, its value, its derivatives by them and, of one operand, its second derivative; "-" where
PyTorch offers none. Numbers are written as Python prints them, which reads back exactly. Points are exact in float32 where
float32 has their size, so that one file serves both types.
"""
import numpy as np
import torch
import torch.nn.functional as F

MAGNITUDES = [0, 1e-308, 1e-300, 1e-100, 1e-40, 1e-30, 1e-20, 1e-10, 1e-6, 1e-3, 0.01, 0.1, 0.25, 0.5, 0.7, 0.9, 1, 1.2, 1.3, 1.5, 1.7, 2, 2.5, 3,
              3.5, 4, 5, 5.5, 6, 7, 8, 9, 10, 12, 15, 17, 20, 25, 30, 36, 37, 38, 40, 50, 60, 80, 88, 100, 300, 700, 709, 745, 1000, 1e4, 1e6, 1e10, 1e20, 1e30]


def exact(v):
    w = float(np.float32(v))
    return w if w != 0 and abs(v) > 1e-37 else float(v)


POINTS = sorted({s * exact(v) for v in MAGNITUDES for s in (1, -1)})
INFINITE = [-float("inf")] + POINTS + [float("inf")]


def between(lo, hi):
    return [x for x in POINTS if lo <= x <= hi]


UNIT = between(-1, 1) + [-0.99, -0.9990234375, 0.9990234375, 1 - 2.0**-20, 2.0**-20 - 1]
POSITIVE = between(0, 1e30)
ONE = [0.9990234375, 1 + 2.0**-20, 1 - 2.0**-20, 1.5, 8, 1024, 1000]

# name: (function, points)
UNARY = {
    "abs": (torch.abs, INFINITE), "sign": (torch.sign, INFINITE), "neg": (torch.neg, INFINITE), "square": (torch.square, between(-1e10, 1e10)),
    "reciprocal": (torch.reciprocal, [x for x in POINTS if abs(x) > 1e-30]),
    "floor": (torch.floor, INFINITE), "ceil": (torch.ceil, INFINITE), "round": (torch.round, INFINITE), "trunc": (torch.trunc, INFINITE),
    "sqrt": (torch.sqrt, POSITIVE), "rsqrt": (torch.rsqrt, [x for x in POSITIVE if x > 1e-30]),
    "exp": (torch.exp, between(-1e30, 80)), "exp2": (torch.exp2, between(-1e30, 100)), "expm1": (torch.expm1, between(-1e30, 80)),
    "log": (torch.log, [x for x in POSITIVE if x > 1e-30] + ONE), "log2": (torch.log2, [x for x in POSITIVE if x > 1e-30] + ONE),
    "log10": (torch.log10, [x for x in POSITIVE if x > 1e-30] + ONE), "log1p": (torch.log1p, POSITIVE + between(-0.9, -1e-300)),
    "sin": (torch.sin, between(-1e4, 1e4)), "cos": (torch.cos, between(-1e4, 1e4)), "tan": (torch.tan, between(-1e4, 1e4)),
    "asin": (torch.asin, UNIT), "acos": (torch.acos, UNIT), "atan": (torch.atan, INFINITE),
    "sinh": (torch.sinh, between(-80, 80)), "cosh": (torch.cosh, between(-80, 80)), "tanh": (torch.tanh, INFINITE),
    "asinh": (torch.asinh, between(-1e10, 1e10)), "acosh": (torch.acosh, [x for x in between(1, 1e10)] + ONE[1:2]), "atanh": (torch.atanh, UNIT),
    "erf": (torch.erf, INFINITE), "erfc": (torch.erfc, INFINITE),
    "clamp": (lambda x: torch.clamp(x, -1.5, 2), INFINITE),
    "relu": (F.relu, INFINITE), "sigmoid": (torch.sigmoid, INFINITE), "logsigmoid": (F.logsigmoid, INFINITE),
    "softplus": (lambda x: F.softplus(x, 1, 700), INFINITE), "softplus_2.5": (lambda x: F.softplus(x, 2.5, 700), INFINITE),
    "leakyrelu_0.01": (F.leaky_relu, INFINITE), "leakyrelu_1.5": (lambda x: F.leaky_relu(x, 1.5), INFINITE),
    "elu": (F.elu, INFINITE), "elu_0.3": (lambda x: F.elu(x, 0.3), INFINITE), "selu": (F.selu, INFINITE), "celu_0.7": (lambda x: F.celu(x, 0.7), INFINITE),
    "silu": (F.silu, INFINITE), "gelu": (F.gelu, INFINITE), "gelutanh": (lambda x: F.gelu(x, approximate="tanh"), INFINITE), "mish": (F.mish, INFINITE),
    "hardsigmoid": (F.hardsigmoid, INFINITE), "hardswish": (F.hardswish, INFINITE), "hardtanh": (lambda x: F.hardtanh(x, -1.5, 2), INFINITE),
    "relu6": (F.relu6, INFINITE), "softsign": (F.softsign, INFINITE), "threshold": (lambda x: F.threshold(x, 0.5, -2), INFINITE),
    "softshrink": (lambda x: F.softshrink(x, 0.5), INFINITE), "hardshrink": (lambda x: F.hardshrink(x, 0.5), INFINITE), "tanhshrink": (F.tanhshrink, INFINITE),
    "prelu": (lambda x: F.prelu(x.reshape(1, -1), torch.tensor([0.25], dtype=x.dtype)).reshape(-1), INFINITE),
}

PLANE = [(a, b) for a in (-3.7, -1, -0.3, 0, 0.6, 1, 2.4, 40) for b in (-2.3, -1, 0, 0.7, 1, 3.1, -40)]
NONZERO = [(a, b) for a, b in PLANE if b != 0 and not float(a / b).is_integer()]
AWAY = [(a, b) for a, b in PLANE if (a, b) != (0, 0)]
BINARY = {
    "minimum": (torch.minimum, PLANE), "maximum": (torch.maximum, PLANE),
    "mod": (torch.remainder, NONZERO), "fmod": (torch.fmod, NONZERO), "floordiv": (lambda a, b: torch.div(a, b, rounding_mode="floor"), NONZERO),
    "atan2": (torch.atan2, AWAY), "hypot": (torch.hypot, AWAY), "logaddexp": (torch.logaddexp, PLANE),
    "pow": (torch.pow, [(abs(a) + 0.5, b) for a, b in PLANE]), "lerp": (lambda a, b: torch.lerp(a, b, 0.3), PLANE),
}


def grad(y, x):
    if not y.requires_grad:
        return None
    try:
        g, = torch.autograd.grad(y.sum(), x, create_graph=True, allow_unused=True)
    except RuntimeError:
        return None
    return torch.zeros_like(x) if g is None else g


def numbers(t, count):
    return ["-"] * count if t is None else [repr(v) for v in (t.detach() + torch.zeros(count, dtype=t.dtype)).tolist()]


with open("elementwise_torch.txt", "w") as out:
    out.write("# PyTorch %s by elementwise_torch.py: function, operands, value, first derivatives, second derivative\n" % torch.__version__)
    for name, (f, points) in UNARY.items():
        x = torch.tensor(sorted(set(points)), dtype=torch.float64, requires_grad=True)
        y = f(x)
        first = grad(y, x)
        second = None if first is None else grad(first, x)
        for row in zip(*(numbers(t, len(x)) for t in (x, y, first, second))):
            out.write(" ".join((name,) + row) + "\n")
    for name, (f, points) in BINARY.items():
        a = torch.tensor([p[0] for p in points], dtype=torch.float64, requires_grad=True)
        b = torch.tensor([p[1] for p in points], dtype=torch.float64, requires_grad=True)
        y = f(a, b)
        for row in zip(*(numbers(t, len(a)) for t in (a, b, y, grad(y, a), grad(y, b)))):
            out.write(" ".join((name,) + row) + "\n")
