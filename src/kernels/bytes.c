// Products of bytes, four added up in one instruction: `i32x4.relaxed_dot_i8x16_i7x16_add_s`. One operand has eight bits with a sign, here the activations; of
// the other, the weights, seven bits mean the same everywhere. Weights of four to six bits fit without their offset, which sums of activations take away.
//
// Where the processor has no such instruction, JavaScript engines put several in its place, which are slower than those of the other kernels.
// What they do with an eighth bit tells them apart, and it tells what that bit means: so weights of eight bits (Q8_0) fit too.
#include "kernels.h"
#ifdef RELAXED
#pragma clang attribute push(__attribute__((target("relaxed-simd"))), apply_to = function)

INLINE v dot7(v a, v w, v sum) { return wasm_i32x4_relaxed_dot_i8x16_i7x16_add(a, w, sum); }

// A WebAssembly global: 0 until it is known. NONE: slow, or not as expected.
enum { NONE = 1, UNSIGNED = 2, SIGNED = 3 };
static __attribute__((address_space(1))) int eighth_bit;

APART static v dot_of(int a, int w) { return dot7(wasm_i8x16_splat((char)a), wasm_i8x16_splat((char)w), zero()); }
int has_bytes(void) {
  if (eighth_bit == 0) {
    // Sums of two products in 16 bits end at 32767, or turn negative: those are other instructions.
    const int most = wasm_i32x4_extract_lane(dot_of(127, 255), 0), least = wasm_i32x4_extract_lane(dot_of(-128, 128), 0);
    eighth_bit = most == 4 * 127 * 255 && least == 4 * -128 * 128 ? UNSIGNED : most == -4 * 127 && least == 4 * 128 * 128 ? SIGNED : NONE;
  }
  return eighth_bit != NONE;
}
// Q8_0's weights as that operand takes them, and what is to be added to the product for it, of `sums` of activations.
INLINE v flip(void) { return eighth_bit == UNSIGNED ? wasm_i8x16_splat(-128) : zero(); }
INLINE v unflip(v sums) { return eighth_bit == UNSIGNED ? wasm_i32x4_neg(wasm_i32x4_shl(sums, 7)) : zero(); }

// ---- activations ----

INLINE float largest(const float *x, int n) {
  v most = zero();
  for (int i = 0; i < n; i += 4) most = wasm_f32x4_max(most, wasm_f32x4_abs(load(x + i)));
  return largest_of(most);
}
// Sixteen, to the nearest integers, as activations.c.
INLINE v rounded4(const float *x, v by) {
  const v magic = splat(12582912.0f);
  return wasm_i32x4_sub(fadd(fmul(load(x), by), magic), magic);
}
INLINE v rounded(const float *x, v by) {
  return wasm_i8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(rounded4(x, by), rounded4(x + 4, by)),
                                 wasm_i16x8_narrow_i32x4(rounded4(x + 8, by), rounded4(x + 12, by)));
}
APART void quantize_bytes(int type, const float *x, int k, struct column c) {
  const int group = is_k(type) ? 256 : 32;
  int8_t *q = (int8_t *)c.q;
  for (int from = 0; from < k; from += group) {
    const float most = largest(x + from, group), d = most / 127.0f;
    const v by = splat(most == 0 ? 0 : 127.0f / most);
    for (int at = from; at < from + group; at += 32) {
      const v a = rounded(x + at, by), b = rounded(x + at + 16, by), ones = wasm_i8x16_splat(1);
      store(q + at, a);
      store(q + at + 16, b);
      const v low = dot7(a, ones, zero()), high = dot7(b, ones, zero()), both = sums_i(low, high, low, high);
      const int sum0 = wasm_i32x4_extract_lane(both, 0), sum1 = wasm_i32x4_extract_lane(both, 1);
      c.sums[at / 16] = (int16_t)sum0;
      c.sums[at / 16 + 1] = (int16_t)sum1;
      c.d[at / 32] = d;
      c.s[at / 32] = d * (float)(sum0 + sum1);
    }
  }
}

// ---- one column: decoding ----

INLINE v dot32(struct b32 w, const int8_t *a, v sum) { return dot7(load(a + 16), w.second, dot7(load(a), w.first, sum)); }
INLINE v dot_simple(int type, const uint8_t *p, const int8_t *a) { return dot32(bytes_simple(type, p), a, zero()); }

INLINE void four_rows(int type, const uint8_t *rows, size_t stride, int count, int blocks, struct column c, float *out) {
  const int size = block_bytes(type);
  for (int r = 0; r < count; r += 4) {
    const uint8_t *p0 = rows + (size_t)r * stride, *p1 = r + 1 < count ? p0 + stride : p0;
    const uint8_t *p2 = r + 2 < count ? p0 + 2 * stride : p0, *p3 = r + 3 < count ? p0 + 3 * stride : p0;
    v total = zero();
    for (int b = 0; b < blocks; b++, p0 += size, p1 += size, p2 += size, p3 += size) {
      const int8_t *a = (const int8_t *)c.q + 32 * b;
      const v sum = sums_i(dot_simple(type, p0, a), dot_simple(type, p1, a), dot_simple(type, p2, a), dot_simple(type, p3, a));
      v d, m;
      scales_simple(type, p0, p1, p2, p3, &d, &m);
      total = fadd(total, fadd(fmul(to_float(sum), fmul(d, splat(c.d[b]))), fmul(m, splat(c.s[b]))));
    }
    store_some(out + r, total, count - r);
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

INLINE v dot_q8(const uint8_t *p, const int8_t *a, v flipped) {
  const struct b32 w = { wasm_v128_xor(load(p + 2), flipped), wasm_v128_xor(load(p + 18), flipped) };
  return dot32(w, a, zero());
}
// Row after row, as in columns.c.
APART static void column_q8_0(const uint8_t *rows, size_t stride, int count, int blocks, struct column c, float *out) {
  const size_t size = 34;
  const v flipped = flip();
  for (int r = 0; r < count; r++) {
    const uint8_t *p = rows + (size_t)r * stride;
    v total = zero(), d, m;
    int b = 0;
    for (; b + 4 <= blocks; b += 4, p += 4 * size) {
      const int8_t *a = (const int8_t *)c.q + 32 * b;
      const v sum = sums_i(dot_q8(p, a, flipped), dot_q8(p + size, a + 32, flipped), dot_q8(p + 2 * size, a + 64, flipped), dot_q8(p + 3 * size, a + 96, flipped));
      scales_simple(Q8_0, p, p + size, p + 2 * size, p + 3 * size, &d, &m);
      const v more = unflip(wasm_i32x4_extadd_pairwise_i16x8(load(c.sums + 2 * b)));
      total = fadd(total, fmul(to_float(iadd(sum, more)), fmul(d, load(c.d + b))));
    }
    if (b < blocks) {
      const uint8_t *p1 = b + 1 < blocks ? p + size : p, *p2 = b + 2 < blocks ? p1 + size : p;
      const int8_t *a = (const int8_t *)c.q + 32 * b;
      const v sum = sums_i(dot_q8(p, a, flipped), dot_q8(p1, p1 > p ? a + 32 : a, flipped), dot_q8(p2, p2 > p ? a + 64 : a, flipped), zero());
      scales_simple(Q8_0, p, p1, p2, p, &d, &m);
      const v more = unflip(wasm_i32x4_extadd_pairwise_i16x8(load(c.sums + 2 * b)));
      total = fadd(total, fmul(to_float(iadd(sum, more)), fmul(d, load_some(c.d + b, blocks - b))));
    }
    out[r] = sum_f(total);
  }
}

INLINE v bytes8(const uint32_t *x) { return wasm_u16x8_extend_low_u8x16(wasm_i32x4_make((int)x[0], (int)x[1], 0, 0)); }
#define PAIR(x, i) wasm_i32x4_shuffle(x, x, i, i, i, i)
// Sums of eight products with weights below 32, or of four with weights below 64, fit 16 bits: two of them times two scales in one product.
INLINE v scaled_pair(v a, v b, v scales) { return dot16(wasm_i16x8_shuffle(a, wasm_i32x4_shl(b, 16), 0, 9, 2, 11, 4, 13, 6, 15), scales); }
INLINE v dot_k45(int type, const uint8_t *p, int part, const int8_t *a, v scales) {
  a += 32 * part;
  return scaled_pair(dot32(bytes_k45(type, p, part), a, zero()), dot32(bytes_k45(type, p, part + 1), a + 32, zero()), scales);
}
INLINE float row_k45(int type, const uint8_t *p, int blocks, struct column c) {
  const int size = block_bytes(type);
  v total = zero();
  for (int b = 0; b < blocks; b++, p += size) {
    const int8_t *a = (const int8_t *)c.q + 256 * b;
    uint32_t scales[2], offsets[2];
    scales_k(p + 4, scales, offsets);
    const v s = bytes8(scales);
    const v sums = wasm_i16x8_narrow_i32x4(wasm_i32x4_extadd_pairwise_i16x8(load(c.sums + 16 * b)),
                                           wasm_i32x4_extadd_pairwise_i16x8(load(c.sums + 16 * b + 8)));
    v q = dot_k45(type, p, 0, a, PAIR(s, 0));
    q = iadd(q, dot_k45(type, p, 2, a, PAIR(s, 1)));
    q = iadd(q, dot_k45(type, p, 4, a, PAIR(s, 2)));
    q = iadd(q, dot_k45(type, p, 6, a, PAIR(s, 3)));
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

INLINE v dot_q6(const uint8_t *p, int part, const int8_t *a, v scales) {
  const struct b32 w = bytes_q6(p, part);
  a += 32 * part;
  return scaled_pair(dot7(load(a), w.first, zero()), dot7(load(a + 16), w.second, zero()), scales);
}
APART static void column_q6_k(const uint8_t *rows, size_t stride, int count, int blocks, struct column c, float *out) {
  for (int r = 0; r < count; r++) {
    const uint8_t *p = rows + (size_t)r * stride;
    v total = zero();
    for (int b = 0; b < blocks; b++, p += 210) {
      const int8_t *a = (const int8_t *)c.q + 256 * b;
      const v s0 = wasm_i16x8_load8x8(p + 192), s1 = wasm_i16x8_load8x8(p + 200);
      v q = dot_q6(p, 0, a, PAIR(s0, 0));
      q = iadd(q, dot_q6(p, 1, a, PAIR(s0, 1)));
      q = iadd(q, dot_q6(p, 2, a, PAIR(s0, 2)));
      q = iadd(q, dot_q6(p, 3, a, PAIR(s0, 3)));
      q = iadd(q, dot_q6(p, 4, a, PAIR(s1, 0)));
      q = iadd(q, dot_q6(p, 5, a, PAIR(s1, 1)));
      q = iadd(q, dot_q6(p, 6, a, PAIR(s1, 2)));
      q = iadd(q, dot_q6(p, 7, a, PAIR(s1, 3)));
      const v offset = iadd(dot16(s0, load(c.sums + 16 * b)), dot16(s1, load(c.sums + 16 * b + 8)));
      q = wasm_i32x4_sub(q, wasm_i32x4_shl(offset, 5));
      total = fadd(total, fmul(to_float(q), splat(c.d[8 * b] * half(u16(p + 208)))));
    }
    out[r] = sum_f(total);
  }
}

void column_bytes(int type, const uint8_t *rows, size_t stride, int count, int k, struct column c, float *out) {
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

// ---- tiles: prompts ----

INLINE void put(struct b32 a, struct b32 b, struct b32 c, struct b32 d, struct byte_tile *t) {
  interleave(a.first, b.first, c.first, d.first, t->q);
  interleave(a.second, b.second, c.second, d.second, t->q + 4);
}
INLINE void unpack(int type, const uint8_t *p0, const uint8_t *p1, const uint8_t *p2, const uint8_t *p3, int k, struct byte_tile *t) {
  const int size = block_bytes(type), weights = block_weights(type);
  const v flipped = flip();
  for (int b = 0; b < k / weights; b++, p0 += size, p1 += size, p2 += size, p3 += size) {
    if (!is_k(type)) {
      put(bytes_simple(type, p0), bytes_simple(type, p1), bytes_simple(type, p2), bytes_simple(type, p3), t);
      if (type == Q8_0)
        for (int i = 0; i < 8; i++) t->q[i] = wasm_v128_xor(t->q[i], flipped);
      scales_simple(type, p0, p1, p2, p3, &t->d, &t->m);
      t++;
    } else if (type == Q6_K) {
      const v d = half4(wasm_i32x4_make(u16(p0 + 208), u16(p1 + 208), u16(p2 + 208), u16(p3 + 208)));
#pragma clang loop unroll(full)
      for (int part = 0; part < 8; part++, t++) {
        put(bytes_q6(p0, part), bytes_q6(p1, part), bytes_q6(p2, part), bytes_q6(p3, part), t);
        t->d = d;
        t->m = zero();
        const v pairs = wasm_i32x4_make(u16(p0 + 192 + 2 * part), u16(p1 + 192 + 2 * part), u16(p2 + 192 + 2 * part), u16(p3 + 192 + 2 * part));
        t->scales[0] = wasm_i32x4_shr(wasm_i32x4_shl(pairs, 24), 24);
        t->scales[1] = wasm_i32x4_shr(wasm_i32x4_shl(pairs, 16), 24);
      }
    } else {
      const v both = wasm_i32x4_make((int)u32(p0), (int)u32(p1), (int)u32(p2), (int)u32(p3)), d = half4(both), m = half4_high(both);
      uint32_t s0[2], s1[2], s2[2], s3[2], m0[2], m1[2], m2[2], m3[2];
      scales_k(p0 + 4, s0, m0);
      scales_k(p1 + 4, s1, m1);
      scales_k(p2 + 4, s2, m2);
      scales_k(p3 + 4, s3, m3);
#pragma clang loop unroll(full)
      for (int part = 0; part < 8; part++, t++) {
        put(bytes_k45(type, p0, part), bytes_k45(type, p1, part), bytes_k45(type, p2, part), bytes_k45(type, p3, part), t);
        t->d = fmul(d, bytes4(s0, s1, s2, s3, part));
        t->m = wasm_f32x4_neg(fmul(m, bytes4(m0, m1, m2, m3, part)));
      }
    }
  }
}
#define UNPACK(name, type) \
  APART static void name(const uint8_t *p0, const uint8_t *p1, const uint8_t *p2, const uint8_t *p3, int k, struct byte_tile *t) { \
    unpack(type, p0, p1, p2, p3, k, t); \
  }
UNPACK(unpack_q4_0, Q4_0)
UNPACK(unpack_q4_1, Q4_1)
UNPACK(unpack_q5_0, Q5_0)
UNPACK(unpack_q5_1, Q5_1)
UNPACK(unpack_q8_0, Q8_0)
UNPACK(unpack_q4_k, Q4_K)
UNPACK(unpack_q5_k, Q5_K)
UNPACK(unpack_q6_k, Q6_K)

void unpack_bytes(int type, const uint8_t *p0, const uint8_t *p1, const uint8_t *p2, const uint8_t *p3, int k, struct byte_tile *t) {
  switch (type) {
    case Q4_0: return unpack_q4_0(p0, p1, p2, p3, k, t);
    case Q4_1: return unpack_q4_1(p0, p1, p2, p3, k, t);
    case Q5_0: return unpack_q5_0(p0, p1, p2, p3, k, t);
    case Q5_1: return unpack_q5_1(p0, p1, p2, p3, k, t);
    case Q8_0: return unpack_q8_0(p0, p1, p2, p3, k, t);
    case Q4_K: return unpack_q4_k(p0, p1, p2, p3, k, t);
    case Q5_K: return unpack_q5_k(p0, p1, p2, p3, k, t);
    default: return unpack_q6_k(p0, p1, p2, p3, k, t);
  }
}

INLINE v four(const int8_t *a) { return wasm_v128_load32_splat(a); }
INLINE v scaled(const struct byte_tile *t, v sum, float d, float s) { return fadd(fmul(to_float(sum), fmul(t->d, splat(d))), fmul(t->m, splat(s))); }
INLINE v start(int type, const int16_t *sums) { return type == Q8_0 ? unflip(wasm_i32x4_splat(sums[0] + sums[1])) : zero(); }
struct sums4 { v a, b, c, d; };
INLINE struct sums4 times4(v w, const int8_t *a0, const int8_t *a1, const int8_t *a2, const int8_t *a3, struct sums4 s) {
  const struct sums4 next = { dot7(four(a0), w, s.a), dot7(four(a1), w, s.b), dot7(four(a2), w, s.c), dot7(four(a3), w, s.d) };
  return next;
}
INLINE void tile_4x4_of(int type, const struct byte_tile *t, int blocks, const struct column *c, float *const *out) {
  const int8_t *a0 = (const int8_t *)c[0].q, *a1 = (const int8_t *)c[1].q, *a2 = (const int8_t *)c[2].q, *a3 = (const int8_t *)c[3].q;
  v f0 = zero(), f1 = f0, f2 = f0, f3 = f0;
  for (int b = 0; b < blocks; b++, t++) {
    struct sums4 s = { start(type, c[0].sums + 2 * b), start(type, c[1].sums + 2 * b), start(type, c[2].sums + 2 * b), start(type, c[3].sums + 2 * b) };
    if (type == Q6_K) {
      int at = 2 * b;
      const v *scale = t->scales;
#pragma clang loop unroll(disable)
      for (const v *q = t->q, *end = q + 8; q < end; q += 4, scale++, at++, a0 += 16, a1 += 16, a2 += 16, a3 += 16) {
        // the offset: 32 of each weight
        struct sums4 part = { wasm_i32x4_splat(-32 * c[0].sums[at]), wasm_i32x4_splat(-32 * c[1].sums[at]), wasm_i32x4_splat(-32 * c[2].sums[at]),
                              wasm_i32x4_splat(-32 * c[3].sums[at]) };
        part = times4(load(q), a0, a1, a2, a3, part);
        part = times4(load(q + (size_t)1), a0 + (size_t)4, a1 + (size_t)4, a2 + (size_t)4, a3 + (size_t)4, part);
        part = times4(load(q + (size_t)2), a0 + (size_t)8, a1 + (size_t)8, a2 + (size_t)8, a3 + (size_t)8, part);
        part = times4(load(q + (size_t)3), a0 + (size_t)12, a1 + (size_t)12, a2 + (size_t)12, a3 + (size_t)12, part);
        const v by = load(scale);
        s.a = iadd(s.a, wasm_i32x4_mul(part.a, by));
        s.b = iadd(s.b, wasm_i32x4_mul(part.b, by));
        s.c = iadd(s.c, wasm_i32x4_mul(part.c, by));
        s.d = iadd(s.d, wasm_i32x4_mul(part.d, by));
      }
    } else {
#pragma clang loop unroll(disable)
      for (const v *q = t->q, *end = q + 8; q < end; q += 2, a0 += 8, a1 += 8, a2 += 8, a3 += 8) {
        s = times4(load(q), a0, a1, a2, a3, s);
        s = times4(load(q + (size_t)1), a0 + (size_t)4, a1 + (size_t)4, a2 + (size_t)4, a3 + (size_t)4, s);
      }
    }
    f0 = fadd(f0, scaled(t, s.a, c[0].d[b], c[0].s[b]));
    f1 = fadd(f1, scaled(t, s.b, c[1].d[b], c[1].s[b]));
    f2 = fadd(f2, scaled(t, s.c, c[2].d[b], c[2].s[b]));
    f3 = fadd(f3, scaled(t, s.d, c[3].d[b], c[3].s[b]));
  }
  store(out[0], f0);
  store(out[1], f1);
  store(out[2], f2);
  store(out[3], f3);
}
APART static void tile_small(const struct byte_tile *t, int blocks, const struct column *c, float *const *out) { tile_4x4_of(Q4_0, t, blocks, c, out); }
APART static void tile_q8_0(const struct byte_tile *t, int blocks, const struct column *c, float *const *out) { tile_4x4_of(Q8_0, t, blocks, c, out); }
APART static void tile_q6_k(const struct byte_tile *t, int blocks, const struct column *c, float *const *out) { tile_4x4_of(Q6_K, t, blocks, c, out); }
void tile_bytes(int type, const struct byte_tile *t, int blocks, const struct column *c, float *const *out) {
  if (type == Q8_0) tile_q8_0(t, blocks, c, out);
  else if (type == Q6_K) tile_q6_k(t, blocks, c, out);
  else tile_small(t, blocks, c, out);
}

#pragma clang attribute pop
#endif
