"""Writes functional.json: Jacobians, Hessians and products with them by torch.autograd.functional, in float64.

    python3 functional.py > functional.json

Written for PyTorch 1.13. Two functions of x: (3) and w: (3, 2): a layer with two results, and a scalar in which all second derivatives
are dense.
"""
import json

import torch
from torch.autograd.functional import hessian, hvp, jacobian, jvp, vjp

torch.manual_seed(6)
torch.set_default_dtype(torch.float64)


def values(t):
    return {"shape": list(t.shape), "data": t.detach().reshape(-1).tolist()}


def layer(x, w):
    return torch.tanh(x @ w) * torch.softmax(x[:2], 0)


def scalar(x, w):
    return torch.logsumexp(x @ w, 0) * torch.exp(-(x * x).sum()) + (w ** 3).mean()


def penalty(x, w):
    """(|grad_x scalar| - 1)^2, with its gradient by w: a gradient through a gradient."""
    (slope,) = torch.autograd.grad(scalar(x, w), x, create_graph=True)
    return (slope.norm() - 1) ** 2


def inner(x, w):
    """The loss after one step of gradient descent by w, with its gradient by w."""
    (step,) = torch.autograd.grad(scalar(x, w), w, create_graph=True)
    return scalar(x * 0.5, w - 0.3 * step)


x, w = torch.randn(3), torch.randn(3, 2)
vx, vw, u = torch.randn(3), torch.randn(3, 2), torch.randn(2)
out = {"source": "PyTorch " + torch.__version__, "x": x, "w": w, "vx": vx, "vw": vw, "u": u}
out["jacobian x"], out["jacobian w"] = jacobian(layer, (x, w))
(out["hessian xx"], out["hessian xw"]), (out["hessian wx"], out["hessian ww"]) = hessian(scalar, (x, w))
out["jvp"] = jvp(layer, (x, w), (vx, vw))[1]
out["vjp x"], out["vjp w"] = vjp(layer, (x, w), u)[1]
out["hvp x"], out["hvp w"] = hvp(scalar, (x, w), (vx, vw))[1]
x.requires_grad_()
w.requires_grad_()
for name, f in (("penalty", penalty), ("inner", inner)):
    y = f(x, w)
    out[name] = y
    (out[name + " w"],) = torch.autograd.grad(y, w)
lines = (json.dumps(k) + ":" + json.dumps(values(v) if torch.is_tensor(v) else v) for k, v in out.items())
print("{" + ",\n".join(lines) + "}")
