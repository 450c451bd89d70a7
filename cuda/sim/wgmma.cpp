// wgmma.cpp: products of warpgroups.
#include "asynchronous.h"
#include "scheduler.h"

namespace sim {

namespace {

unsigned this_thread() {
  return state.thread.x + state.block_dim.x * (state.thread.y + state.block_dim.y * state.thread.z);
}
Asynchronous& asynchronous() { return state.scheduler->asynchronous(); }

// What accumulators hold while a product is under way: a signalling NaN, which arithmetic makes another one.
constexpr uint32_t untouched = 0xffbfffffu;

float wide(uint16_t bits) { return __uint_as_float(static_cast<unsigned>(bits) << 16); }

// The row of the accumulator, and the first of two columns, of element i of a thread.
unsigned row_of(unsigned lane, int i) { return lane / 32 * 16 + lane % 32 / 4 + i % 4 / 2 * 8; }
unsigned column_of(unsigned lane, int i) { return i / 4 * 8 + lane % 4 * 2 + i % 2; }

}  // namespace

void wgmma_fence() { asynchronous().wgmma_fence(this_thread()); }
void wgmma(const Wgmma& w, float* d, const unsigned* registers, Site site) {
  asynchronous().wgmma(w, d, registers, this_thread(), site);
}
void wgmma_commit() { asynchronous().wgmma_commit(this_thread()); }
void wgmma_wait(int newest, Site site) {
  const unsigned thread = this_thread();
  state.scheduler->wait_for({Waiting::Kind::products, nullptr, newest, site});
  asynchronous().wgmma_retire(thread, newest, site);
}

void Asynchronous::wgmma_fence(unsigned thread) { groups_[thread / 128].thread[thread % 128].fenced = true; }

void Asynchronous::wgmma(const Wgmma& w, float* d, const unsigned* registers, unsigned thread, Site site) {
  used_ = true;
  Warpgroup& g = groups_[thread / 128];
  Warpgroup::Thread& t = g.thread[thread % 128];
  if (!t.fenced) {
    fail(Fault::launch_failed, "%s:%d: no wgmma_fence before this product, the first behind a commit or wait", site.file,
         site.line);
  }
  const size_t index = t.issued++ - g.done_before;
  if (index == g.products.size()) {
    g.products.emplace_back();
    Product& p = g.products.back();
    p.w = w;
    p.site = site;
    p.has_registers = registers != nullptr;
    p.d.resize(128 * w.n / 2);
  }
  Product& p = g.products[index];
  if (p.w.n != w.n || p.w.mn_major != w.mn_major || p.w.accumulate != w.accumulate || p.w.a != w.a || p.w.b != w.b ||
      p.site.line != site.line) {
    fail(Fault::launch_failed, "the threads of a warpgroup issue different products: this one that of %s:%d, others %s:%d",
         site.file, site.line, p.site.file, p.site.line);
  }
  Product::Lane& lane = p.lane[thread % 128];
  lane.d = d;
  lane.registers = registers;
  lane.group = t.group;
  lane.first = true;
  if (registers != nullptr) {
    memcpy(lane.a, registers, sizeof lane.a);
  }
  for (size_t i = t.retired - g.done_before; i < index; i++) {
    lane.first &= g.products[i].lane[thread % 128].d != d;
  }
  if (lane.first) {
    memcpy(&p.d[thread % 128 * w.n / 2], d, w.n / 2 * sizeof(float));
    for (int i = 0; i < w.n / 2; i++) {
      memcpy(&d[i], &untouched, sizeof untouched);
    }
  }
  if (++p.issued == 128 && !late_products_) {
    multiply(g, index);
  }
}

void Asynchronous::wgmma_commit(unsigned thread) {
  Warpgroup::Thread& t = groups_[thread / 128].thread[thread % 128];
  t.group++;
  t.fenced = false;
}

bool Asynchronous::wgmma_issued(unsigned thread, int newest) const {
  const Warpgroup& g = groups_[thread / 128];
  const Warpgroup::Thread& t = g.thread[thread % 128];
  for (size_t i = t.retired; i < t.issued; i++) {
    const Product& p = g.products[i - g.done_before];
    if (p.lane[thread % 128].group + newest < t.group && p.issued < 128) {
      return false;
    }
  }
  return true;
}

// gather reads an operand of `rows` rows or columns and 16 of k, as [rows][16] or, mn_major, as [16][rows].
void Asynchronous::gather(float* to, uint64_t descriptor, bool mn_major, int rows, Site site) {
  const unsigned start = (descriptor & 0x3fff) << 4, panel = (descriptor >> 16 & 0x3fff) << 4,
                 atom = (descriptor >> 32 & 0x3fff) << 4, layout = descriptor >> 62;
  if (layout != 1 || start >> 7 & 7 || descriptor >> 46 & 0xffff || descriptor >> 30 & 3) {
    fail(Fault::launch_failed,
         "%s:%d: descriptor 0x%016llx: wanted is swizzle 128B and an operand that starts in the first row of an atom of "
         "1024 bytes",
         site.file, site.line, static_cast<unsigned long long>(descriptor));
  }
  const auto read = [&](unsigned at, float* eight) {
    at ^= (at >> 7 & 7) << 4;
    uint16_t bits[8];
    memcpy(bits, operand(at, site), 16);
    for (int i = 0; i < 8; i++) {
      eight[i] = wide(bits[i]);
    }
  };
  if (mn_major) {
    for (int k = 0; k < 16; k++) {
      for (int n = 0; n < rows; n += 8) {
        read(start + n / 64 * panel + k / 8 * atom + k % 8 * 128 + n % 64 * 2, to + k * rows + n);
      }
    }
    return;
  }
  for (int r = 0; r < rows; r++) {
    for (int k = 0; k < 16; k += 8) {
      read(start + r / 8 * atom + r % 8 * 128 + k * 2, to + r * 16 + k);
    }
  }
}

// multiply does product number index of the list, and those before it.
void Asynchronous::multiply(Warpgroup& g, size_t index) {
  for (size_t i = 0; i < index; i++) {
    if (!g.products[i].done) {
      multiply(g, i);
    }
  }
  Product& p = g.products[index];
  const int n = p.w.n;
  float a[64][16], b[16 * 256], d[64][256];
  if (p.has_registers) {
    for (unsigned lane = 0; lane < 128; lane++) {
      for (int i = 0; i < 8; i++) {  // register i/2: rows as of the accumulator, then eight columns on
        a[lane / 32 * 16 + lane % 32 / 4 + i / 2 % 2 * 8][i / 4 * 8 + lane % 4 * 2 + i % 2] =
            wide(p.lane[lane].a[i / 2] >> i % 2 * 16);
      }
    }
  } else {
    gather(&a[0][0], p.w.a, false, 64, p.site);
  }
  if (p.w.mn_major) {
    gather(b, p.w.b, true, n, p.site);
  } else {
    float rows[256 * 16];
    gather(rows, p.w.b, false, n, p.site);
    for (int k = 0; k < 16; k++) {
      for (int j = 0; j < n; j++) {
        b[k * n + j] = rows[j * 16 + k];
      }
    }
  }
  for (unsigned lane = 0; lane < 128; lane++) {
    const float* before = &p.d[lane * n / 2];
    for (size_t i = index; !p.lane[lane].first && i-- > 0;) {
      if (g.products[i].lane[lane].d == p.lane[lane].d) {
        before = &g.products[i].d[lane * n / 2];
        break;
      }
    }
    for (int i = 0; i < n / 2; i++) {
      d[row_of(lane, i)][column_of(lane, i)] = p.w.accumulate ? before[i] : 0;
    }
  }
  for (int row = 0; row < 64; row++) {
    for (int k = 0; k < 16; k++) {
      const float x = a[row][k];
      const float* y = b + k * n;
      float* to = d[row];
      for (int j = 0; j < n; j++) {
        to[j] += x * y[j];
      }
    }
  }
  for (unsigned lane = 0; lane < 128; lane++) {
    for (int i = 0; i < n / 2; i++) {
      p.d[lane * n / 2 + i] = d[row_of(lane, i)][column_of(lane, i)];
    }
  }
  p.done = true;
}

// wgmma_retire gives a thread the results of what it has waited for.
void Asynchronous::wgmma_retire(unsigned thread, int newest, Site site) {
  Warpgroup& g = groups_[thread / 128];
  Warpgroup::Thread& t = g.thread[thread % 128];
  t.fenced = false;
  while (t.retired < t.issued) {
    const size_t index = t.retired - g.done_before;
    Product& p = g.products[index];
    Product::Lane& lane = p.lane[thread % 128];
    if (lane.group + newest >= t.group) {
      break;
    }
    if (!p.done) {
      multiply(g, index);
    }
    if (p.has_registers && memcmp(lane.a, lane.registers, sizeof lane.a) != 0) {
      fail(Fault::launch_failed, "registers of A of the product of %s:%d have changed before the wait at %s:%d",
           p.site.file, p.site.line, site.file, site.line);
    }
    const int count = p.w.n / 2;
    float* result = &p.d[thread % 128 * count];
    bool last = true;
    for (size_t i = index + 1; i < t.issued - g.done_before; i++) {
      Product::Lane& later = g.products[i].lane[thread % 128];
      if (later.d == lane.d) {  // goes on from here: the list may lose this product before that one is done
        last = false;
        if (!g.products[i].done) {
          memcpy(&g.products[i].d[thread % 128 * count], result, count * sizeof(float));
          later.first = true;
        }
        break;
      }
    }
    if (last) {
      for (int i = 0; i < count; i++) {
        if (memcmp(&lane.d[i], &untouched, sizeof untouched) != 0) {
          fail(Fault::launch_failed, "accumulators of the product of %s:%d were touched before the wait at %s:%d",
               p.site.file, p.site.line, site.file, site.line);
        }
      }
      memcpy(lane.d, result, count * sizeof(float));
    }
    t.retired++;
    p.retired++;
    while (!g.products.empty() && g.products.front().retired == 128) {
      g.products.pop_front();
      g.done_before++;
    }
  }
}

}  // namespace sim
