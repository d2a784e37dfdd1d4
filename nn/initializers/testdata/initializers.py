#!/usr/bin/python3
"""Writes initializers.json: what torch.nn.init asks its random numbers for, its gains, and the ones of dirac_. Run in this folder.

Shapes are written as this package has them: matrices are (in, out), the transpose of PyTorch's.
"""
import json
import torch
from torch.nn import init


class Asked:
    """Has a shape, and remembers the standard deviation or the bound that an initialiser asks of it."""

    def __init__(self, shape):
        self.shape = torch.Size(shape)

    def dim(self):
        return len(self.shape)

    def size(self, i):
        return self.shape[i]

    def normal_(self, mean, std):
        assert mean == 0
        self.answer = std
        return self

    def uniform_(self, lo, hi):
        assert lo == -hi
        self.answer = hi
        return self


shapes = [(50, 7), (7, 50), (9, 4, 3, 5), (8, 2, 3), (1, 1)]
scaled = []
for shape in shapes:
    theirs = shape[::-1] if len(shape) == 2 else shape

    def ask(name, fill, **kw):
        a = Asked(theirs)
        fill(a, **kw)
        scaled.append({"name": name, "shape": shape, "scale": a.answer})

    ask("xavier", init.xavier_normal_)
    ask("xavier_uniform", init.xavier_uniform_)
    ask("he", init.kaiming_normal_, nonlinearity="relu")
    ask("he_uniform", init.kaiming_uniform_, nonlinearity="relu")
    ask("xavier tanh", init.xavier_normal_, gain=init.calculate_gain("tanh"))
    ask("xavier_uniform selu", init.xavier_uniform_, gain=init.calculate_gain("selu"))
    ask("he fan_out", init.kaiming_normal_, mode="fan_out", nonlinearity="relu")
    ask("he_uniform fan_out", init.kaiming_uniform_, mode="fan_out", nonlinearity="relu")
    ask("he leaky", init.kaiming_normal_, a=0.2)
    ask("lecun", init.kaiming_normal_, nonlinearity="linear")
    ask("lecun_uniform", init.kaiming_uniform_, nonlinearity="linear")

gains = {n: init.calculate_gain(n) for n in ("linear", "sigmoid", "tanh", "relu", "selu")}
gains["leaky_relu 0.01"] = init.calculate_gain("leaky_relu", 0.01)
gains["leaky_relu 0.2"] = init.calculate_gain("leaky_relu", 0.2)

dirac = []
for groups, shape in [(1, (3, 5, 4)), (2, (6, 2, 3, 4)), (1, (2, 2, 3, 3, 3)), (3, (3, 1, 2))]:
    t = torch.empty(shape)
    init.dirac_(t, groups=groups)
    dirac.append({"groups": groups, "shape": shape, "ones": t.flatten().nonzero().flatten().tolist()})

with open("initializers.json", "w") as f:
    json.dump({"source": "torch.nn.init of PyTorch " + torch.__version__, "gains": gains, "dirac": dirac, "scaled": scaled}, f, indent=1)
    f.write("\n")
