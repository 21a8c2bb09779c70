// F16 and F32 weights: products of floats, nothing is rounded but their sums.
#include "kernels.h"

APART static void unpack_f16(const uint8_t *row, int k, float *out) {
  int i = 0;
  for (; i + 8 <= k; i += 8) {
    const v h = load(row + 2 * i);
    store(out + i, half_low(h));
    store(out + i + 4, half_high(h));
  }
  for (; i < k; i++) out[i] = half(u16(row + 2 * i));
}

INLINE float row_f16(const uint8_t *w, const float *x, int k) {
  v a = zero(), b = zero();
  int i = 0;
  for (; i + 8 <= k; i += 8) {
    const v h = load(w + 2 * i);
    a = fadd(a, fmul(half_low(h), load(x + i)));
    b = fadd(b, fmul(half_high(h), load(x + i + 4)));
  }
  float sum = sum_f(fadd(a, b));
  for (; i < k; i++) sum += half(u16(w + 2 * i)) * x[i];
  return sum;
}
INLINE float row_f32(const float *w, const float *x, int k) {
  v a = zero(), b = zero();
  int i = 0;
  for (; i + 8 <= k; i += 8) {
    a = fadd(a, fmul(load(w + i), load(x + i)));
    b = fadd(b, fmul(load(w + i + 4), load(x + i + 4)));
  }
  float sum = sum_f(fadd(a, b));
  for (; i < k; i++) sum += w[i] * x[i];
  return sum;
}
APART static void column_f16(const uint8_t *rows, size_t stride, int count, int k, const float *x, float *out) {
  for (int r = 0; r < count; r++) out[r] = row_f16(rows + (size_t)r * stride, x, k);
}
APART static void column_f32(const uint8_t *rows, size_t stride, int count, int k, const float *x, float *out) {
  for (int r = 0; r < count; r++) out[r] = row_f32((const float *)(rows + (size_t)r * stride), x, k);
}

// Four rows times two columns: as many sums as there are registers.
APART static void tile_4x2(const float *const *w, const float *x, const float *y, int k, float *out_x, float *out_y) {
  const float *w0 = w[0], *w1 = w[1], *w2 = w[2], *w3 = w[3];
  v x0 = zero(), x1 = x0, x2 = x0, x3 = x0, y0 = x0, y1 = x0, y2 = x0, y3 = x0;
  int i = 0;
#pragma clang loop unroll(disable)
  for (; i + 4 <= k; i += 4) {
    const v p = load(x + i), q = load(y + i);
    v a = load(w0 + i);
    x0 = fadd(x0, fmul(a, p));
    y0 = fadd(y0, fmul(a, q));
    a = load(w1 + i);
    x1 = fadd(x1, fmul(a, p));
    y1 = fadd(y1, fmul(a, q));
    a = load(w2 + i);
    x2 = fadd(x2, fmul(a, p));
    y2 = fadd(y2, fmul(a, q));
    a = load(w3 + i);
    x3 = fadd(x3, fmul(a, p));
    y3 = fadd(y3, fmul(a, q));
  }
  v p = sums_f(x0, x1, x2, x3), q = sums_f(y0, y1, y2, y3);
  for (; i < k; i++) {
    const v a = wasm_f32x4_make(w0[i], w1[i], w2[i], w3[i]);
    p = fadd(p, fmul(a, splat(x[i])));
    q = fadd(q, fmul(a, splat(y[i])));
  }
  store(out_x, p);
  store(out_y, q);
}

void floats_any(int type, const uint8_t *rows, size_t stride, int count, int k, const float *const *x, int columns, float *const *out, float *spare) {
  if (columns == 1) return type == F16 ? column_f16(rows, stride, count, k, x[0], out[0]) : column_f32(rows, stride, count, k, x[0], out[0]);
  for (int r = 0; r < count; r += 4) {
    const float *w[4];
    for (int i = 0; i < 4; i++) {
      const uint8_t *row = rows + (size_t)(r + i < count ? r + i : r) * stride;
      if (type == F16) unpack_f16(row, k, spare + (size_t)i * k);
      w[i] = type == F16 ? spare + (size_t)i * k : (const float *)row;
    }
    for (int j = 0; j < columns; j += 2) {
      const int last = j + 1 < columns ? j + 1 : j;
      if (r + 4 <= count) tile_4x2(w, x[j], x[last], k, out[j] + r, out[last] + r);
      else {
        float rest[2][4];
        tile_4x2(w, x[j], x[last], k, rest[0], rest[1]);
        for (int i = r; i < count; i++) {
          out[j][i] = rest[0][i - r];
          out[last][i] = rest[1][i - r];
        }
      }
    }
  }
}
