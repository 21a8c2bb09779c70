// Activations as integers. Each thread makes them for itself, so no thread waits for another.
#include "kernels.h"

INLINE float largest(const float *x, int n) {
  v most = zero();
  for (int i = 0; i < n; i += 4) most = wasm_f32x4_max(most, wasm_f32x4_abs(load(x + i)));
  most = wasm_f32x4_max(most, wasm_i32x4_shuffle(most, most, 2, 3, 0, 1));
  return wasm_f32x4_extract_lane(wasm_f32x4_max(most, wasm_i32x4_shuffle(most, most, 1, 0, 3, 2)), 0);
}
// Eight numbers far below 2^22, to the nearest integers: adding 1.5 * 2^23 leaves them in the low bits.
INLINE v rounded(const float *x, v by) {
  const v magic = splat(12582912.0f);
  const v a = wasm_i32x4_sub(fadd(fmul(load(x), by), magic), magic), b = wasm_i32x4_sub(fadd(fmul(load(x + 4), by), magic), magic);
  return wasm_i16x8_narrow_i32x4(a, b);
}
INLINE v evens(v a, v b) { return wasm_i16x8_shuffle(a, b, 0, 2, 4, 6, 8, 10, 12, 14); }
INLINE v odds(v a, v b) { return wasm_i16x8_shuffle(a, b, 1, 3, 5, 7, 9, 11, 13, 15); }

APART void quantize(int type, const float *x, int k, struct column c) {
  const int group = is_k(type) ? 256 : 32, in_order = type == Q8_0, in_place = type == Q4_0 || type == Q4_1;
  const v one = wasm_i16x8_splat(1);
  for (int from = 0; from < k; from += group) {
    const float most = largest(x + from, group), d = most / 127.0f;
    const v by = splat(most == 0 ? 0 : 127.0f / most);
    for (int at = from; at < from + group; at += 32) {
      const v q0 = rounded(x + at, by), q1 = rounded(x + at + 8, by), q2 = rounded(x + at + 16, by), q3 = rounded(x + at + 24, by);
      v a = q0, b = q1, e = q2, f = q3;
      if (!in_order) {
        a = evens(q0, q1);
        b = odds(q0, q1);
        e = evens(q2, q3);
        f = odds(q2, q3);
      }
      if (in_place) { // nibbles_in_place
        a = wasm_i16x8_shl(a, 8);
        e = wasm_i16x8_shl(e, 4);
        f = wasm_i16x8_shl(f, 8);
      }
      store(c.q + at, a);
      store(c.q + at + 8, b);
      store(c.q + at + 16, e);
      store(c.q + at + 24, f);
      const v low = dot16(wasm_i16x8_add(q0, q1), one), high = dot16(wasm_i16x8_add(q2, q3), one), both = sums_i(low, high, low, high);
      const int sum0 = wasm_i32x4_extract_lane(both, 0), sum1 = wasm_i32x4_extract_lane(both, 1);
      c.sums[at / 16] = (int16_t)sum0;
      c.sums[at / 16 + 1] = (int16_t)sum1;
      c.d[at / 32] = in_place ? d / 256 : d;
      c.s[at / 32] = d * (float)(sum0 + sum1);
    }
  }
}
