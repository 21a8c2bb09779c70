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
