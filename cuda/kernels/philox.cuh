// philox.cuh: Philox4x32-10 (Salmon et al. 2011), a block of four words for each counter (b low, site, b high, 0).
#pragma once
#include "common.cuh"

struct Philox {
  unsigned key[2];
  unsigned site;

  // block writes the four words of block index.
  __device__ void block(unsigned long long index, unsigned (&words)[4]) const {
    unsigned c0 = (unsigned)index, c1 = site, c2 = (unsigned)(index >> 32), c3 = 0;
    unsigned k0 = key[0], k1 = key[1];
#pragma unroll
    for (int round = 0; round < 10; round++) {
      const unsigned long long p0 = c0 * 0xD2511F53ull;
      const unsigned long long p1 = c2 * 0xCD9E8D57ull;
      c0 = (unsigned)(p1 >> 32) ^ c1 ^ k0;
      c1 = (unsigned)p1;
      c2 = (unsigned)(p0 >> 32) ^ c3 ^ k1;
      c3 = (unsigned)p0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
  }
};
