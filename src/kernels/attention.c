// Attention in one operation: products with keys, softmax, sums of values. Keys are taken a block at a time, for some rows of queries that share them;
// what a row has summed up is scaled where a larger product comes (so the softmax needs one pass). Sums are floats of 32 bits.
#include "operations.h"

HOST(ggml_barrier) void host_barrier(struct threadpool *);
HOST(ggml_compute_forward_flash_attn_ext_f16_one_chunk)
void host_attend(const struct params *, struct tensor *, int first, int last, int64_t from, int64_t to, float *partials, int64_t stride);

enum {
  KEYS = 32,       // of a block
  QUERIES = 8,     // rows at a time
  LONGEST = 512,   // values of a key
  SHARED_FROM = 512, // keys from which threads share them, not the heads, while one position is computed
  PARTS = 8          // of the keys then, for any number of threads: it must not change a sum
};

// `m`: largest product of a row so far, `sum` of its powers, `values`: its weighted sum.
struct row { float m, sum, *values; const uint16_t *mask; float *products; };

static int usual(const struct tensor *dst) {
  const struct tensor *q = dst->src[0], *k = dst->src[1], *x = dst->src[2], *mask = dst->src[3];
  const int bytes = k->type == F16 ? 2 : 4;
  return is_float(k->type) && k->type == x->type && k->nb[0] == (size_t)bytes && x->nb[0] == (size_t)bytes && k->ne[2] == x->ne[2] && k->ne[3] == x->ne[3] &&
         k->ne[0] <= LONGEST && x->ne[0] <= LONGEST && x->ne[0] % 8 == 0 && float_param(dst, 1) <= 0 && q->ne[2] % k->ne[2] == 0 && q->ne[3] % k->ne[3] == 0 &&
         (mask == 0 || (mask->type == F16 && mask->nb[0] == 2 && mask->ne[0] >= k->ne[1] && mask->ne[1] >= q->ne[1]));
}
int can_attend(const struct tensor *dst) {
  const struct tensor *q = dst->src[0];
  return floats(dst) && floats(q) && dst->ne[1] == q->ne[2] && dst->ne[2] == q->ne[1] && dst->ne[3] == q->ne[3];
}

static int is_masked(const uint16_t *mask, int n) {
  int i = 0;
  for (; i + 8 <= n; i += 8) if (!wasm_i16x8_all_true(wasm_i16x8_eq(load(mask + i), wasm_i16x8_splat((int16_t)0xfc00)))) return 0;
  for (; i < n; i++) if (mask[i] != 0xfc00) return 0;
  return 1;
}
APART static void scale_values(float *x, int n, float by) {
  for (int i = 0; i < n; i += 4) store(x + i, fmul(load(x + i), splat(by)));
}
// Products with `n` keys become weights of the values, which are zero from `n` to the next multiple of four.
APART static void weigh(struct row *r, int n, int from, float by, float cap, int values) {
  float *x = r->products;
  v most = splat(-__builtin_inff());
  for (int i = 0; i < n; i += 4) {
    const int left = n - i;
    v a = fmul(load(x + i), splat(by));
    if (cap != 0) a = fmul(tanh4(a), splat(cap));
    if (r->mask != 0) {
      const uint16_t *h = r->mask + from + i;
      a = fadd(a, mask4(left >= 4 ? wasm_u32x4_load16x4(h) : wasm_i32x4_make(h[0], left > 1 ? h[1] : 0, left > 2 ? h[2] : 0, 0)));
    }
    if (left < 4) a = wasm_v128_bitselect(a, splat(-__builtin_inff()), first_lanes(left));
    most = wasm_f32x4_max(most, a);
    store(x + i, a);
  }
  const float largest = largest_of(most);
  if (largest == -__builtin_inff()) {
    for (int i = 0; i < n; i += 4) store(x + i, zero());
    return;
  }
  if (!(largest <= r->m)) {
    const float less = exp1(r->m - largest);
    r->m = largest;
    r->sum *= less;
    scale_values(r->values, values, less);
  }
  v sum = zero();
  for (int i = 0; i < n; i += 4) {
    const v e = exp4(wasm_f32x4_sub(load(x + i), splat(r->m)));
    sum = fadd(sum, e);
    store(x + i, e);
  }
  r->sum += sum_f(sum);
}

// Adds `n` rows of half floats, each times its weight.
APART static void add_halves(const uint8_t *rows, size_t stride, int n, int values, const float *weights, float *out) {
  for (int i = 0; i < values; i += 8) {
    v a = load(out + i), b = load(out + i + 4);
    const uint8_t *row = rows + 2 * i;
#pragma clang loop unroll(disable)
    for (int k = 0; k < n; k++, row += stride) {
      const v h = load(row), w = wasm_v128_load32_splat(weights + k);
      a = fadd(a, fmul(half_low(h), w));
      b = fadd(b, fmul(half_high(h), w));
    }
    store(out + i, a);
    store(out + i + 4, b);
  }
}
APART static void floats_of_halves(const uint8_t *row, int n, float *out) {
  for (int i = 0; i < n; i += 8) {
    const v h = load(row + 2 * i);
    store(out + i, half_low(h));
    store(out + i + 4, half_high(h));
  }
}
// Adds `n` rows of floats to the sums of four queries, each row times the query's weight for it.
APART static void add_to_four(const float *rows, size_t stride, int n, int values, const struct row *r0, const struct row *r1, const struct row *r2, const struct row *r3) {
  const float *w0 = r0->products, *w1 = r1->products, *w2 = r2->products, *w3 = r3->products;
  for (int i = 0; i < values; i += 8) {
    v a0 = load(r0->values + i), b0 = load(r0->values + i + 4), a1 = load(r1->values + i), b1 = load(r1->values + i + 4);
    v a2 = load(r2->values + i), b2 = load(r2->values + i + 4), a3 = load(r3->values + i), b3 = load(r3->values + i + 4);
    const float *row = rows + i;
#pragma clang loop unroll(disable)
    for (int k = 0; k < n; k++, row = (const float *)((const char *)row + stride)) {
      const v x = load(row), y = load(row + 4);
      v w = wasm_v128_load32_splat(w0 + k);
      a0 = fadd(a0, fmul(x, w));
      b0 = fadd(b0, fmul(y, w));
      w = wasm_v128_load32_splat(w1 + k);
      a1 = fadd(a1, fmul(x, w));
      b1 = fadd(b1, fmul(y, w));
      w = wasm_v128_load32_splat(w2 + k);
      a2 = fadd(a2, fmul(x, w));
      b2 = fadd(b2, fmul(y, w));
      w = wasm_v128_load32_splat(w3 + k);
      a3 = fadd(a3, fmul(x, w));
      b3 = fadd(b3, fmul(y, w));
    }
    store(r0->values + i, a0);
    store(r0->values + i + 4, b0);
    store(r1->values + i, a1);
    store(r1->values + i + 4, b1);
    store(r2->values + i, a2);
    store(r2->values + i + 4, b2);
    store(r3->values + i, a3);
    store(r3->values + i + 4, b3);
  }
}

// Where a thread works: products and sums of QUERIES rows and of one more that nobody reads, and a block of values as floats.
struct room { float *products, *sums, *block, *spare; };
static struct room room_for(int dk, int dv) {
  const size_t products = (QUERIES + 1) * KEYS, sums = (size_t)(QUERIES + 1) * (size_t)dv, block = (size_t)KEYS * (size_t)dv;
  float *at = (float *)scratch((products + sums + block + 4 * (size_t)dk) * sizeof(float));
  const struct room r = { at, at + products, at + products + sums, at + products + sums + block };
  return r;
}

// `n` rows of queries against every `step`th block of keys from `first` on.
static void rows_against(const struct tensor *dst, struct row *rows, const float *const *q, int n, const char *keys, const char *values, struct room room, int first, int step) {
  const struct tensor *k = dst->src[1], *x = dst->src[2];
  const int dk = (int)k->ne[0], dv = (int)x->ne[0], count = (int)k->ne[1];
  const float cap = float_param(dst, 2), by = cap == 0 ? float_param(dst, 0) : float_param(dst, 0) / cap;
  const int is_shared = dst->src[0]->ne[1] > 1 || dst->src[0]->ne[2] > k->ne[2];
  float *products[QUERIES];
  struct row none = rows[0];
  none.products = room.products + QUERIES * KEYS;
  none.values = room.sums + (size_t)QUERIES * (size_t)dv;
  for (int i = 0; i < n; i++) products[i] = rows[i].products;
  if (n == 1) products[1] = none.products;
  for (int from = first * KEYS; from < count; from += step * KEYS) {
    const int m = from + KEYS < count ? KEYS : count - from;
    int live = 0;
    for (int i = 0; i < n; i++) live += rows[i].mask == 0 || !is_masked(rows[i].mask + from, m);
    if (live == 0) continue;
    const uint8_t *block = (const uint8_t *)keys + (size_t)from * k->nb[1], *shared = (const uint8_t *)values + (size_t)from * x->nb[1];
    // one query that shares its keys with others of its group is computed as they are: what a thread's share is must not change a sum
    floats_any(k->type, block, k->nb[1], m, dk, q, n == 1 && is_shared ? 2 : n, products, room.spare);
    for (int i = 0; i < n; i++) weigh(&rows[i], m, from, by, cap, dv);
    if (n == 1 && x->type == F16) {
      add_halves(shared, x->nb[1], m, dv, rows[0].products, rows[0].values);
      continue;
    }
    const float *plain = (const float *)shared;
    size_t stride = x->nb[1];
    if (x->type == F16) {
      for (int i = 0; i < m; i++) floats_of_halves(shared + (size_t)i * stride, dv, room.block + (size_t)i * (size_t)dv);
      plain = room.block;
      stride = (size_t)dv * sizeof(float);
    }
    for (int i = 0; i < n; i += 4)
      add_to_four(plain, stride, m, dv, &rows[i], i + 1 < n ? &rows[i + 1] : &none, i + 2 < n ? &rows[i + 2] : &none, i + 3 < n ? &rows[i + 3] : &none);
  }
}

struct place { int position, head, batch; };
static struct place place_of(const struct tensor *q, int64_t i) {
  const struct place p = { (int)(i % q->ne[1]), (int)(i / q->ne[1] % q->ne[2]), (int)(i / (q->ne[1] * q->ne[2])) };
  return p;
}
// The next rows that share keys, at most QUERIES. Returns how many.
static int prepare(const struct tensor *dst, int64_t i, int64_t last, struct row *rows, const float **in, struct room room) {
  const struct tensor *q = dst->src[0], *k = dst->src[1], *mask = dst->src[3];
  const int dv = (int)dst->src[2]->ne[0], shared = (int)(q->ne[2] / k->ne[2]);
  const struct place begin = place_of(q, i);
  int n = 0;
  for (; n < QUERIES && i + n < last; n++) {
    const struct place p = place_of(q, i + n);
    if (p.batch != begin.batch || p.head / shared != begin.head / shared) break;
    in[n] = (const float *)(q->data + (size_t)p.position * q->nb[1] + (size_t)p.head * q->nb[2] + (size_t)p.batch * q->nb[3]);
    rows[n].m = -__builtin_inff();
    rows[n].sum = 0;
    rows[n].values = room.sums + (size_t)n * (size_t)dv;
    rows[n].products = room.products + n * KEYS;
    rows[n].mask = mask == 0 ? 0 : (const uint16_t *)(mask->data + (size_t)p.position * mask->nb[1] + (size_t)(p.head % mask->ne[2]) * mask->nb[2] + (size_t)(p.batch % mask->ne[3]) * mask->nb[3]);
    for (int j = 0; j < dv; j += 4) store(rows[n].values + j, zero());
  }
  return n;
}
static void finish(struct tensor *dst, int64_t i, float m, float sum, const float *values) {
  const struct tensor *sinks = dst->src[4];
  const struct place p = place_of(dst->src[0], i);
  const int dv = (int)dst->ne[0];
  float by = 1;
  if (sinks != 0) { // a weight without a value
    const float sink = ((const float *)sinks->data)[p.head];
    if (sink > m) {
      by = exp1(m - sink);
      sum = sum * by + 1;
    } else sum += exp1(sink - m);
  }
  float *out = (float *)(dst->data + ((size_t)p.batch * (size_t)(dst->ne[2] * dst->ne[1]) + (size_t)p.head + (size_t)p.position * (size_t)dst->ne[1]) * dst->nb[1]);
  by = sum == 0 ? 0 : by / sum;
  for (int j = 0; j < dv; j += 4) store(out + j, fmul(load(values + j), splat(by)));
}
static void attend_rows(const struct tensor *dst, int64_t i, int64_t last, int first, int step, struct row *rows, struct room room, int *n) {
  const struct tensor *q = dst->src[0], *k = dst->src[1], *x = dst->src[2];
  const float *in[QUERIES];
  const struct place p = place_of(q, i);
  const size_t head = (size_t)p.head / (size_t)(q->ne[2] / k->ne[2]), batch = (size_t)p.batch / (size_t)(q->ne[3] / k->ne[3]);
  *n = prepare(dst, i, last, rows, in, room);
  if (*n == 1) in[1] = in[0];
  rows_against(dst, rows, in, *n, k->data + head * k->nb[2] + batch * k->nb[3], x->data + head * x->nb[2] + batch * x->nb[3], room, first, step);
}

// One position and many keys: each thread takes all heads and its share of the parts; then these are put together. A part: m, sum, values.
static void attend_shared(const struct params *p, struct tensor *dst, struct room room) {
  const int heads = (int)dst->src[0]->ne[2], dv = (int)dst->ne[0];
  const size_t part = (size_t)dv + 4;
  float *parts = (float *)p->wdata;
  struct row rows[QUERIES];
  int n;
  for (int at = p->ith; at < PARTS; at += p->nth) for (int i = 0; i < heads; i += n) {
    attend_rows(dst, i, heads, at, PARTS, rows, room, &n);
    for (int j = 0; j < n; j++) {
      float *out = parts + ((size_t)(i + j) * PARTS + (size_t)at) * part;
      out[0] = rows[j].m;
      out[1] = rows[j].sum;
      for (int d = 0; d < dv; d += 4) store(out + 4 + d, load(rows[j].values + d));
    }
  }
  host_barrier(p->threadpool);
  const struct share s = share_rows(p, heads, dv);
  for (int64_t i = s.first; i < s.last; i++) {
    const float *of = parts + (size_t)i * PARTS * part;
    float m = -__builtin_inff(), sum = 0;
    for (int t = 0; t < PARTS; t++) m = of[(size_t)t * part] > m ? of[(size_t)t * part] : m;
    for (int d = 0; d < dv; d += 4) store(room.sums + d, zero());
    for (int t = 0; t < PARTS; t++) {
      const float *one = of + (size_t)t * part;
      if (one[1] == 0) continue;
      const float by = exp1(one[0] - m);
      sum += one[1] * by;
      for (int d = 0; d < dv; d += 4) store(room.sums + d, fadd(load(room.sums + d), fmul(load(one + 4 + d), splat(by))));
    }
    finish(dst, i, m, sum, room.sums);
  }
}

void attend(const struct params *p, struct tensor *dst) {
  const struct tensor *q = dst->src[0], *k = dst->src[1];
  const int64_t all = rows_of(q);
  const struct share s = share_rows(p, all, dst->ne[0]);
  if (!usual(dst)) {
    if (s.first < s.last) host_attend(p, dst, (int)s.first, (int)s.last, 0, k->ne[1], 0, 0);
    return;
  }
  const struct room room = room_for((int)k->ne[0], (int)dst->ne[0]);
  // what the engine gives each thread at least, for tiles of its own: the same for any number of threads
  const size_t given = 64 * (size_t)(2 * k->ne[0] + 2 * dst->ne[0] + 128) * sizeof(float);
  const size_t parts = (size_t)all * PARTS * ((size_t)dst->ne[0] + 4) * sizeof(float);
  if (q->ne[1] == 1 && q->ne[3] == 1 && k->ne[1] >= SHARED_FROM && parts <= given && parts <= p->wsize) {
    attend_shared(p, dst, room);
    return;
  }
  struct row rows[QUERIES];
  int n;
  for (int64_t i = s.first; i < s.last; i += n) {
    attend_rows(dst, i, s.last, 0, 1, rows, room, &n);
    for (int j = 0; j < n; j++) finish(dst, i + j, rows[j].m, rows[j].sum, rows[j].values);
  }
}
