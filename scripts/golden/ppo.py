"""Writes train/recipe/ppo/testdata/ppo.json: what PyTorch makes of the formulas of TRL's PPOTrainer.

The steps are those of trl 0.24 (trl/trainer/ppo_trainer.py, later taken out of the package): token rewards with the k1
divergence, generalised advantage estimation, masked_whiten, the clipped losses of policy and values, and the adaptive
controller of Ziegler et al. 2019.
"""

import json

import torch

torch.manual_seed(0)
LENGTHS, T = [5, 2, 7, 1, 3, 7, 4, 6], 7
B = len(LENGTHS)
KL, GAMMA, CLIP, VALUE_CLIP, VALUE_WEIGHT = 0.05, 1.0, 0.2, 0.2, 0.1
mask = torch.tensor([[t < n for t in range(T)] for n in LENGTHS])


def draw(mean, scale):
    return torch.where(mask, torch.randn(B, T) * scale + mean, torch.zeros(B, T))


def masked_mean(values, mask):
    return (values * mask).sum() / mask.sum()


def masked_whiten(values, mask):
    mean = masked_mean(values, mask)
    n = mask.sum()
    variance = masked_mean((values - mean) ** 2, mask) * n / (n - 1)
    return (values - mean) * torch.rsqrt(variance + 1e-8)


scores = torch.randn(B)
old, values = draw(-1.5, 0.8), draw(0.2, 0.5)
ref, logp, vpred = old + draw(0, 0.3), old + draw(0, 0.25), values + draw(0, 0.25)
last = torch.tensor(LENGTHS) - 1


def advantages_of(gamma, lam):
    rewards = -KL * (old - ref)
    rewards[torch.arange(B), last] += scores
    reversed_, next_ = [], torch.zeros(B)
    for t in reversed(range(T)):
        after = values[:, t + 1] if t < T - 1 else torch.zeros(B)
        next_ = rewards[:, t] + gamma * after - values[:, t] + gamma * lam * next_
        reversed_.append(next_)
    advantages = torch.stack(reversed_[::-1], axis=1)
    return rewards, advantages, advantages + values


def case(gamma, lam):
    rewards, advantages, returns = advantages_of(gamma, lam)
    whitened = torch.masked_fill(masked_whiten(advantages, mask), ~mask, 0)
    p, v = logp.clone().requires_grad_(True), vpred.clone().requires_grad_(True)
    ratio = torch.exp(p - old)
    policy = masked_mean(torch.max(-whitened * ratio, -whitened * torch.clamp(ratio, 1 - CLIP, 1 + CLIP)), mask)
    clipped = torch.clamp(v, values - VALUE_CLIP, values + VALUE_CLIP)
    value = 0.5 * masked_mean(torch.max((v - returns) ** 2, (clipped - returns) ** 2), mask)
    (policy + VALUE_WEIGHT * value).backward()
    flat = lambda x: (x * mask).flatten().tolist()
    return dict(gamma=gamma, **{"lambda": lam}, rewards=flat(rewards), advantages=flat(advantages), returns=flat(returns), whitened=flat(whitened),
                policy=policy.item(), value=value.item(), policy_gradient=flat(p.grad), value_gradient=flat(v.grad))


def controller(target, horizon, steps):
    """AdaptiveKLController of trl: value, then each update by a divergence and a number of texts."""
    value, all_ = KL, []
    for current, n in steps:
        error = max(-0.2, min(0.2, current / target - 1))
        value *= 1 + error * n / horizon
        all_.append(value)
    return dict(target=target, horizon=horizon, steps=steps, values=all_)


golden = dict(lengths=LENGTHS, length=T, kl=KL, scores=scores.tolist(), old=old.flatten().tolist(), ref=ref.flatten().tolist(), values=values.flatten().tolist(),
              logp=logp.flatten().tolist(), vpred=vpred.flatten().tolist(), cases=[case(1.0, 0.95), case(0.9, 0.5), case(1.0, 1.0)],
              controller=controller(6.0, 1000.0, [[0.5, 64], [5.5, 64], [6.4, 128], [12.0, 64]]))
with open("train/recipe/ppo/testdata/ppo.json", "w") as f:
    f.write(json.dumps(golden, separators=(",", ":")) + "\n")
