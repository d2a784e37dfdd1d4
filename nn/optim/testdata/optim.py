#!/usr/bin/python3
"""Writes optim.json: 50 steps of PyTorch's optimisers, and its schedules. Run in this folder.

The problem is f(p, q) = Σ a (p − c)² + Σ p⁴/10 + q², of a parameter of three elements and a scalar one, in float64.
Lion and LAMB, which PyTorch lacks, follow their papers' formulas in plain tensors. So does NAdam: release 1.13 multiplies the
product of momenta by this step's twice, which later releases do not.
"""
import json, math
import torch

A = torch.tensor([1, 0.1, 4], dtype=torch.float64)
C = torch.tensor([1, -2, 0.5], dtype=torch.float64)


def start():
    p = torch.full((3,), 0.7, dtype=torch.float64, requires_grad=True)
    q = torch.tensor(-1.5, dtype=torch.float64, requires_grad=True)
    return p, q


def loss(p, q):
    return (A * (p - C) ** 2).sum() + (p ** 4).sum() / 10 + q ** 2


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                d = (b1 * m + (1 - b1) * p.grad).sign()
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * d)
                m.mul_(b2).add_((1 - b2) * p.grad)


class Lamb(torch.optim.Optimizer):
    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                s = self.state[p]
                t = s["t"] = s.get("t", 0) + 1
                m, v = s.setdefault("m", torch.zeros_like(p)), s.setdefault("v", torch.zeros_like(p))
                m.mul_(b1).add_((1 - b1) * p.grad)
                v.mul_(b2).add_((1 - b2) * p.grad ** 2)
                r = (m / (1 - b1 ** t)) / ((v / (1 - b2 ** t)).sqrt() + group["eps"]) + group["weight_decay"] * p
                a, b = p.norm(), r.norm()
                p.sub_(group["lr"] * (a / b if a > 0 and b > 0 else 1.0) * r)


class NAdam(torch.optim.Optimizer):
    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, momentum_decay=4e-3):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                s = self.state[p]
                t = s["t"] = s.get("t", 0) + 1
                m, v = s.setdefault("m", torch.zeros_like(p)), s.setdefault("v", torch.zeros_like(p))
                g = p.grad + group["weight_decay"] * p
                m.mul_(b1).add_((1 - b1) * g)
                v.mul_(b2).add_((1 - b2) * g ** 2)
                now = b1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"]))
                then = b1 * (1 - 0.5 * 0.96 ** ((t + 1) * group["momentum_decay"]))
                product = s["product"] = s.get("product", 1.0) * now
                d = (1 - now) / (1 - product) * g + then / (1 - product * then) * m
                p.sub_(group["lr"] * d / ((v / (1 - b2 ** t)).sqrt() + group["eps"]))


O = torch.optim
CASES = {
    "sgd": lambda w: O.SGD(w, 0.05),
    "sgd momentum": lambda w: O.SGD(w, 0.02, momentum=0.9),
    "sgd dampening": lambda w: O.SGD(w, 0.02, momentum=0.9, dampening=0.3),
    "sgd nesterov decay": lambda w: O.SGD(w, 0.02, momentum=0.8, nesterov=True, weight_decay=0.1),
    "adam": lambda w: O.Adam(w, 0.1),
    "adam decay": lambda w: O.Adam(w, 0.1, betas=(0.5, 0.9), eps=1e-3, weight_decay=0.2),
    "adam amsgrad": lambda w: O.Adam(w, 0.3, betas=(0.9, 0.7), amsgrad=True),
    "adamw": lambda w: O.AdamW(w, 0.1),
    "adamw amsgrad": lambda w: O.AdamW(w, 0.1, weight_decay=0.3, betas=(0.9, 0.7), amsgrad=True),
    "nadam": lambda w: NAdam(w, 0.1),
    "nadam decay": lambda w: NAdam(w, 0.1, weight_decay=0.2, momentum_decay=0.01),
    "radam": lambda w: O.RAdam(w, 0.1),
    "radam decay": lambda w: O.RAdam(w, 0.1, betas=(0.9, 0.99), weight_decay=0.2),
    "adamax": lambda w: O.Adamax(w, 0.1),
    "adamax decay": lambda w: O.Adamax(w, 0.1, weight_decay=0.2),
    "rmsprop": lambda w: O.RMSprop(w, 0.02),
    "rmsprop centered": lambda w: O.RMSprop(w, 0.02, alpha=0.9, centered=True, momentum=0.5, weight_decay=0.1),
    "adagrad": lambda w: O.Adagrad(w, 0.3),
    "adagrad decay": lambda w: O.Adagrad(w, 0.3, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.2),
    "adadelta": lambda w: O.Adadelta(w, 1.0),
    "adadelta decay": lambda w: O.Adadelta(w, 2.0, rho=0.8, eps=1e-4, weight_decay=0.1),
    "lion": lambda w: Lion(w, 0.02),
    "lion decay": lambda w: Lion(w, 0.02, betas=(0.8, 0.9), weight_decay=0.5),
    "lamb": lambda w: Lamb(w, 0.05),
    "lamb decay": lambda w: Lamb(w, 0.05, weight_decay=0.3),
}


def trajectory(make, change=None):
    p, q = start()
    o = make([p, q])
    path = []
    for _ in range(50):
        o.zero_grad()
        loss(p, q).backward()
        if change:
            change([p, q])
        o.step()
        path.append(p.tolist() + [q.item()])
    return path


U = torch.nn.utils
CLIPS = {
    "value": lambda w: U.clip_grad_value_(w, 0.7),
    "global norm": lambda w: U.clip_grad_norm_(w, 0.9),
    "norm": lambda w: [U.clip_grad_norm_([x], 0.9) for x in w],
}

S = O.lr_scheduler
SCHEDULES = {
    "step": lambda o: S.StepLR(o, 7, 0.3),
    "multistep": lambda o: S.MultiStepLR(o, [5, 17, 30], 0.2),
    "exponential": lambda o: S.ExponentialLR(o, 0.9),
    "polynomial": lambda o: S.PolynomialLR(o, 30, 2.0) if hasattr(S, "PolynomialLR") else None,
    "linear": lambda o: S.LinearLR(o, 1.0, 0.1, 20),
    "cosine": lambda o: S.CosineAnnealingLR(o, 40, 0.01),
    "restarts": lambda o: S.CosineAnnealingWarmRestarts(o, 6, 2, 0.01),
    "onecycle": lambda o: S.OneCycleLR(o, 0.5, total_steps=41),
}


def rates(make):
    o = O.SGD(start(), 0.5)
    s = make(o)
    if s is None:
        return None
    list_ = []
    for _ in range(40):
        list_.append(o.param_groups[0]["lr"])
        o.step()
        s.step()
    return list_


def plateau(measures, **kw):
    o = O.SGD(start(), 0.5)
    s = S.ReduceLROnPlateau(o, **kw)
    out = []
    for m in measures:
        s.step(m)
        out.append(o.param_groups[0]["lr"])
    return out


def lbfgs():
    """The point after each iteration and how often the loss was evaluated until then."""
    p, q = start()
    o = O.LBFGS([p, q], lr=1, max_iter=1, max_eval=100, tolerance_grad=0, tolerance_change=0, history_size=10, line_search_fn="strong_wolfe")
    count = 0

    def closure():
        nonlocal count
        count += 1
        o.zero_grad()
        l = loss(p, q)
        l.backward()
        return l

    path = []
    for _ in range(10):
        o.step(closure)
        path.append(p.tolist() + [q.item(), o.state[p]["func_evals"]])
    return path


M = [3, 2, 1, 1, 1, 1, 0.99995, 1, 1, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, -1, -1, -1, -1, -1, -1, -1]

json.dump({
    "source": "PyTorch " + torch.__version__,
    "trajectories": {k: trajectory(f) for k, f in CASES.items()},
    "clipped": {k: trajectory(lambda w: O.SGD(w, 0.1), f) for k, f in CLIPS.items()},
    "lbfgs": lbfgs(),
    "schedules": {k: v for k, v in ((k, rates(f)) for k, f in SCHEDULES.items()) if v},
    "measures": M,
    "plateaus": {
        "default": plateau(M, patience=2),
        "cooldown": plateau(M, patience=1, factor=0.5, cooldown=2, min_lr=0.1),
        "rising": plateau(M, patience=2, mode="max", factor=0.5),
    },
}, open("optim.json", "w"), indent=None, separators=(",", ":"))
