// Single products, one row times one column: attention's keys, mixtures of experts, and whatever matmul.c leaves to the engine.
#include "kernels.h"

REPLACE(ggml_vec_dot_f16_f32) void vec_dot_f16_f32(int n, float *s, size_t bs, const uint16_t *x, size_t bx, const float *y, size_t by, int nrc) {
  v a = zero(), b = zero();
  int i = 0;
  for (; i + 8 <= n; i += 8) {
    const v h = load(x + i);
    a = fadd(a, fmul(half_low(h), load(y + i)));
    b = fadd(b, fmul(half_high(h), load(y + i + 4)));
  }
  float sum = sum_f(fadd(a, b));
  for (; i < n; i++) sum += half(x[i]) * y[i];
  *s = sum;
}

// Of blocks of bytes: Q8_0's are signed, the others' below 32.
INLINE v dot_bytes(v w0, v w1, const uint8_t *a) {
  return iadd(iadd(dot16(wasm_i16x8_extend_low_i8x16(w0), wasm_i16x8_load8x8(a)), dot16(wasm_i16x8_extend_high_i8x16(w0), wasm_i16x8_load8x8(a + 8))),
              iadd(dot16(wasm_i16x8_extend_low_i8x16(w1), wasm_i16x8_load8x8(a + 16)), dot16(wasm_i16x8_extend_high_i8x16(w1), wasm_i16x8_load8x8(a + 24))));
}
INLINE void vec_dot(int type, int n, float *out, const uint8_t *x, const uint8_t *y) {
  const int has_offset = type == Q4_1 || type == Q5_1, has_fifth = type == Q5_0 || type == Q5_1;
  const int head = (has_offset ? 4 : 2) + (has_fifth ? 4 : 0), size = block_bytes(type);
  const v middle = wasm_i8x16_splat(type == Q4_0 ? 8 : 16);
  v total = zero();
  float offset = 0;
  for (; n >= 32; n -= 32, x += size, y += has_offset ? 36 : 34) {
    v w0 = load(x + head), w1;
    if (type == Q8_0) w1 = load(x + head + 16);
    else {
      w1 = nibble_bytes(w0, 1);
      w0 = nibble_bytes(w0, 0);
      if (has_fifth) {
        w0 = wasm_v128_or(w0, fifth_bits(x + head - 4));
        w1 = wasm_v128_or(w1, fifth_bits(x + head - 2));
      }
      if (!has_offset) {
        w0 = wasm_i8x16_sub(w0, middle);
        w1 = wasm_i8x16_sub(w1, middle);
      }
    }
    total = fadd(total, fmul(to_float(dot_bytes(w0, w1, y + (has_offset ? 4 : 2))), splat(half(u16(x)) * half(u16(y)))));
    if (has_offset) offset += half(u16(x + 2)) * half(u16(y + 2));
  }
  *out = sum_f(total) + offset;
}
#define VEC_DOT(name, type) \
  REPLACE(name) void name(int n, float *s, size_t bs, const void *x, size_t bx, const void *y, size_t by, int nrc) { vec_dot(type, n, s, x, y); }
VEC_DOT(ggml_vec_dot_q4_0_q8_0, Q4_0)
VEC_DOT(ggml_vec_dot_q4_1_q8_1, Q4_1)
VEC_DOT(ggml_vec_dot_q5_0_q8_0, Q5_0)
VEC_DOT(ggml_vec_dot_q5_1_q8_1, Q5_1)
VEC_DOT(ggml_vec_dot_q8_0_q8_0, Q8_0)
