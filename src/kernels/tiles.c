// Tiles: prompts. Four rows are unpacked once, then multiplied with all columns.
#include "kernels.h"

INLINE void put(struct q32 a, struct q32 b, struct q32 c, struct q32 d, struct tile *t) {
  interleave(a.a, b.a, c.a, d.a, t->q);
  interleave(a.b, b.b, c.b, d.b, t->q + 4);
  interleave(a.c, b.c, c.c, d.c, t->q + 8);
  interleave(a.d, b.d, c.d, d.d, t->q + 12);
}

// With its scale, -32…31 times -128…127: it fits 16 bits.
INLINE struct q32 scaled_q6(const uint8_t *p, int part) {
  struct q32 q = unpack_q6(p, part);
  const v middle = wasm_i16x8_splat(32);
  const v low = wasm_i16x8_splat(((const int8_t *)p)[192 + 2 * part]), high = wasm_i16x8_splat(((const int8_t *)p)[193 + 2 * part]);
  q.a = wasm_i16x8_mul(wasm_i16x8_sub(q.a, middle), low);
  q.b = wasm_i16x8_mul(wasm_i16x8_sub(q.b, middle), low);
  q.c = wasm_i16x8_mul(wasm_i16x8_sub(q.c, middle), high);
  q.d = wasm_i16x8_mul(wasm_i16x8_sub(q.d, middle), high);
  return q;
}
INLINE void unpack(int type, const uint8_t *p0, const uint8_t *p1, const uint8_t *p2, const uint8_t *p3, int k, struct tile *t) {
  const int size = block_bytes(type), weights = block_weights(type);
  for (int b = 0; b < k / weights; b++, p0 += size, p1 += size, p2 += size, p3 += size) {
    if (!is_k(type)) {
      put(unpack_simple(type, p0), unpack_simple(type, p1), unpack_simple(type, p2), unpack_simple(type, p3), t);
      scales_simple(type, p0, p1, p2, p3, &t->d, &t->m);
      t++;
    } else if (type == Q6_K) {
      const v d = half4(wasm_i32x4_make(u16(p0 + 208), u16(p1 + 208), u16(p2 + 208), u16(p3 + 208)));
#pragma clang loop unroll(full)
      for (int part = 0; part < 8; part++, t++) {
        put(scaled_q6(p0, part), scaled_q6(p1, part), scaled_q6(p2, part), scaled_q6(p3, part), t);
        t->d = d;
        t->m = zero();
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
        put(unpack_k45(type, p0, part), unpack_k45(type, p1, part), unpack_k45(type, p2, part), unpack_k45(type, p3, part), t);
        t->d = fmul(d, bytes4(s0, s1, s2, s3, part));
        t->m = wasm_f32x4_neg(fmul(m, bytes4(m0, m1, m2, m3, part)));
      }
    }
  }
}
#define UNPACK(name, type) \
  APART static void name(const uint8_t *p0, const uint8_t *p1, const uint8_t *p2, const uint8_t *p3, int k, struct tile *t) { \
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

void unpack_any(int type, const uint8_t *p0, const uint8_t *p1, const uint8_t *p2, const uint8_t *p3, int k, struct tile *t) {
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

INLINE v pair(const int16_t *a) { return wasm_v128_load32_splat(a); }
INLINE v scaled(const struct tile *t, v sum, float d, float s) { return fadd(fmul(to_float(sum), fmul(t->d, splat(d))), fmul(t->m, splat(s))); }

// Not unrolled further: V8 of Node 20 moves all loads of a block to its start and runs out of registers.
APART void tile_4x4(const struct tile *t, int blocks, const struct column *c, float *const *out) {
  const int16_t *a0 = c[0].q, *a1 = c[1].q, *a2 = c[2].q, *a3 = c[3].q;
  v f0 = zero(), f1 = f0, f2 = f0, f3 = f0;
  for (int b = 0; b < blocks; b++, t++) {
    v s0 = zero(), s1 = s0, s2 = s0, s3 = s0;
#pragma clang loop unroll(disable)
    for (const v *q = t->q, *end = q + 16; q < end; q += 2, a0 += 4, a1 += 4, a2 += 4, a3 += 4) {
      v w = load(q);
      s0 = iadd(s0, dot16(w, pair(a0)));
      s1 = iadd(s1, dot16(w, pair(a1)));
      s2 = iadd(s2, dot16(w, pair(a2)));
      s3 = iadd(s3, dot16(w, pair(a3)));
      w = load(q + (size_t)1);
      s0 = iadd(s0, dot16(w, pair(a0 + (size_t)2)));
      s1 = iadd(s1, dot16(w, pair(a1 + (size_t)2)));
      s2 = iadd(s2, dot16(w, pair(a2 + (size_t)2)));
      s3 = iadd(s3, dot16(w, pair(a3 + (size_t)2)));
    }
    f0 = fadd(f0, scaled(t, s0, c[0].d[b], c[0].s[b]));
    f1 = fadd(f1, scaled(t, s1, c[1].d[b], c[1].s[b]));
    f2 = fadd(f2, scaled(t, s2, c[2].d[b], c[2].s[b]));
    f3 = fadd(f3, scaled(t, s3, c[3].d[b], c[3].s[b]));
  }
  store(out[0], f0);
  store(out[1], f1);
  store(out[2], f2);
  store(out[3], f3);
}
