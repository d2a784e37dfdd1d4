"""Writes linear.json: products, reductions, norms and scans with their first and second derivatives, from PyTorch 1.13 and NumPy 1.24.

    python3 linear.py > linear.json

Operands are multiples of 1/16, exact in float32 too. With y = f(x…): "grads" are the gradients of Σ dy·y, "seconds" those of Σ w·grads.
Numbers are strings, because some are not finite. What PyTorch has no derivative for has none here.
"""
import itertools
import json

import numpy as np
import torch

random = np.random.default_rng(17)
torch.set_default_dtype(torch.float64)
cases = []


def draw(*shape):
    return torch.from_numpy(np.asarray(random.integers(-32, 33, size=shape) / 16.0))


def apart(*shape):
    """No two elements are equal, and none is 0."""
    n = int(np.prod(shape))
    return torch.from_numpy(((random.permutation(n) + 1) * np.where(random.random(n) < 0.5, -1, 1) / 16.0).reshape(shape))


def put(t):
    t = torch.as_tensor(t).detach()
    return {"shape": list(t.shape), "data": " ".join(repr(float(v)) for v in t.reshape(-1))}


def case(op, f, *xs, order=2, numpy=None, **attributes):
    """order is how often PyTorch differentiates."""
    xs = [x.clone().requires_grad_(order > 0) for x in xs]
    y = f(*xs)
    if numpy is not None:
        np.testing.assert_allclose(y.detach().numpy(), numpy(*[x.detach().numpy() for x in xs]), rtol=1e-12, atol=1e-12)
    out = {"op": op, **attributes, "in": [put(x) for x in xs], "y": put(y)}
    if order > 0:
        dy = draw(*y.shape)
        grads = torch.autograd.grad((y * dy).sum(), xs, create_graph=order > 1)
        out["dy"], out["grads"] = put(dy), [put(g) for g in grads]
    if order > 1:
        ws = [draw(*x.shape) for x in xs]
        total = sum((g * w).sum() for g, w in zip(grads, ws))
        seconds = torch.autograd.grad(total, xs, allow_unused=True) if total.requires_grad else [None] * len(xs)
        out["w"], out["seconds"] = [put(w) for w in ws], [put(torch.zeros_like(x) if s is None else s) for s, x in zip(seconds, xs)]
    cases.append(out)


# Matrix products: every pair of these shapes that fits.
for a, b in [((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((2, 2, 3), (3, 4)), ((2, 3), (2, 3, 2)), ((2, 2, 3), (2, 3, 2)), ((2, 1, 2, 3), (3, 3, 2)),
             ((1, 2, 3), (2, 3, 1)), ((3,), (2, 3, 2)), ((2, 2, 3), (3,)), ((2, 0), (0, 3)), ((0, 2, 3), (3, 2)), ((2, 3, 1, 2), (1, 1, 2, 2)), ((5, 1, 1), (1, 4)), ((3,), (2, 2, 3, 2))]:
    case("matmul", torch.matmul, draw(*a), draw(*b), numpy=np.matmul)

for formula, *shapes in [
        ("ij,jk->ik", (2, 3), (3, 4)), ("ij,kj->ik", (2, 3), (4, 3)), ("ji,jk->ki", (3, 2), (3, 4)), ("ij,jk", (2, 3), (3, 2)), ("ij,ij->", (2, 3), (2, 3)),
        ("i,i", (4,), (4,)), ("i,j->ij", (2,), (3,)), ("i,j->ji", (2,), (3,)), ("ij,ij->ij", (2, 3), (2, 3)), ("ij,j->i", (2, 3), (3,)), ("ij,i->ij", (2, 3), (2,)),
        ("ij->ji", (2, 3)), ("ij->i", (2, 3)), ("ij->", (2, 3)), ("ii->i", (3, 3)), ("ii", (3, 3)), ("iij->j", (2, 2, 3)), ("ijj->ji", (2, 3, 3)), ("ba", (2, 3)),
        ("bij,bjk->bik", (2, 2, 3), (2, 3, 2)), ("bqhd,bkhd->bhqk", (2, 3, 2, 2), (2, 2, 2, 2)), ("bhqk,bkhd->bqhd", (1, 2, 3, 2), (1, 2, 2, 3)), ("btk,kn->btn", (2, 3, 2), (2, 3)),
        ("bthd,hde->bte", (2, 2, 2, 3), (2, 3, 2)), ("ijk,jil->kl", (2, 3, 2), (3, 2, 2)), ("ijk,lkj->il", (2, 3, 2), (2, 2, 3)), ("ij,kl->ijkl", (2, 2), (2, 3)), ("ij,kl->", (2, 2), (2, 3)),
        ("ij,jk,kl->il", (2, 3), (3, 2), (2, 2)), ("i,ij,j->", (2,), (2, 3), (3,)), ("ij,ik,il->jkl", (3, 2), (3, 2), (3, 2)), ("bn,anm,bm->ba", (2, 3), (2, 3, 2), (2, 2)),
        ("...ij,...jk->...ik", (2, 1, 2, 3), (3, 3, 2)), ("...ij->...ji", (2, 2, 3)), ("i...->...", (3, 2)), ("...i,i->...", (2, 2, 3), (3,)), ("...ii->...i", (2, 3, 3)), ("i...,i...", (3, 2), (3, 2)),
        ("iij,jk->ik", (2, 2, 3), (3, 2)), ("iji,ijj->ij", (2, 3, 2), (2, 3, 3)), ("aAb,bB->AaB", (2, 3, 2), (2, 2))]:
    case("einsum", lambda *x: torch.einsum(formula, *x), *[draw(*s) for s in shapes], formula=formula, numpy=lambda *x: np.einsum(formula, *x))

for a, b, axes in [((2, 3, 4), (3, 4, 2), ([1, 2], [0, 1])), ((2, 3, 4), (4, 3), ([1, 2], [1, 0])), ((2, 3), (3, 2), ([], [])), ((2, 3), (2, 3), ([-1, 0], [1, 0])), ((3,), (3, 2), ([0], [0]))]:
    case("tensordot", lambda x, y: torch.tensordot(x, y, dims=axes), draw(*a), draw(*b), axes=axes, numpy=lambda x, y: np.tensordot(x, y, axes))
for a, b in [((3,), (3,)), ((2, 3), (3, 2)), ((2, 3), (3,)), ((2, 2, 3), (2, 3, 2))]:
    case("dot", lambda x, y: torch.tensordot(x, y, dims=([-1], [max(-2, -y.dim())])), draw(*a), draw(*b), numpy=np.dot)
for a, b in [((3,), (3,)), ((2, 3), (4, 3)), ((2, 3), (3,)), ((2, 2, 3), (2, 3))]:
    case("inner", lambda x, y: torch.tensordot(x, y, dims=([-1], [-1])), draw(*a), draw(*b), numpy=np.inner)
case("vdot", lambda x, y: (x.reshape(-1) * y.reshape(-1)).sum(), draw(2, 3), draw(3, 2), numpy=np.vdot)
case("outer", lambda x, y: torch.outer(x.reshape(-1), y.reshape(-1)), draw(2, 2), draw(3), numpy=np.outer)
case("kron", torch.kron, draw(2, 3), draw(3, 2), numpy=np.kron)
for shape, offset, a, b in [((3, 3), 0, 0, 1), ((2, 4), 1, 0, 1), ((2, 4), 3, 0, 1), ((4, 2), -2, 0, 1), ((2, 3, 4), 1, 2, 0), ((2, 3, 4), -1, -2, -1), ((3, 3), 1, 1, 0)]:
    case("diagonal", lambda x: torch.diagonal(x, offset, a, b), draw(*shape), offset=offset, axes=[[a, b]], numpy=lambda x: np.diagonal(x, offset, a, b))
for shape, offset in [((3,), 0), ((2, 3), 1), ((2, 2, 2), -2), ((1,), 2)]:
    case("diagembed", lambda x: torch.diag_embed(x, offset), draw(*shape), offset=offset)
for shape in [(3, 3), (2, 4), (2, 3, 3)]:
    case("trace", lambda x: torch.diagonal(x, 0, -2, -1).sum(-1), draw(*shape), numpy=lambda x: np.trace(x, 0, -2, -1))

AXES = [((2, 3, 4), [0]), ((2, 3, 4), [1]), ((2, 3, 4), [-1]), ((2, 3, 4), [0, 2]), ((2, 3, 4), [1, 2]), ((2, 3, 4), [0, 1, 2]), ((5,), [0]), ((3, 1), [1])]
for shape, axes in AXES:
    at = tuple(axes)
    case("sum", lambda x: x.sum(at), draw(*shape), axes=[axes], numpy=lambda x: np.sum(x, at))
    case("mean", lambda x: x.mean(at), draw(*shape), axes=[axes], numpy=lambda x: np.mean(x, at))
    case("max", lambda x: torch.amax(x, at), draw(*shape), axes=[axes], order=1, numpy=lambda x: np.max(x, at))
    case("min", lambda x: torch.amin(x, at), draw(*shape), axes=[axes], order=1, numpy=lambda x: np.min(x, at))
    case("logsumexp", lambda x: torch.logsumexp(x, at), draw(*shape), axes=[axes])
    case("any", lambda x: torch.as_tensor(np.any(x.numpy() > 1.5, at)).double(), draw(*shape), axes=[axes], order=0)
    case("all", lambda x: torch.as_tensor(np.all(x.numpy() > -1.5, at)).double(), draw(*shape), axes=[axes], order=0)
    case("countnonzero", lambda x: torch.count_nonzero(x, at), torch.round(draw(*shape)), axes=[axes], order=0)
    for ddof in (0, 1):
        if shape != (3, 1):
            case("var", lambda x: torch.var(x, at, unbiased=ddof == 1), draw(*shape), axes=[axes], ddof=ddof, numpy=lambda x: np.var(x, at, ddof=ddof))
            case("std", lambda x: torch.std(x, at, unbiased=ddof == 1), draw(*shape), axes=[axes], ddof=ddof, numpy=lambda x: np.std(x, at, ddof=ddof))
    for p in (0, 1, 2, 3, 1.5, 0.5, -1, float("inf"), -float("inf")):
        first = 0 if p == 0 else 1 if np.isinf(p) else 2
        case("norm", lambda x: torch.linalg.vector_norm(x, p, at), apart(*shape), axes=[axes], p=repr(float(p)), order=first, numpy=(lambda x: np.linalg.norm(x, p)) if shape == (5,) else None)
for p in (1, 2, 3, float("inf")):  # at 0, where PyTorch takes a subgradient
    x = draw(2, 3)
    x[0] = 0
    case("norm", lambda x: torch.linalg.vector_norm(x, p, 1), x, axes=[[1]], p=repr(float(p)), order=1)
case("norm", lambda x: torch.linalg.matrix_norm(x, "fro"), draw(3, 4), axes=[[]], p="2.0", numpy=lambda x: np.linalg.norm(x))
case("std", lambda x: torch.std(x, 1), torch.tensor([[1.0, 1, 1], [1, 2, 4]]), axes=[[1]], ddof=1, order=1)
inf = float("inf")
case("logsumexp", lambda x: torch.logsumexp(x, 1), torch.tensor([[-inf, -inf], [-inf, 2], [inf, 1], [1000, 999], [-1000, -1001]]), axes=[[1]], order=0)

for zeros in ([], [1], [0, 2], [0, 1, 3]):  # products with zeros, in every position
    x = draw(3, 4)
    x[x == 0] = 0.5
    x[:, zeros] = 0
    for axis in (0, 1):
        case("prod", lambda x: x.prod(axis), x, axes=[[axis]], numpy=lambda x: np.prod(x, axis))
    case("cumprod", lambda x: torch.cumprod(x, 1), x, axes=[[1]], order=1 if zeros else 2, numpy=lambda x: np.cumprod(x, 1))
    case("prod", lambda x: x.prod(), x, axes=[[]], numpy=np.prod)
case("prod", lambda x: x.prod(0).prod(-1), draw(2, 2, 3), axes=[[0, 2]], numpy=lambda x: np.prod(x, (0, 2)))
for shape, axis in [((5,), 0), ((2, 3), 0), ((2, 3), 1), ((2, 3, 2), -2)]:
    case("cumsum", lambda x: torch.cumsum(x, axis), draw(*shape), axes=[[axis]], numpy=lambda x: np.cumsum(x, axis))
    case("argmax", lambda x: torch.as_tensor(np.argmax(x.numpy(), axis)), torch.round(draw(*shape)), axes=[[axis]], order=0)
    case("argmin", lambda x: torch.as_tensor(np.argmin(x.numpy(), axis)), torch.round(draw(*shape)), axes=[[axis]], order=0)
    for descending in (False, True):
        case("sort", lambda x: torch.sort(x, axis, descending)[0], apart(*shape), axes=[[axis]], descending=descending, order=1)
        case("argsort", lambda x: torch.sort(x, dim=axis, descending=descending, stable=True)[1], torch.round(draw(*shape)), axes=[[axis]], descending=descending, order=0)
    case("topk", lambda x: torch.topk(x, 2, axis)[0], apart(*shape), axes=[[axis]], k=2, order=1)

print("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]")
