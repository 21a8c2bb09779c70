// One column: decoding.
#include "kernels.h"

INLINE v dot32(struct q32 w, const int16_t *a) {
  return iadd(iadd(dot16(w.a, load(a)), dot16(w.b, load(a + 8))), iadd(dot16(w.c, load(a + 16)), dot16(w.d, load(a + 24))));
}
INLINE v dot_simple(int type, const uint8_t *p, const int16_t *a) { return dot32(unpack_simple(type, p), a); }

// Four rows at a time.
INLINE void four_rows(int type, const uint8_t *rows, size_t stride, int count, int blocks, struct column c, float *out) {
  const int size = block_bytes(type);
  for (int r = 0; r < count; r += 4) {
    const uint8_t *p0 = rows + (size_t)r * stride, *p1 = r + 1 < count ? p0 + stride : p0;
    const uint8_t *p2 = r + 2 < count ? p0 + 2 * stride : p0, *p3 = r + 3 < count ? p0 + 3 * stride : p0;
    v total = zero();
    for (int b = 0; b < blocks; b++, p0 += size, p1 += size, p2 += size, p3 += size) {
      const int16_t *a = c.q + 32 * b;
      const v sum = sums_i(dot_simple(type, p0, a), dot_simple(type, p1, a), dot_simple(type, p2, a), dot_simple(type, p3, a));
      v d, m;
      scales_simple(type, p0, p1, p2, p3, &d, &m);
      total = fadd(total, fadd(fmul(to_float(sum), fmul(d, splat(c.d[b]))), fmul(m, splat(c.s[b]))));
    }
    if (r + 4 <= count) store(out + r, total);
    else {
      float rest[4];
      store(rest, total);
      for (int i = r; i < count; i++) out[i] = rest[i - r];
    }
  }
}
#define COLUMN(name, type) \
  APART static void name(const uint8_t *rows, size_t stride, int count, int blocks, struct column c, float *out) { \
    four_rows(type, rows, stride, count, blocks, c, out); \
  }
COLUMN(column_q4_0, Q4_0)
COLUMN(column_q4_1, Q4_1)
COLUMN(column_q5_0, Q5_0)
COLUMN(column_q5_1, Q5_1)

// These weights are as long as their activations, so memory is what takes time: row after row, which it likes. Four at once took three times as long.
APART static void column_q8_0(const uint8_t *rows, size_t stride, int count, int blocks, struct column c, float *out) {
  const size_t size = 34;
  for (int r = 0; r < count; r++) {
    const uint8_t *p = rows + (size_t)r * stride;
    v total = zero(), d, m;
    int b = 0;
    for (; b + 4 <= blocks; b += 4, p += 4 * size) {
      const int16_t *a = c.q + 32 * b;
      const v sum = sums_i(dot_simple(Q8_0, p, a), dot_simple(Q8_0, p + size, a + 32), dot_simple(Q8_0, p + 2 * size, a + 64),
                           dot_simple(Q8_0, p + 3 * size, a + 96));
      scales_simple(Q8_0, p, p + size, p + 2 * size, p + 3 * size, &d, &m);
      total = fadd(total, fmul(to_float(sum), fmul(d, load(c.d + b))));
    }
    if (b < blocks) {
      const uint8_t *p1 = b + 1 < blocks ? p + size : p, *p2 = b + 2 < blocks ? p1 + size : p;
      const int16_t *a = c.q + 32 * b;
      const v sum = sums_i(dot_simple(Q8_0, p, a), dot_simple(Q8_0, p1, p1 > p ? a + 32 : a), dot_simple(Q8_0, p2, p2 > p ? a + 64 : a), zero());
      scales_simple(Q8_0, p, p1, p2, p, &d, &m);
      total = fadd(total, fmul(to_float(sum), fmul(d, load_some(c.d + b, blocks - b))));
    }
    out[r] = sum_f(total);
  }
}

#define LANE(x, i) wasm_i16x8_shuffle(x, x, i, i, i, i, i, i, i, i)
// Weights below 64 times activations: sums of two products, and of four where weights are below 32, fit 16 bits.
INLINE v mul2(v w0, v w1, const int16_t *a) { return wasm_i16x8_add(wasm_i16x8_mul(w0, load(a)), wasm_i16x8_mul(w1, load(a + 8))); }
INLINE v mul4(struct q32 w, const int16_t *a) { return wasm_i16x8_add(mul2(w.a, w.b, a), mul2(w.c, w.d, a + 16)); }
INLINE v bytes8(const uint32_t *x) { return wasm_u16x8_extend_low_u8x16(wasm_i32x4_make((int)x[0], (int)x[1], 0, 0)); }

INLINE float row_k45(int type, const uint8_t *p, int blocks, struct column c) {
  const int size = block_bytes(type);
  v total = zero();
  for (int b = 0; b < blocks; b++, p += size) {
    const int16_t *a = c.q + 256 * b;
    uint32_t scales[2], offsets[2];
    scales_k(p + 4, scales, offsets);
    const v s = bytes8(scales);
    const v sums = wasm_i16x8_narrow_i32x4(wasm_i32x4_extadd_pairwise_i16x8(load(c.sums + 16 * b)),
                                           wasm_i32x4_extadd_pairwise_i16x8(load(c.sums + 16 * b + 8)));
    v q = dot16(mul4(unpack_k45(type, p, 0), a), LANE(s, 0));
    q = iadd(q, dot16(mul4(unpack_k45(type, p, 1), a + 32), LANE(s, 1)));
    q = iadd(q, dot16(mul4(unpack_k45(type, p, 2), a + 64), LANE(s, 2)));
    q = iadd(q, dot16(mul4(unpack_k45(type, p, 3), a + 96), LANE(s, 3)));
    q = iadd(q, dot16(mul4(unpack_k45(type, p, 4), a + 128), LANE(s, 4)));
    q = iadd(q, dot16(mul4(unpack_k45(type, p, 5), a + 160), LANE(s, 5)));
    q = iadd(q, dot16(mul4(unpack_k45(type, p, 6), a + 192), LANE(s, 6)));
    q = iadd(q, dot16(mul4(unpack_k45(type, p, 7), a + 224), LANE(s, 7)));
    const float d = c.d[8 * b];
    total = fadd(total, fmul(to_float(q), splat(d * half(u16(p)))));
    total = wasm_f32x4_sub(total, fmul(to_float(dot16(bytes8(offsets), sums)), splat(d * half(u16(p + 2)))));
  }
  return sum_f(total);
}
#define COLUMN_K45(name, type) \
  APART static void name(const uint8_t *rows, size_t stride, int count, int blocks, struct column c, float *out) { \
    for (int r = 0; r < count; r++) out[r] = row_k45(type, rows + (size_t)r * stride, blocks, c); \
  }
COLUMN_K45(column_q4_k, Q4_K)
COLUMN_K45(column_q5_k, Q5_K)

// Here scales are one per 16 weights, and the offset is 32 of each.
INLINE v dot_q6(const uint8_t *p, int part, const int16_t *a, v scale0, v scale1) {
  const struct q32 q = unpack_q6(p, part);
  return iadd(dot16(mul2(q.a, q.b, a), scale0), dot16(mul2(q.c, q.d, a + 16), scale1));
}
APART static void column_q6_k(const uint8_t *rows, size_t stride, int count, int blocks, struct column c, float *out) {
  for (int r = 0; r < count; r++) {
    const uint8_t *p = rows + (size_t)r * stride;
    v total = zero();
    for (int b = 0; b < blocks; b++, p += 210) {
      const int16_t *a = c.q + 256 * b;
      const v s0 = wasm_i16x8_load8x8(p + 192), s1 = wasm_i16x8_load8x8(p + 200);
      v q = dot_q6(p, 0, a, LANE(s0, 0), LANE(s0, 1));
      q = iadd(q, dot_q6(p, 1, a + 32, LANE(s0, 2), LANE(s0, 3)));
      q = iadd(q, dot_q6(p, 2, a + 64, LANE(s0, 4), LANE(s0, 5)));
      q = iadd(q, dot_q6(p, 3, a + 96, LANE(s0, 6), LANE(s0, 7)));
      q = iadd(q, dot_q6(p, 4, a + 128, LANE(s1, 0), LANE(s1, 1)));
      q = iadd(q, dot_q6(p, 5, a + 160, LANE(s1, 2), LANE(s1, 3)));
      q = iadd(q, dot_q6(p, 6, a + 192, LANE(s1, 4), LANE(s1, 5)));
      q = iadd(q, dot_q6(p, 7, a + 224, LANE(s1, 6), LANE(s1, 7)));
      const v offset = iadd(dot16(s0, load(c.sums + 16 * b)), dot16(s1, load(c.sums + 16 * b + 8)));
      q = wasm_i32x4_sub(q, wasm_i32x4_shl(offset, 5));
      total = fadd(total, fmul(to_float(q), splat(c.d[8 * b] * half(u16(p + 208)))));
    }
    out[r] = sum_f(total);
  }
}

void column_any(int type, const uint8_t *rows, size_t stride, int count, int k, struct column c, float *out) {
  switch (type) {
    case Q4_0: return column_q4_0(rows, stride, count, k / 32, c, out);
    case Q4_1: return column_q4_1(rows, stride, count, k / 32, c, out);
    case Q5_0: return column_q5_0(rows, stride, count, k / 32, c, out);
    case Q5_1: return column_q5_1(rows, stride, count, k / 32, c, out);
    case Q8_0: return column_q8_0(rows, stride, count, k / 32, c, out);
    case Q4_K: return column_q4_k(rows, stride, count, k / 256, c, out);
    case Q5_K: return column_q5_k(rows, stride, count, k / 256, c, out);
    default: return column_q6_k(rows, stride, count, k / 256, c, out);
  }
}
