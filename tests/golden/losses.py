"""Losses of unlearning methods and their gradients in PyTorch -> losses.golden.

Run by `make golden`, or: python3.11 -m venv v; v/bin/pip install torch==2.4.1 numpy; v/bin/python
losses.py. Written from the papers' formulas: rows are answer tokens, example after example, CE is a
mean over rows, log-likelihoods of examples are sums. `ref` is the model before the training.
For every case: loss and gradient in float64, and the relative error of the same in float32, which
is the floor; the test's bound is ten times it.
"""
import torch
from torch.nn.functional import cross_entropy, logsigmoid, mse_loss, one_hot

import container

V, D, SEED = 17, 8, 7
LENGTHS = {"forget": [3, 5, 2], "retain": [4, 1, 6], "refusal": [2, 3, 2]}
TOKENS = {"forget": 13, "retain": 15, "refusal": 11}  # of all examples, prompts included


def mt19937_64(seed):
    """Numbers of 64 bits (Nishimura 2000), which std::mt19937_64 gives too."""
    mask, n, m = (1 << 64) - 1, 312, 156
    state = [seed]
    for i in range(1, n):
        state.append((6364136223846793005 * (state[-1] ^ (state[-1] >> 62)) + i) & mask)
    while True:
        for i in range(n):
            x = (state[i] & 0xFFFFFFFF80000000) | (state[(i + 1) % n] & 0x7FFFFFFF)
            state[i] = state[(i + m) % n] ^ (x >> 1) ^ (0xB5026F5AA96619E9 * (x & 1))
        for x in state:
            x ^= (x >> 29) & 0x5555555555555555
            x ^= (x << 17) & 0x71D67FFFEDA60000
            x ^= (x << 37) & 0xFFF7EEE000000000
            yield (x ^ (x >> 43)) & mask


class Part:
    """Examples of one kind: logits, logits of the reference with and without smoothed attention,
    values of a layer."""

    def __init__(self, kind, generator):
        def normal(rows, columns):
            return (torch.randn(rows, columns, generator=generator) * 2).float()

        self.lengths = LENGTHS[kind]
        n = sum(self.lengths)
        self.targets = torch.randint(V, (n,), generator=generator)
        self.logits = normal(n, V)
        self.logits[torch.arange(n), self.targets] += 4
        # One token known for certain, one unlikely, one that leads by little.
        row = torch.arange(3)
        self.logits[row, self.targets[:3]] = torch.tensor([9.0, -6.0, 0])
        self.logits[2, self.targets[2]] = self.logits[2].max() + 0.1
        self.reference = self.logits + 0.5 * normal(n, V)
        self.smoothed = 0.3 * self.reference + 0.1 * normal(n, V)
        self.layer = normal(TOKENS[kind], D)
        self.layer_reference = self.layer + 0.5 * normal(TOKENS[kind], D)

    def arrays(self):
        names = ("logits", "reference", "smoothed", "layer", "layer_reference")
        arrays = {name: getattr(self, name).numpy() for name in names}
        return arrays | {"targets": self.targets.int().numpy()}

    def to(self, dtype):
        new = object.__new__(Part)
        new.lengths, new.targets = self.lengths, self.targets
        new.logits = self.logits.to(dtype, copy=True).requires_grad_()
        new.layer = self.layer.to(dtype, copy=True).requires_grad_()
        for name in ("reference", "smoothed", "layer_reference"):
            setattr(new, name, getattr(self, name).to(dtype))
        return new

    def log_p(self, logits=None):  # [rows]
        logits = self.logits if logits is None else logits
        return -cross_entropy(logits, self.targets, reduction="none")

    def sums(self, rows):  # [examples]
        return torch.stack([part.sum() for part in rows.split(self.lengths)])

    def log_ratio(self):  # [examples]
        return self.sums(self.log_p() - self.log_p(self.reference))

    def hot(self):  # [rows,V]
        return one_hot(self.targets, V).bool()


def ce(part):
    return cross_entropy(part.logits, part.targets)


def kl(part, teacher):
    """Mean over rows of KL(softmax(teacher) || model)."""
    p = teacher.softmax(1)
    logs = torch.where(p > 0, p, 1).log()
    return (p * (logs - part.logits.log_softmax(1))).sum(1).mean()


def preference(x, beta):
    return -2 / beta * logsigmoid(x).mean()


def ga(f, r, i):
    return -ce(f)


def task_vector(f, r, i):
    """What is learnt before its sign is changed."""
    return ce(f)


def graddiff(f, r, i):
    return ce(r) - ce(f)


def graddiff_kl(f, r, i):
    return 0.7 * kl(r, r.reference) - ce(f)


def ga_kl(f, r, i):
    return 0.5 * kl(r, r.reference) - ce(f)


def idk(f, r, i):
    return ce(i) + ce(r)


def dpo(f, r, i, beta):
    return preference(beta * i.log_ratio() - beta * f.log_ratio(), beta) + ce(r)


def altpo(f, r, i, beta):
    """dpo's, with the model's own alternatives for the refusals."""
    return dpo(f, r, i, beta)


def js(p, q):
    """Jensen-Shannon divergence a row."""
    def kl_to(a, m):
        return torch.where(a > 0, a * (a.clamp_min(1e-38).log() - m.log()), 0).sum(1)

    m = (p + q) / 2
    return (kl_to(p, m) + kl_to(q, m)) / 2


def jensun(f, r, i, forget_weight=1.0, retain_weight=1.0):
    """A refusal's tokens are repeated over the length of its answer."""
    said = [own[torch.arange(n) % len(own)]
            for own, n in zip(i.targets.split(i.lengths), f.lengths)]
    target = one_hot(torch.cat(said), V).to(f.logits.dtype)
    forget = js(f.logits.softmax(1), target).mean()
    return forget_weight * forget + retain_weight * js(r.logits.softmax(1),
                                                       r.reference.softmax(1)).mean()


def npo(f, r, i, beta):
    return preference(-beta * f.log_ratio(), beta) + ce(r)


def simnpo(f, r, i, beta, gamma):
    lengths = torch.tensor(f.lengths)
    return preference(-(beta / lengths) * f.sums(f.log_p()) - gamma, beta) + ce(r)


def undial(f, r, i, strength):
    return kl(f, f.reference - strength * f.hot())


def wga(f, r, i, alpha_weight):
    weight = f.log_p().exp().detach() ** alpha_weight
    return (weight * f.log_p()).mean() + ce(r)


def satimp(f, r, i, beta1, beta2):
    p = f.log_p().exp().detach()
    return (p ** beta1 * (1 - p) ** beta2 * f.log_p()).mean() + ce(r)


def ceu(f, r, i, teacher):
    logits = f.logits.detach() if teacher else f.reference
    return cross_entropy(f.logits, logits.masked_fill(f.hot(), -torch.inf).softmax(1))


def pdu(f, r, i, multiplier):
    """The authors' flattening of the margin; without the constant -multiplier * bound."""
    margin = f.logits.max(1).values - f.logits.mean(1)
    return (margin ** 2).mean() + multiplier * ce(r)


def rlabel(f, r, i):
    draws = mt19937_64(SEED)
    return cross_entropy(f.logits, torch.tensor([next(draws) % V for _ in f.targets]))


def flat(f, r, i, divergence):
    def mean_p(part):
        return part.sums(part.log_p().exp()) / torch.tensor(part.lengths)

    activation, conjugate = [
        (lambda v: torch.tanh(v) / 2, lambda u: u),           # total variation
        (lambda v: v, lambda u: torch.exp(u - 1)),            # KL
        (lambda v: v, lambda u: u ** 2 / 4 + u)][divergence]  # Pearson
    return (conjugate(activation(mean_p(f))) - activation(mean_p(i))).mean()


def asu(f, r, i):
    return kl(f, f.smoothed) + ce(r)


def ihl(f, r, i):
    p = f.logits.softmax(1)
    other = p.masked_fill(f.hot(), 0).max(1).values
    return (1 + p[f.hot()] - other).mean() + ce(r)


def rmu(f, r, i, steering, retain_weight):
    """Squares are means over the width, as in the authors' code; u is not negative, as there."""
    draws = mt19937_64(SEED)
    u = torch.tensor([(next(draws) >> 11) * 2.0 ** -53 for _ in range(D)], dtype=torch.float64)
    wanted = (steering * u / u.norm()).to(f.layer.dtype).expand_as(f.layer)
    return mse_loss(f.layer, wanted) + retain_weight * mse_loss(r.layer, r.layer_reference)


def lunar(f, r, i, strength):
    v = i.layer_reference.mean(0) - f.layer_reference.mean(0)
    moved = mse_loss(f.layer, f.layer_reference + strength * v)
    return moved + mse_loss(r.layer, r.layer_reference)


# Name of the case (its method before a dot), loss, arguments that are knobs, further knobs.
CASES = [
    ("ga", ga), ("task_vector", task_vector), ("graddiff", graddiff), ("idk", idk),
    ("rlabel", rlabel), ("ihl", ihl), ("loku", ihl),
    ("graddiff.kl", graddiff_kl, {}, {"retain_weight": 0.7, "retain_loss": 1}),
    ("ga_kl", ga_kl, {}, {"retain_weight": 0.5}), ("asu", asu, {}, {"temperature": 2.5}),
    ("altpo", altpo, {"beta": 0.5}), ("jensun", jensun),
    ("jensun.weighted", jensun, {"forget_weight": 2.0, "retain_weight": 0.5}),
    ("dpo", dpo, {"beta": 0.1}), ("npo", npo, {"beta": 0.1}), ("npo.steep", npo, {"beta": 2.0}),
    ("simnpo", simnpo, {"beta": 4.5, "gamma": 0.0}),
    ("simnpo.margin", simnpo, {"beta": 2.0, "gamma": 0.5}),
    ("undial", undial, {"strength": 10.0}), ("undial.weak", undial, {"strength": 2.0}),
    ("wga", wga, {"alpha_weight": 1.0}), ("wga.steep", wga, {"alpha_weight": 2.5}),
    ("satimp", satimp, {"beta1": 5.0, "beta2": 1.0}),
    ("satimp.other", satimp, {"beta1": 1.0, "beta2": 2.0}),
    ("ceu", ceu, {"teacher": 0}), ("ceu.current", ceu, {"teacher": 1}),
    ("pdu", pdu, {"multiplier": 1.5}), ("flat.tv", flat, {"divergence": 0}),
    ("flat.kl", flat, {"divergence": 1}), ("flat.pearson", flat, {"divergence": 2}),
    ("rmu", rmu, {"steering": 20.0, "retain_weight": 100.0}), ("lunar", lunar, {"strength": 2.0}),
]


def run(parts, dtype, loss, arguments):
    """-> loss, {kind: gradient} of the kinds that the loss depends on."""
    own = {kind: part.to(dtype) for kind, part in parts.items()}
    value = loss(*own.values(), **arguments)
    value.backward()
    leaves = {kind: p.logits if p.layer.grad is None else p.layer for kind, p in own.items()}
    return value.item(), {k: x.grad.double() for k, x in leaves.items() if x.grad is not None}


def main():
    draws = mt19937_64(5489)  # the 10000th is known (ISO C++, [rand.predef])
    assert [next(draws) for _ in range(10000)][-1] == 9981545732273789042
    generator = torch.Generator().manual_seed(SEED)
    parts = {kind: Part(kind, generator) for kind in LENGTHS}
    arrays = {f"{kind}.{name}": array for kind, part in parts.items()
              for name, array in part.arrays().items()}
    cases = []
    for name, loss, *rest in CASES:
        arguments, further = (rest + [{}, {}])[:2]
        value, gradients = run(parts, torch.float64, loss, arguments)
        rough, rough_gradients = run(parts, torch.float32, loss, arguments)
        floors = {k: float((rough_gradients[k] - g).norm() / g.norm())
                  for k, g in gradients.items()}
        cases.append({"name": name, "knobs": arguments | further, "loss": value,
                      "floor": abs(rough / value - 1), "gradient_floors": floors})
        arrays |= {f"{name}.{k}": g.float().numpy() for k, g in gradients.items()}
    container.write("losses", "PyTorch, float64", arrays,
                    {"vocabulary": V, "width": D, "seed": SEED, "lengths": LENGTHS, "cases": cases})


if __name__ == "__main__":
    main()
