"""Writes train/recipe/grpo/testdata/trl.json: losses, gradients and advantages of TRL's GRPO and RLOO trainers."""

import json
from collections import defaultdict
from types import SimpleNamespace

import torch
from trl import GRPOTrainer, RLOOTrainer

torch.manual_seed(0)
LENGTHS, T, MAX, GROUP = [5, 2, 7, 1, 3, 7, 4, 6], 7, 9, 4
B = len(LENGTHS)
mask = torch.tensor([[1.0 if t < n else 0.0 for t in range(T)] for n in LENGTHS])


def draw(scale):
    return (torch.randn(B, T) * scale - 1.5) * mask


rewards = torch.tensor([1.0, 0.0, 0.5, 0.25, 1.0, 1.0, 0.0, 1.0])
old = draw(0.8)
logp, ref = (old + torch.randn(B, T) * 0.25) * mask, (old + torch.randn(B, T) * 0.3) * mask
grouped = rewards.view(-1, GROUP)
accelerator = SimpleNamespace(num_processes=1, reduce=lambda x, reduction: x, gather=lambda x: x, gather_for_metrics=lambda x: x)


def trainer(loss, beta, high, leaf):
    return SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *a, **k: (leaf, torch.zeros(B, T), None), aux_loss_enabled=False, top_entropy_quantile=1.0,
        off_policy_mask_threshold=None, importance_sampling_level="token", beta=beta, args=SimpleNamespace(use_bias_correction_kl=False, delta=None, steps_per_generation=1),
        loss_type=loss, epsilon_low=0.2, epsilon_high=high, use_vllm=False, vllm_importance_sampling_correction=False, model=SimpleNamespace(training=True),
        current_gradient_accumulation_steps=1, max_completion_length=MAX, accelerator=accelerator, _entropy_bonus_enabled=False,
        _metrics={"train": defaultdict(list)})


def case(name, kind, loss, advantage, scale, beta=0.0, high=0.2):
    if advantage == "leave_one_out":
        a = (rewards - (grouped.sum(1, keepdim=True) - grouped).reshape(-1) / (GROUP - 1))
    else:
        a = rewards - grouped.mean(1).repeat_interleave(GROUP)
        std = {"group": grouped.std(1).repeat_interleave(GROUP), "batch": rewards.std().expand(B), "none": None}[scale]
        a = a if std is None else a / (std + 1e-4)
    leaf = logp.clone().requires_grad_(True)
    ids = torch.zeros(B, T, dtype=torch.long)
    inputs = dict(prompt_ids=ids[:, :1], prompt_mask=ids[:, :1] + 1, completion_ids=ids, completion_mask=mask, advantages=a, old_per_token_logps=old,
                  old_logps=(old * mask).sum(1), ref_per_token_logps=ref, num_items_in_batch=mask.sum())
    value = kind._compute_loss(trainer(loss, beta, high, leaf), None, inputs)
    value.backward()
    return dict(name=name, loss=loss, advantage=advantage, scale=scale, ratio="text" if kind is RLOOTrainer else "token", beta=beta, high=high,
                advantages=a.tolist(), value=value.item(), gradient=(leaf.grad * mask).flatten().tolist())


cases = [case(l, GRPOTrainer, l, "group", "group") for l in ["grpo", "bnpo", "dr_grpo", "dapo"]] + [
    case("Dr. GRPO", GRPOTrainer, "dr_grpo", "group", "none"), case("DAPO, clip-higher", GRPOTrainer, "dapo", "group", "group", high=0.28),
    case("divergence", GRPOTrainer, "grpo", "group", "batch", beta=0.04), case("RLOO", RLOOTrainer, "grpo", "leave_one_out", "none")]
golden = dict(lengths=LENGTHS, length=T, max_tokens=MAX, group=GROUP, rewards=rewards.tolist(), logp=logp.flatten().tolist(), old=old.flatten().tolist(),
              ref=ref.flatten().tolist(), cases=cases)
with open("train/recipe/grpo/testdata/trl.json", "w") as f:
    f.write(json.dumps(golden, separators=(",", ":")) + "\n")
