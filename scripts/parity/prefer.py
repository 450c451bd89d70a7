"""Losses of preferences and their gradients, by TRL's own trainers: train/recipe/prefer/testdata/losses.json.

    python scripts/parity/prefer.py FILE

The trainers compute a loss from a model's log-probabilities (or rewards); here the model is a stand-in that gives random
ones. A case has the numbers of our losses: log-probabilities of the first and second sequence of each sample, of the
reference, labels, and what TRL says: the mean loss and its gradients. Under "mean" all are by token.
"""

import collections
import json
import sys
import types

import torch
from trl.experimental.cpo import CPOTrainer
from trl.experimental.orpo import ORPOTrainer
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_trainer import KTOTrainer
from trl.trainer.reward_trainer import RewardTrainer

torch.manual_seed(3)
K, T = 5, 4  # samples, answer tokens of each sequence
CASES = []


def trainer(**attributes):
    """What the trainers' methods read of themselves."""
    same = lambda x: x  # noqa: E731
    accelerator = types.SimpleNamespace(device="cpu", gather=same, gather_for_metrics=same, num_processes=1, reduce=lambda x, **_: x)
    model = types.SimpleNamespace(training=True)
    metrics = collections.defaultdict(lambda: collections.defaultdict(list))
    attributes = dict(aux_loss_enabled=False, precompute_ref_logps=True, ld_alpha=None, f_divergence_type="reverse_kl", use_weighting=False,
                      label_smoothing=0.0, _total_train_tokens=0, _tp_size=1, loss_weights=[1.0]) | attributes
    return types.SimpleNamespace(accelerator=accelerator, model=model, _metrics=metrics, args=types.SimpleNamespace(), **attributes)


def floats(t):
    return [float(x) for x in t.detach().flatten()]


def case(kind, config, first, second, ref_first, ref_second, labels, loss, gradients, margins=None):
    CASES.append({"kind": kind, "config": config, "first": floats(first), "second": floats(second),
                  "ref_first": floats(ref_first) if ref_first is not None else None,
                  "ref_second": floats(ref_second) if ref_second is not None else None,
                  "labels": labels, "margins": margins, "loss": float(loss), "gradients": [floats(g) for g in gradients]})


def tokens(n):
    """Log-probabilities of tokens, that float32 holds."""
    return (-torch.rand(n, T) * 3).float().requires_grad_()


def dpo(loss, beta, smoothing=0.0, reference_free=False, samples=K, kind=None):
    lp = tokens(2 * samples)
    ref = torch.zeros(2 * samples) if reference_free else tokens(2 * samples).sum(1).detach()
    outputs = types.SimpleNamespace(log_probs=lp, entropy=lp.detach(), mean_logits=lp.detach(), is_top1=lp > 0)
    mask = torch.tensor([[0] + [1] * T] * (2 * samples))
    inputs = {"input_ids": torch.zeros(2 * samples, T + 1, dtype=torch.long), "attention_mask": mask, "completion_mask": mask,
              "ref_chosen_logps": ref[:samples], "ref_rejected_logps": ref[samples:]}
    self = trainer(beta=beta, loss_types=[kind or loss], label_smoothing=smoothing)
    value = DPOTrainer._compute_loss(self, lambda **_: outputs, inputs, False)
    (grad,) = torch.autograd.grad(value, lp)
    by = T if loss == "ipo" else 1
    first, second = lp.sum(1).chunk(2)
    grads = [g[:, 0] * by for g in grad.chunk(2)]
    case("dpo", {"beta": beta, "loss": loss, "label_smoothing": smoothing, "reference_free": reference_free},
         first / by, second / by, None if reference_free else ref[:samples] / by, None if reference_free else ref[samples:] / by,
         [1.0] * samples, value, grads)


def kto(beta, desirable, undesirable, labels, far=0.0):
    n = len(labels)
    lp, kl, ref, ref_kl = tokens(n), tokens(n), tokens(n).sum(1).detach(), tokens(n).sum(1).detach() - far
    inputs = {"input_ids": torch.zeros(n, T + 1, dtype=torch.long), "attention_mask": torch.ones(n, T + 1), "completion_mask": torch.ones(n, T + 1),
              "KL_input_ids": torch.zeros(n, T + 1, dtype=torch.long), "KL_attention_mask": torch.ones(n, T + 1), "KL_completion_mask": torch.ones(n, T + 1),
              "label": torch.tensor([x > 0 for x in labels]), "ref_logps": ref, "ref_KL_logps": ref_kl}
    self = trainer(beta=beta, desirable_weight=desirable, undesirable_weight=undesirable, calculate_KL=True, loss_type="kto")
    for name in ("_compute_kl_logps", "kto_loss"):
        if hasattr(KTOTrainer, name):
            setattr(self, name, types.MethodType(getattr(KTOTrainer, name), self))
    calls = iter([kl, lp])
    model = lambda **_: types.SimpleNamespace(log_probs=next(calls), entropy=lp.detach(), mean_logits=lp.detach(), is_top1=lp > 0)  # noqa: E731
    value = KTOTrainer._compute_loss(self, model, inputs, False)
    (grad,) = torch.autograd.grad(value, lp)
    case("kto", {"beta": beta, "desirable_weight": desirable, "undesirable_weight": undesirable}, lp.sum(1), kl.sum(1), ref, ref_kl, labels, value,
         [grad[:, 0], torch.zeros(n)])


def orpo(beta):
    lp = tokens(2 * K).mean(1).detach().requires_grad_()
    first, second = lp.chunk(2)
    losses = ORPOTrainer.odds_ratio_loss(trainer(beta=beta), first, second)[0]
    value = -first.mean() - losses.mean()
    grad = torch.autograd.grad(value, lp)[0].chunk(2)
    case("orpo", {"beta": beta}, first, second, None, None, [1.0] * K, value, grad)


def simpo(beta, gamma, smoothing):
    lp = tokens(2 * K).mean(1).detach().requires_grad_()
    first, second = lp.chunk(2)
    losses = CPOTrainer.cpo_loss(trainer(beta=beta, alpha=0.0, loss_type="simpo", simpo_gamma=gamma, label_smoothing=smoothing), first, second)[0]
    grad = torch.autograd.grad(losses.mean(), lp)[0].chunk(2)
    case("simpo", {"beta": beta, "gamma": gamma, "label_smoothing": smoothing}, first, second, None, None, [1.0] * K, losses.mean(), grad)


def reward(center, margin):
    logits = (2 * torch.randn(2 * K, 1)).float().requires_grad_()
    inputs = {"attention_mask": torch.ones(2 * K, 1)}
    margins = [0.5 * i for i in range(K)] if margin else None
    if margin:
        inputs["margin"] = torch.tensor(margins)
    self = trainer()
    self.args.center_rewards_coefficient = center or None
    value = RewardTrainer.compute_loss(self, lambda **_: types.SimpleNamespace(logits=logits), inputs)
    grad = torch.autograd.grad(value, logits)[0].squeeze(-1).chunk(2)
    first, second = logits.squeeze(-1).chunk(2)
    case("reward", {"center": center}, first, second, None, None, [1.0] * K, value, grad, margins or [0.0] * K)


for loss in ("sigmoid", "hinge", "ipo"):
    for beta in (0.1, 0.5):
        dpo(loss, beta)
dpo("sigmoid", 0.3, reference_free=True)
dpo("sigmoid", 0.3, smoothing=0.2, samples=1, kind="aot")  # of one pair that is the smoothed loss
kto(0.1, 1.0, 1.0, [1.0, -1.0, 1.0, 1.0, -1.0])
kto(0.5, 1.5, 0.75, [-1.0, -1.0, 1.0, -1.0, 1.0], far=6.0)
kto(0.5, 1.0, 1.25, [1.0, -1.0, -1.0, 1.0, 1.0], far=-6.0)
for beta in (0.1, 1.0):
    orpo(beta)
simpo(2.0, 0.5, 0.0)
simpo(2.5, 1.0, 0.1)
for center in (0.0, 0.01):
    for margin in (False, True):
        reward(center, margin)
with open(sys.argv[1], "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c) for c in CASES) + "\n]\n")
