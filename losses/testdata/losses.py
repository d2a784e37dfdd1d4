#!/usr/bin/python3
"""Writes losses.json: PyTorch's losses, in float64, with the gradient of each operand that has one. Run in this folder.

The loss that is differentiated is the sum of its elements, each times 1, 2, 3, …. What PyTorch lacks is written by its formula.
"""
import json
import torch
import torch.nn.functional as F

torch.manual_seed(1)
D = torch.float64
REDUCTIONS = ["mean", "sum", "none"]
cases = []


def leaf(*shape, scale=2.0):
    return (torch.randn(*shape, dtype=D) * scale).requires_grad_()


def listed(t):
    return {"shape": list(t.shape), "values": [float("%.15g" % v) for v in t.detach().double().flatten().tolist()], "int": not t.dtype.is_floating_point and t.dtype != torch.bool, "bool": t.dtype == torch.bool}


def case(name, f, *operands, **more):
    loss = f(*operands)
    wanted = [o for o in operands if o.requires_grad]
    w = torch.arange(1, loss.numel() + 1, dtype=D).reshape(loss.shape)
    grads = torch.autograd.grad((loss * w).sum(), wanted, allow_unused=True)
    grads = iter(grads)
    out = {"name": name, "operands": [listed(o) for o in operands], "loss": listed(loss),
           "grads": [listed(g) if o.requires_grad and (g := next(grads)) is not None else None for o in operands]}
    for k, v in more.items():
        out[k] = listed(v) if isinstance(v, torch.Tensor) else v
    cases.append(out)


for r in REDUCTIONS:
    kw = {"reduction": r}
    x, t = leaf(4, 3), leaf(4, 3)
    case("mae", lambda a, b: F.l1_loss(a, b, **kw), x, t, reduction=r)
    case("mse", lambda a, b: F.mse_loss(a, b, **kw), x, t, reduction=r)
    for p in (0.5, 1.0, 2.5):
        case("huber", lambda a, b: F.huber_loss(a, b, delta=p, **kw), x, t, reduction=r, p=[p])
        case("smoothl1", lambda a, b: F.smooth_l1_loss(a, b, beta=p, **kw), x, t, reduction=r, p=[p])
    case("smoothl1", lambda a, b: F.smooth_l1_loss(a, b, beta=0.0, **kw), x, t, reduction=r, p=[0.0])
    reduce = {"mean": torch.mean, "sum": torch.sum, "none": lambda v: v}[r]
    case("logcosh", lambda a, b: reduce(torch.log(torch.cosh(a - b))), x, t, reduction=r)
    for q in (0.1, 0.5, 0.9):
        case("quantile", lambda a, b: reduce(torch.maximum(q * (b - a), (q - 1) * (b - a))), x, t, reduction=r, p=[q])

    # Cross-entropy: indices, further dimensions, weights, smoothing, what is ignored, soft targets.
    for shape in ((5, 4), (3, 4, 2), (2, 3, 2, 2)):
        x = leaf(*shape)
        y = torch.randint(0, shape[1], (shape[0],) + shape[2:])
        cw = torch.rand(shape[1], dtype=D) + 0.2
        some = y.clone()
        some.view(-1)[1] = -100
        soft = torch.softmax(torch.randn(*shape, dtype=D), 1).requires_grad_()
        for s in (0.0, 0.1):
            case("crossentropy", lambda a, b: F.cross_entropy(a, b, label_smoothing=s, **kw), x, y, reduction=r, smoothing=s)
            case("crossentropy", lambda a, b: F.cross_entropy(a, b, weight=cw, label_smoothing=s, **kw), x, y, reduction=r, smoothing=s, classweight=cw)
            case("crossentropy", lambda a, b: F.cross_entropy(a, b, weight=cw, label_smoothing=s, **kw), x, some, reduction=r, smoothing=s, classweight=cw, ignore=[-100])
            case("crossentropy", lambda a, b: F.cross_entropy(a, b, label_smoothing=s, **kw), x, some, reduction=r, smoothing=s, ignore=[-100])
            # The mean of soft targets is over the batch and its further dimensions: over all but the classes.
            case("crossentropy", lambda a, b: F.cross_entropy(a, b, label_smoothing=s, reduction="none").mean() if r == "mean" else F.cross_entropy(a, b, label_smoothing=s, **kw), x, soft, reduction=r, smoothing=s)
            case("crossentropy", lambda a, b: F.cross_entropy(a, b, weight=cw, label_smoothing=s, reduction="none").mean() if r == "mean" else F.cross_entropy(a, b, weight=cw, label_smoothing=s, **kw), x, soft, reduction=r, smoothing=s, classweight=cw)
        logp = torch.log_softmax(torch.randn(*shape, dtype=D), 1).requires_grad_()
        case("nll", lambda a, b: F.nll_loss(a, b, weight=cw, **kw), logp, y, reduction=r, classweight=cw)
        case("nll", lambda a, b: F.nll_loss(a, b, **kw), logp, y, reduction=r)
        prob = logp.detach().exp().requires_grad_()
        case("crossentropyof", lambda a, b: F.nll_loss(a.log(), b, **kw), prob, y, reduction=r)

    x, t = leaf(4, 3), torch.rand(4, 3, dtype=D).requires_grad_()
    w, pw = torch.rand(4, 1, dtype=D) + 0.1, torch.rand(3, dtype=D) * 3
    p = torch.rand(4, 3, dtype=D).requires_grad_()
    case("binarycrossentropy", lambda a, b: F.binary_cross_entropy_with_logits(a, b, **kw), x, t, reduction=r)
    case("binarycrossentropy", lambda a, b: F.binary_cross_entropy_with_logits(a, b, weight=w, pos_weight=pw, **kw), x, t, reduction=r, weight=w, posweight=pw)
    case("binarycrossentropyof", lambda a, b: F.binary_cross_entropy(a, b, **kw), p, t.detach(), reduction=r)
    case("binarycrossentropyof", lambda a, b: F.binary_cross_entropy(a, b, weight=w, **kw), p, t.detach(), reduction=r, weight=w)
    hard = (t.detach() > 0.5).double()

    def focal(a, b, alpha, gamma):
        q = torch.sigmoid(a)
        l = F.binary_cross_entropy_with_logits(a, b, reduction="none") * (1 - (q * b + (1 - q) * (1 - b))) ** gamma
        return l * (alpha * b + (1 - alpha) * (1 - b)) if alpha >= 0 else l
    for alpha, gamma in ((0.25, 2.0), (-1.0, 0.5), (0.7, 0.0), (-1.0, 3.0)):
        case("focal", lambda a, b: reduce(focal(a, b, alpha, gamma)), x, hard, reduction=r, p=[alpha, gamma])
        case("focal", lambda a, b: reduce(focal(a, b, alpha, gamma)), x, t.detach(), reduction=r, p=[alpha, gamma])

    # Margins.
    x, s = leaf(4, 3), torch.tensor([[1, -1, 1], [-1, -1, 1], [1, 1, -1], [-1, 1, 1.0]], dtype=D)
    case("hinge", lambda a, b: reduce(torch.clamp(1 - a * b, min=0)), x, s, reduction=r)
    case("squaredhinge", lambda a, b: reduce(torch.clamp(1 - a * b, min=0) ** 2), x, s, reduction=r)
    y, cw = torch.randint(0, 3, (4,)), torch.rand(3, dtype=D) + 0.2
    for power in (1, 2):
        for margin in (1.0, 0.3):
            case("multimargin", lambda a, b: F.multi_margin_loss(a, b, p=power, margin=margin, **kw), x, y, reduction=r, p=[margin, power])
            case("multimargin", lambda a, b: F.multi_margin_loss(a, b, p=power, margin=margin, weight=cw, **kw), x, y, reduction=r, p=[margin, power], classweight=cw)
    a, b, c = leaf(4, 5), leaf(4, 5), leaf(4, 5)
    sign = torch.tensor([1, -1, -1, 1.0], dtype=D)
    for margin in (0.0, -0.4, 0.5):
        case("cosineembedding", lambda u, v, z: F.cosine_embedding_loss(u, v, z, margin=margin, **kw), a, b, sign, reduction=r, p=[margin])
    for margin in (1.0, 0.2):
        case("tripletmargin", lambda u, v, z: F.triplet_margin_loss(u, v, z, margin=margin, **kw), a, b, c, reduction=r, p=[margin])

    # Likelihoods.
    n = torch.randint(0, 5, (4, 3)).double()
    rate = (torch.rand(4, 3, dtype=D) * 3 + 0.1).requires_grad_()
    case("poissonnll", lambda u, v: F.poisson_nll_loss(u, v, **kw), leaf(4, 3, scale=1.0), n, reduction=r)
    case("poissonnllof", lambda u, v: F.poisson_nll_loss(u, v, log_input=False, eps=1e-8, **kw), rate, n, reduction=r)
    var = (torch.rand(4, 3, dtype=D) + 0.1).requires_grad_()
    case("gaussiannll", lambda u, v, z: F.gaussian_nll_loss(u, z, v, **kw), leaf(4, 3), var, leaf(4, 3), reduction=r)

    # Weights and masks.
    x, t, m = leaf(4, 3), leaf(4, 3), torch.rand(4, 3) > 0.4
    case("mse", lambda u, v: reduce(F.mse_loss(u, v, reduction="none") * w), x, t, reduction=r, weight=w)
    masked = (lambda v: v[m].mean()) if r == "mean" else (lambda v: reduce(torch.where(m, v, torch.zeros_like(v))))
    case("mae", lambda u, v: masked(F.l1_loss(u, v, reduction="none")), x, t, reduction=r, mask=m)

for r in REDUCTIONS + ["batchmean"]:
    kw = {"reduction": r}
    lx = torch.log_softmax(torch.randn(4, 3, dtype=D), 1).requires_grad_()
    t = torch.softmax(torch.randn(4, 3, dtype=D), 1)
    case("kldivergence", lambda a, b: F.kl_div(a, b, **kw), lx, t.clone().requires_grad_(), reduction=r)
    zero = t.clone()
    zero[1] = torch.tensor([0, 1, 0.0])
    case("kldivergence", lambda a, b: F.kl_div(a, b, **kw), lx, zero, reduction=r)
    case("kldivergence", lambda a, b: F.kl_div(a, b, log_target=True, **kw), lx, t.log().requires_grad_(), reduction=r, logtarget=True)
    reduce = {"mean": torch.mean, "sum": torch.sum, "none": lambda v: v, "batchmean": lambda v: v.sum() / v.shape[0]}[r]
    p, q = t.clone().requires_grad_(), torch.softmax(torch.randn(4, 3, dtype=D), 1).requires_grad_()

    def js(a, b):
        m = (a + b) / 2
        return ((a * (a.log() - m.log()) + b * (b.log() - m.log())) / 2).sum(1)
    case("jensenshannon", lambda a, b: reduce(js(a, b)), p, q, reduction=r)
    case("entropy", lambda a: reduce(-(a * a.log()).sum(1)), p, reduction=r)

x, t = leaf(4, 3), leaf(4, 3)
case("rmse", lambda a, b: F.mse_loss(a, b).sqrt(), x, t, reduction="mean")
case("information", lambda a: -a.log(), torch.rand(4, dtype=D).requires_grad_(), reduction="none")

# What was added later stands here, so that the numbers above stay.
reducers = {"mean": torch.mean, "sum": torch.sum, "none": lambda v: v, "batchmean": lambda v: v.sum() / v.shape[0]}
for r in REDUCTIONS:
    kw, reduce = {"reduction": r}, reducers[r]

    # One example without a batch.
    x, y, soft = leaf(5), torch.tensor(3), torch.softmax(torch.randn(5, dtype=D), 0).requires_grad_()
    for s in (0.0, 0.2):
        case("crossentropy", lambda a, b: F.cross_entropy(a, b, label_smoothing=s, **kw), x, y, reduction=r, smoothing=s)
        case("crossentropy", lambda a, b: F.cross_entropy(a, b, label_smoothing=s, **kw), x, soft, reduction=r, smoothing=s)
    case("nll", lambda a, b: F.nll_loss(a, b, **kw), x, y, reduction=r)
    case("multimargin", lambda a, b: F.multi_margin_loss(a, b, **kw).reshape(()), x, y, reduction=r, p=[1.0, 1])
    for sign in (1.0, -1.0):
        case("cosineembedding", lambda u, v, z: F.cosine_embedding_loss(u, v, z, margin=-0.9, **kw), leaf(5), leaf(5), torch.tensor(sign, dtype=D), reduction=r, p=[-0.9])

    # Probabilities with class weights, labels that are ignored, soft targets.
    prob = torch.softmax(torch.randn(5, 4, dtype=D), 1).requires_grad_()
    y, cw = torch.tensor([3, -100, 0, 1, 1]), torch.rand(4, dtype=D) + 0.2
    case("crossentropyof", lambda a, b: F.nll_loss(a.log(), b, weight=cw, **kw), prob, y, reduction=r, classweight=cw, ignore=[-100])
    case("nll", lambda a, b: F.nll_loss(a, b, weight=cw, **kw), leaf(5, 4), y, reduction=r, classweight=cw, ignore=[-100])
    soft = torch.softmax(torch.randn(5, 4, dtype=D), 1).requires_grad_()
    case("crossentropyof", lambda a, b: reduce(-(a.log() * b).sum(1)), prob, soft, reduction=r)
    case("nll", lambda a, b: reduce(-(a * b).sum(1)), leaf(5, 4), soft, reduction=r)

    # Focal for several classes, (1 - p)^gamma as detection has it, is the definition's own.
    y = torch.tensor([3, 2, 0, 1, 1])
    for gamma in (0.0, 0.5, 2.0):
        def focal(a, b, w=None):
            l = F.cross_entropy(a, b, reduction="none")
            l = (1 - torch.exp(-l)) ** gamma * l
            if w is None:
                return reduce(l)
            return (l * w[b]).sum() / w[b].sum() if r == "mean" else reduce(l * w[b])
        x = leaf(5, 4)
        case("focalcrossentropy", focal, x, y, reduction=r, p=[gamma])
        case("focalcrossentropy", lambda a, b: focal(a, b, cw), x, y, reduction=r, p=[gamma], classweight=cw)

    # Examples that are weighed and left out, with and without weights of classes.
    x, w, m = leaf(5, 4), torch.rand(5, dtype=D) + 0.1, torch.tensor([True, False, True, True, False])
    for weights in (None, cw):
        l = lambda a, b: F.cross_entropy(a, b, weight=weights, label_smoothing=0.1, reduction="none") * w
        divisor = m.sum() if weights is None else weights[y][m].sum()
        case("crossentropy", lambda a, b: l(a, b)[m].sum() / divisor if r == "mean" else reduce(torch.where(m, l(a, b), torch.zeros(5, dtype=D))),
             x, y, reduction=r, smoothing=0.1, weight=w, mask=m, **({} if weights is None else {"classweight": weights}))

    # Binary cross-entropy with smoothed targets, and of probabilities with weights of positive ones.
    x, t, pw = leaf(4, 3), torch.rand(4, 3, dtype=D), torch.rand(3, dtype=D) * 3
    case("binarycrossentropy", lambda a, b: F.binary_cross_entropy_with_logits(a, b * 0.8 + 0.1, pos_weight=pw, **kw), x, t, reduction=r, smoothing=0.2, posweight=pw)
    case("binarycrossentropyof", lambda a, b: reduce(-pw * b * a.log() - (1 - b) * (1 - a).log()), torch.sigmoid(x.detach()).requires_grad_(), t, reduction=r, posweight=pw)

    # Triplets by other norms, swapped.
    a, b, c = leaf(4, 5), leaf(4, 5), leaf(4, 5)
    for norm in (1.0, 2.0, 3.0):
        for swap in (False, True):
            case("tripletmargin", lambda u, v, z: F.triplet_margin_loss(u, v, z, margin=2.0, p=norm, swap=swap, **kw), a, b, c, reduction=r, p=[2.0], norm=norm, swap=swap)

    # Likelihoods in full, with other epsilons, a variance for each row, and variances below the least one.
    n, rate = torch.randint(0, 5, (4, 3)).double(), (torch.rand(4, 3, dtype=D) * 3 + 0.1).requires_grad_()
    case("poissonnll", lambda u, v: F.poisson_nll_loss(u, v, full=True, **kw), leaf(4, 3, scale=1.0), n, reduction=r, full=True)
    case("poissonnllof", lambda u, v: F.poisson_nll_loss(u, v, log_input=False, full=True, eps=1e-2, **kw), rate, n, reduction=r, full=True, epsilon=1e-2)
    x, t, var = leaf(4, 3), leaf(4, 3), (torch.rand(4, 3, dtype=D) + 0.1).requires_grad_()
    case("gaussiannll", lambda u, v, z: F.gaussian_nll_loss(u, z, v, full=True, **kw), x, var, t, reduction=r, full=True)
    case("gaussiannll", lambda u, v, z: F.gaussian_nll_loss(u, z, v, eps=0.5, **kw), x, var, t, reduction=r, epsilon=0.5)
    case("gaussiannll", lambda u, v, z: F.gaussian_nll_loss(u, z, v, **kw), x, (torch.rand(4, 1, dtype=D) + 0.1).requires_grad_(), t, reduction=r)
    case("gaussiannll", lambda u, v, z: F.gaussian_nll_loss(u, z, v, **kw), x, torch.zeros(4, 3, dtype=D).requires_grad_(), t, reduction=r)

json.dump({"source": "PyTorch " + torch.__version__, "cases": cases}, open("losses.json", "w"), separators=(",", ":"))
print(len(cases), "cases")
