// The view of attention without tensor cores that drops weights, with a bias or without, sparse or not.
#pragma once
#include "attention_biased.cuh"
#include "attention_drops.cuh"

namespace attention {

struct Dropped : Biased {
  Drops drops;

  __device__ Dropped(Biased biased, Drops drops) : Biased(biased), drops(drops) {}

  __device__ float score(float s, int head, int query, int key) const {
    return bias ? Biased::score(s, head, query, key) : s;
  }
  __device__ float factor(int head, int query, int key) const { return drops.factor(head, query, key); }
};

}  // namespace attention
