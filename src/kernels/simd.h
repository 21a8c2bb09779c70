// Vector helpers, and half floats.
#pragma once
#include <stdint.h>
#include <wasm_simd128.h>

// A function of its own: JavaScript engines compile function by function, and a small one is optimised sooner and better.
#define APART __attribute__((noinline))
#define INLINE static inline __attribute__((always_inline))

typedef v128_t v;

INLINE v load(const void *p) { return wasm_v128_load(p); }
INLINE void store(void *p, v x) { wasm_v128_store(p, x); }
INLINE v dot16(v a, v b) { return wasm_i32x4_dot_i16x8(a, b); }
INLINE v iadd(v a, v b) { return wasm_i32x4_add(a, b); }
INLINE v fadd(v a, v b) { return wasm_f32x4_add(a, b); }
INLINE v fmul(v a, v b) { return wasm_f32x4_mul(a, b); }
INLINE v splat(float x) { return wasm_f32x4_splat(x); }
INLINE v zero(void) { return wasm_i32x4_splat(0); }
INLINE v to_float(v x) { return wasm_f32x4_convert_i32x4(x); }
INLINE uint16_t u16(const void *p) { uint16_t x; __builtin_memcpy(&x, p, 2); return x; }
INLINE uint32_t u32(const void *p) { uint32_t x; __builtin_memcpy(&x, p, 4); return x; }

// Four half floats in the high halves of 32-bit lanes; what is in the low halves does not matter.
// Exact for all finite values, subnormal ones too. Infinities become large numbers: weights hold none.
INLINE v half4_high(v h) {
  return fmul(wasm_v128_and(wasm_i32x4_shr(h, 3), wasm_i32x4_splat((int)0x8fffe000)), splat(0x1p112f));
}
INLINE v half4(v h) { return half4_high(wasm_i32x4_shl(h, 16)); }
INLINE v half_low(v h) { return half4_high(wasm_i16x8_shuffle(zero(), h, 0, 8, 1, 9, 2, 10, 3, 11)); }
INLINE v half_high(v h) { return half4_high(wasm_i16x8_shuffle(zero(), h, 4, 12, 5, 13, 6, 14, 7, 15)); }
INLINE float half(uint16_t h) {
  const uint32_t bits = ((uint32_t)(h & 0x7fff) << 13) | ((uint32_t)(h & 0x8000) << 16);
  float f;
  __builtin_memcpy(&f, &bits, 4);
  return f * 0x1p112f;
}

INLINE float sum_f(v x) {
  x = fadd(x, wasm_i32x4_shuffle(x, x, 2, 3, 0, 1));
  return wasm_f32x4_extract_lane(fadd(x, wasm_i32x4_shuffle(x, x, 1, 0, 3, 2)), 0);
}
// Sums of the lanes of four vectors, one per lane.
INLINE v sums_i(v a, v b, v c, v d) {
  const v ab = iadd(wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), wasm_i32x4_shuffle(a, b, 2, 6, 3, 7));
  const v cd = iadd(wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), wasm_i32x4_shuffle(c, d, 2, 6, 3, 7));
  return iadd(wasm_i32x4_shuffle(ab, cd, 0, 1, 4, 5), wasm_i32x4_shuffle(ab, cd, 2, 3, 6, 7));
}
INLINE v sums_f(v a, v b, v c, v d) {
  const v ab = fadd(wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), wasm_i32x4_shuffle(a, b, 2, 6, 3, 7));
  const v cd = fadd(wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), wasm_i32x4_shuffle(c, d, 2, 6, 3, 7));
  return fadd(wasm_i32x4_shuffle(ab, cd, 0, 1, 4, 5), wasm_i32x4_shuffle(ab, cd, 2, 3, 6, 7));
}

// e to the power of x, to the last bit or two; infinity and zero where the result is beyond floats.
INLINE v exp4(v x) {
  const v magic = splat(12582912.0f); // 1.5 * 2^23: what is added to it is rounded to an integer, in its low bits
  x = wasm_f32x4_max(wasm_f32x4_min(x, splat(89)), splat(-104));
  const v moved = fadd(fmul(x, splat(1.44269504f)), magic), n = wasm_f32x4_sub(moved, magic), k = wasm_i32x4_sub(moved, magic);
  const v r = wasm_f32x4_sub(wasm_f32x4_sub(x, fmul(n, splat(0.693145752f))), fmul(n, splat(1.42860677e-6f))); // ln 2 in two parts
  v p = fadd(splat(1 / 720.0f), fmul(r, splat(1 / 5040.0f)));
  p = fadd(splat(1 / 120.0f), fmul(r, p));
  p = fadd(splat(1 / 24.0f), fmul(r, p));
  p = fadd(splat(1 / 6.0f), fmul(r, p));
  p = fadd(splat(0.5f), fmul(r, p));
  p = fadd(splat(1), fmul(r, fadd(splat(1), fmul(r, p))));
  const v half_k = wasm_i32x4_shr(k, 1), bias = wasm_i32x4_splat(127); // twice half the power: numbers near the limits stay right
  const v first = wasm_i32x4_shl(iadd(half_k, bias), 23), second = wasm_i32x4_shl(iadd(wasm_i32x4_sub(k, half_k), bias), 23);
  return fmul(fmul(p, first), second);
}
INLINE float exp1(float x) { return wasm_f32x4_extract_lane(exp4(splat(x)), 0); }
INLINE v tanh4(v x) {
  const v size = wasm_f32x4_abs(x), sign = wasm_v128_and(x, splat(-0.0f)), t = exp4(fmul(size, splat(-2)));
  const v large = wasm_v128_or(wasm_f32x4_div(wasm_f32x4_sub(splat(1), t), fadd(splat(1), t)), sign), s = fmul(x, x);
  v p = fadd(splat(-17 / 315.0f), fmul(s, splat(62 / 2835.0f)));
  p = fadd(splat(-1 / 3.0f), fmul(s, fadd(splat(2 / 15.0f), fmul(s, p))));
  return wasm_v128_bitselect(fadd(x, fmul(fmul(x, s), p)), large, wasm_f32x4_lt(size, splat(0.3f)));
}
INLINE float largest_of(v x) {
  x = wasm_f32x4_max(x, wasm_i32x4_shuffle(x, x, 2, 3, 0, 1));
  return wasm_f32x4_extract_lane(wasm_f32x4_max(x, wasm_i32x4_shuffle(x, x, 1, 0, 3, 2)), 0);
}
// Half floats of four floats, in the low halves of lanes: the nearest, infinity beyond, NaN for NaN.
INLINE v to_half4(v x) {
  const v size = wasm_f32x4_abs(x), sign = wasm_u32x4_shr(wasm_v128_and(x, splat(-0.0f)), 16);
  const v odd = wasm_v128_and(wasm_u32x4_shr(size, 13), wasm_i32x4_splat(1));
  const v normal = wasm_u32x4_shr(iadd(iadd(size, wasm_i32x4_splat(0xfff - (112 << 23))), odd), 13);
  const v small = wasm_i32x4_sub(fadd(size, splat(0.5f)), splat(0.5f));
  v h = wasm_v128_bitselect(small, normal, wasm_f32x4_lt(size, splat(0x1p-14f)));
  h = wasm_v128_bitselect(wasm_i32x4_splat(0x7c00), h, wasm_f32x4_ge(size, splat(65520)));
  h = wasm_v128_bitselect(wasm_i32x4_splat(0x7e00), h, wasm_f32x4_ne(x, x));
  return wasm_v128_or(h, sign);
}
// As half4, and infinities are infinite: for masks.
INLINE v mask4(v h) {
  const v x = half4(h), infinite = wasm_i32x4_eq(wasm_v128_and(h, wasm_i32x4_splat(0x7fff)), wasm_i32x4_splat(0x7c00));
  return wasm_v128_or(x, wasm_v128_and(infinite, wasm_i32x4_splat(0x7f800000)));
}
// All bits of the first `n` lanes.
INLINE v first_lanes(int n) { return wasm_i32x4_lt(wasm_i32x4_make(0, 1, 2, 3), wasm_i32x4_splat(n)); }
// The first `n` of four floats, zeros after them.
INLINE v load_some(const float *p, int n) {
  return n >= 4 ? load(p) : wasm_f32x4_make(p[0], n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, 0);
}
INLINE void store_some(float *p, v x, int n) {
  if (n >= 4) {
    store(p, x);
    return;
  }
  p[0] = wasm_f32x4_extract_lane(x, 0);
  if (n > 1) p[1] = wasm_f32x4_extract_lane(x, 1);
  if (n > 2) p[2] = wasm_f32x4_extract_lane(x, 2);
}
