#!/usr/bin/python3
"""Writes layers.json: what PyTorch's modules make of an input, and the gradients of sum(y * dy). Run in this folder.

Everything is in float64. Matrices of Linear and of the recurrent layers are written as (in, out), the transpose of PyTorch's.
"""
import json
import torch
from torch import nn

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
cases = []


def array(t):
    t = t.detach()
    return {"shape": list(t.shape), "data": t.flatten().tolist()}


def laid_out(module, name, t):
    turned = isinstance(module, nn.Linear) or isinstance(module, nn.RNNBase)
    return array(t.T if turned and t.dim() == 2 else t)


def case(name, module, x, train=True, shake=True, pick=lambda y: y):
    """shake draws parameters and running statistics anew, so that none is at a value where a mistake does not show."""
    if shake:
        with torch.no_grad():
            for n, p in list(module.named_parameters()) + list(module.named_buffers()):
                if p.is_floating_point():
                    p.copy_(torch.rand_like(p) + 0.5 if n == "running_var" else torch.randn_like(p) * 0.7)
    module.train(train)
    c = {"name": name, "train": train, "x": array(x), "integer": not x.is_floating_point(),
         "params": {n: laid_out(module, n, p) for n, p in module.named_parameters()},
         "before": {n: array(p) for n, p in module.named_buffers() if p.is_floating_point()}}
    if x.is_floating_point():
        x.requires_grad_()
    y = pick(module(x))
    dy = torch.randn_like(y)
    (y * dy).sum().backward()
    c["y"], c["dy"] = array(y), array(dy)
    c["dx"] = array(x.grad) if x.is_floating_point() else None
    c["dparams"] = {n: laid_out(module, n, p.grad) for n, p in module.named_parameters()}
    c["after"] = {n: array(p) for n, p in module.named_buffers() if p.is_floating_point()}
    cases.append(c)


class HardSigmoid(nn.Module):
    """The gradient of PyTorch's own is a float32 1/6 in float64 too."""

    def forward(self, x):
        return nn.functional.relu6(x + 3) / 6


r = torch.randn
case("linear", nn.Linear(4, 3), r(5, 4))
case("linear on sequences", nn.Linear(4, 3), r(2, 3, 4))
case("linear without bias", nn.Linear(4, 3, bias=False), r(5, 4))

case("prelu", nn.PReLU(), r(3, 4))
case("prelu by channel", nn.PReLU(3), r(2, 3, 4))
for name, module in {
    "relu": nn.ReLU(), "relu6": nn.ReLU6(), "silu": nn.SiLU(), "gelu": nn.GELU(), "gelutanh": nn.GELU(approximate="tanh"), "mish": nn.Mish(),
    "hardswish": nn.Hardswish(), "softplus": nn.Softplus(), "selu": nn.SELU(), "tanh": nn.Tanh(), "sigmoid": nn.Sigmoid(),
    "hardsigmoid": HardSigmoid(), "logsigmoid": nn.LogSigmoid(), "softsign": nn.Softsign(), "tanhshrink": nn.Tanhshrink(),
    "softmax": nn.Softmax(-1), "logsoftmax": nn.LogSoftmax(-1), "softmin": nn.Softmin(-1), "leakyrelu": nn.LeakyReLU(), "leakyrelu 0.2": nn.LeakyReLU(0.2),
    "elu": nn.ELU(), "elu 1.3": nn.ELU(1.3), "celu": nn.CELU(), "celu 0.5": nn.CELU(0.5), "glu": nn.GLU(), "glu along 0": nn.GLU(0), "hardtanh": nn.Hardtanh(),
    "hardtanh -0.5 2": nn.Hardtanh(-0.5, 2), "softplus 2": nn.Softplus(2), "threshold": nn.Threshold(0.3, -7), "softshrink": nn.Softshrink(),
    "softshrink 0.2": nn.Softshrink(0.2), "hardshrink": nn.Hardshrink(), "hardshrink 0.2": nn.Hardshrink(0.2),
}.items():
    case(name, module, 2 * r(4, 6))

case("layernorm", nn.LayerNorm(5), r(3, 5))
case("layernorm of two axes", nn.LayerNorm((4, 5), eps=1e-2), r(3, 4, 5))
case("layernorm without affine", nn.LayerNorm(5, elementwise_affine=False), r(2, 3, 5))
case("groupnorm", nn.GroupNorm(3, 6), r(2, 6, 4))
case("groupnorm without affine", nn.GroupNorm(2, 4, affine=False, eps=1e-3), r(3, 4))
case("instancenorm", nn.InstanceNorm2d(3, affine=True), r(2, 3, 4, 2))
case("instancenorm without affine", nn.InstanceNorm1d(3), r(2, 3, 4))
case("batchnorm", nn.BatchNorm1d(3), r(6, 3))
case("batchnorm of sequences", nn.BatchNorm1d(3, eps=1e-2, momentum=0.3), r(4, 3, 5))
case("batchnorm of images", nn.BatchNorm2d(3), r(2, 3, 4, 2))
case("batchnorm in evaluation", nn.BatchNorm2d(3), r(2, 3, 4, 2), train=False)
case("batchnorm without affine", nn.BatchNorm1d(3, affine=False), r(6, 3))
case("batchnorm without running", nn.BatchNorm1d(3, track_running_stats=False), r(6, 3), train=False)

case("embedding", nn.Embedding(7, 3), torch.tensor([[1, 6, 1], [0, 3, 6]]))
case("flatten", nn.Flatten(), r(2, 3, 2, 2))

case("conv1d", nn.Conv1d(3, 4, 3), r(2, 3, 9))
case("conv1d with options", nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2, bias=False), r(2, 4, 11))
case("conv1d same", nn.Conv1d(3, 2, 4, padding="same"), r(2, 3, 8))
case("conv2d", nn.Conv2d(2, 3, 3), r(2, 2, 5, 6))
case("conv2d with options", nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2), r(2, 4, 6, 5))
case("convtranspose1d", nn.ConvTranspose1d(3, 2, 4, stride=2, padding=1), r(2, 3, 5))
case("convtranspose2d", nn.ConvTranspose2d(2, 3, 3), r(2, 2, 3, 4))
case("convtranspose2d with options", nn.ConvTranspose2d(4, 6, (3, 2), stride=(2, 3), padding=1, output_padding=(1, 2), groups=2, bias=False), r(2, 4, 3, 2))

case("maxpool1d", nn.MaxPool1d(2), r(2, 3, 8))
case("maxpool2d", nn.MaxPool2d(2), r(2, 3, 4, 6))
case("maxpool2d with options", nn.MaxPool2d((3, 2), stride=(1, 2), padding=(1, 0), dilation=(1, 2)), r(2, 3, 6, 7))
case("avgpool1d", nn.AvgPool1d(3, stride=2, padding=1), r(2, 3, 8))
case("avgpool2d", nn.AvgPool2d(2), r(2, 3, 4, 6))
case("avgpool2d with options", nn.AvgPool2d((3, 2), stride=(2, 1), padding=1, count_include_pad=False), r(2, 3, 6, 5))
case("globalavgpool", nn.AdaptiveAvgPool2d(1), r(2, 3, 4, 5), pick=lambda y: y.flatten(1))
case("globalmaxpool", nn.AdaptiveMaxPool1d(1), r(2, 3, 4), pick=lambda y: y.flatten(1))

first = lambda out: out[0]
case("rnn", nn.RNN(3, 4, batch_first=True), r(2, 5, 3), pick=first)
case("rnn with relu without bias", nn.RNN(3, 4, nonlinearity="relu", bias=False, batch_first=True), r(2, 5, 3), pick=first)
case("gru", nn.GRU(3, 4, batch_first=True), r(2, 5, 3), pick=first)
case("gru of two layers both ways", nn.GRU(3, 4, num_layers=2, bidirectional=True, batch_first=True), r(2, 4, 3), pick=first)
case("gru without bias", nn.GRU(3, 4, bias=False, batch_first=True), r(2, 3, 3), pick=first)
case("lstm", nn.LSTM(3, 4, batch_first=True), r(2, 5, 3), pick=first)
case("lstm both ways", nn.LSTM(3, 4, bidirectional=True, batch_first=True), r(2, 4, 3), pick=first)
case("lstm of two layers both ways, last", nn.LSTM(3, 2, num_layers=2, bidirectional=True, batch_first=True), r(2, 4, 3),
     pick=lambda out: torch.cat([out[1][0][-2], out[1][0][-1]], 1))
case("lstm, last", nn.LSTM(3, 4, batch_first=True), r(3, 5, 3), pick=lambda out: out[1][0][-1])

with open("layers.json", "w") as f:
    f.write('{"source": "layers.py with PyTorch %s", "cases": [\n' % torch.__version__)
    f.write(",\n".join(json.dumps(c) for c in cases) + "\n]}\n")
