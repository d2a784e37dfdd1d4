"""Writes normalise.json: values and gradients of the normalisations by PyTorch, in float64.

    python3 normalise.py > normalise.json

Written for PyTorch 1.13. RMS norm, which that version lacks, is its formula by PyTorch's operators.
"""
import json

import torch
import torch.nn.functional as F

torch.manual_seed(4)
torch.set_default_dtype(torch.float64)


def values(t):
    return {"shape": list(t.shape), "data": t.detach().reshape(-1).tolist()}


def rms_norm(x, axes, weight, eps):
    y = x / torch.sqrt((x * x).mean(dim=tuple(range(x.dim() - axes, x.dim())), keepdim=True) + eps)
    return y if weight is None else y * weight


def case(name, f, x, weight=None, bias=None, **attributes):
    """One value and the gradients of sum(dy * value)."""
    leaves = [t for t in (x, weight, bias) if t is not None]
    for t in leaves:
        t.requires_grad_()
        t.grad = None
    y = f(x, weight, bias)
    dy = torch.randn_like(y)
    y.backward(dy)
    out = {"name": name, "x": values(x), "dy": values(dy), "y": values(y), "dx": values(x.grad), **attributes}
    for key, t in (("scale", weight), ("shift", bias)):
        if t is not None:
            out[key], out["d" + key] = values(t), values(t.grad)
    return out


def draw(*shape):
    return torch.randn(*shape) * 1.5 + 0.7


cases = []
for shape, last, eps in (((3, 5), 1, 1e-5), ((2, 3, 4), 2, 1e-5), ((2, 3, 4), 1, 1e-3), ((4,), 1, 0.0)):
    own = shape[len(shape) - last:]
    for affine in (False, True):
        w, b = (draw(*own), draw(*own)) if affine else (None, None)
        cases.append(case("layernorm", lambda x, w, b: F.layer_norm(x, own, w, b, eps), draw(*shape), w, b, last=last, epsilon=eps))
        cases.append(case("rmsnorm", lambda x, w, b: rms_norm(x, last, w, eps), draw(*shape), w, last=last, epsilon=eps))
for shape, groups in (((3, 6), 2), ((2, 4, 5), 2), ((2, 4, 3, 2), 4), ((2, 4, 3), 1)):
    cases.append(case("groupnorm", lambda x, w, b: F.group_norm(x, groups, w, b, 1e-5), draw(*shape), draw(shape[1]), draw(shape[1]),
                      groups=groups, epsilon=1e-5))
for shape in ((2, 3, 4), (2, 3, 2, 3)):
    cases.append(case("instancenorm", lambda x, w, b: F.instance_norm(x, weight=w, bias=b, eps=1e-5), draw(*shape), draw(shape[1]), draw(shape[1]),
                      epsilon=1e-5))

# Batch norm: several steps of training, each with values, gradients and the running statistics after it, then evaluation.
# The channel axis is moved to the place that the case says.
for shape, axis, momentum, eps in (((5, 3), 1, 0.1, 1e-5), ((4, 2, 3), 1, 0.3, 1e-3), ((3, 4, 2, 2), 1, 1.0, 1e-5), ((3, 4, 2), 2, 0.1, 1e-5), ((2, 6), 0, 0.2, 1e-5)):
    channels = shape[axis]
    mean, variance = torch.zeros(channels), torch.ones(channels)
    w, b = draw(channels), draw(channels)

    def batch_norm(x, w, b, training):
        y = F.batch_norm(x.movedim(axis, 1) if axis != 0 else x.movedim(0, -1), mean, variance, w, b, training, momentum, eps)
        return y.movedim(1, axis) if axis != 0 else y.movedim(-1, 0)

    for step in range(4):
        training = step < 3
        c = case("batchnorm", lambda x, w, b: batch_norm(x, w, b, training), draw(*shape), w, b,
                 axis=axis, momentum=momentum, epsilon=eps, step=step, train=training)
        c["mean"], c["variance"] = values(mean), values(variance)
        cases.append(c)

print(json.dumps({"source": "PyTorch " + torch.__version__, "cases": cases}, indent=None, separators=(",", ":")).replace('{"name"', '\n{"name"'))
