// Operations on whole rows: norms, softmax, reading and writing rows by their numbers.
#include "operations.h"

// ---- norms: sums in double precision, as the engine's ----

struct sums { double x, squares; };
INLINE v low2(v x) { return wasm_f64x2_promote_low_f32x4(x); }
INLINE v high2(v x) { return low2(wasm_i32x4_shuffle(x, x, 2, 3, 2, 3)); }
// Of x - minus, and of its squares.
APART static struct sums sums_of(int n, const float *x, float minus) {
  v a = zero(), b = a, c = a, d = a;
  for (int i = 0; i < n; i += 4) {
    v values = load_some(x + i, n - i);
    values = wasm_f32x4_sub(values, wasm_v128_and(splat(minus), first_lanes(n - i)));
    const v squares = fmul(values, values);
    a = wasm_f64x2_add(a, low2(values));
    b = wasm_f64x2_add(b, high2(values));
    c = wasm_f64x2_add(c, low2(squares));
    d = wasm_f64x2_add(d, high2(squares));
  }
  a = wasm_f64x2_add(a, b);
  c = wasm_f64x2_add(c, d);
  const struct sums s = { wasm_f64x2_extract_lane(a, 0) + wasm_f64x2_extract_lane(a, 1), wasm_f64x2_extract_lane(c, 0) + wasm_f64x2_extract_lane(c, 1) };
  return s;
}
// (x - minus) * by, times weights where there are some. `step`: 0 where they are one number.
APART static void norm_row(int n, float *z, const float *x, float minus, float by, const float *weights, int step) {
  for (int i = 0; i < n; i += 4) {
    v r = fmul(wasm_f32x4_sub(load_some(x + i, n - i), splat(minus)), splat(by));
    if (weights != 0) r = fmul(r, step ? load_some(weights + i, n - i) : splat(weights[0]));
    store_some(z + i, r, n - i);
  }
}
int can_norm(const struct tensor *dst) { return floats(dst) && floats(dst->src[0]) && same_shape(dst, dst->src[0]); }
int can_norm_mul(const struct tensor *dst, const struct tensor *mul) {
  if (mul->op != OP_MUL || mul->data != dst->data || mul->nb[1] != dst->nb[1] || mul->nb[2] != dst->nb[2] || mul->nb[3] != dst->nb[3]) return 0;
  return mul->src[0] == dst && mul->src[1] != dst;
}
static void norm_into(const struct params *p, struct tensor *dst, const struct tensor *weights) {
  const struct share s = share_rows(p, rows_of(dst), dst->ne[0]);
  const int n = s.to;
  const float least = float_param(dst, 0);
  for (int64_t i = s.first; i < s.last; i++) {
    const float *x = (const float *)row_at(dst->src[0], dst, i);
    float mean = 0;
    if (dst->op == OP_NORM) mean = (float)(sums_of(n, x, 0).x / n);
    const float variance = (float)(sums_of(n, x, mean).squares / n);
    const float by = 1 / __builtin_sqrtf(variance + least);
    norm_row(n, (float *)row_at(dst, dst, i), x, mean, by, weights == 0 ? 0 : (const float *)row_at(weights, dst, i), weights != 0 && weights->ne[0] == n);
  }
}
void norm(const struct params *p, struct tensor *dst) { norm_into(p, dst, 0); }
void norm_mul(const struct params *p, struct tensor *dst, struct tensor *mul) { norm_into(p, dst, mul->src[1]); }

// ---- softmax ----

// x * by + mask; the mask is of half floats, of floats, or none (0). Returns the largest.
APART static float masked_row(int n, float *z, const float *x, float by, const void *mask, int is_half) {
  v most = splat(-__builtin_inff());
  for (int i = 0; i < n; i += 4) {
    const int left = n - i;
    v r = fmul(load_some(x + i, left), splat(by));
    if (mask != 0 && !is_half) r = fadd(r, load_some((const float *)mask + i, left));
    else if (mask != 0) {
      const uint16_t *h = (const uint16_t *)mask + i;
      r = fadd(r, mask4(left >= 4 ? wasm_u32x4_load16x4(h) : wasm_i32x4_make(h[0], left > 1 ? h[1] : 0, left > 2 ? h[2] : 0, 0)));
    }
    store_some(z + i, r, left);
    // Beyond the end are zeros: the row's first value instead.
    if (left < 4) r = wasm_v128_bitselect(r, splat(wasm_f32x4_extract_lane(r, 0)), first_lanes(left));
    most = wasm_f32x4_max(most, r);
  }
  return largest_of(most);
}
// e to the power of each value less the largest, and their sum.
APART static double exp_row(int n, float *z, float most) {
  v a = zero(), b = a;
  for (int i = 0; i < n; i += 4) {
    v e = exp4(wasm_f32x4_sub(load_some(z + i, n - i), splat(most)));
    if (n - i < 4) e = wasm_v128_and(e, first_lanes(n - i));
    store_some(z + i, e, n - i);
    a = wasm_f64x2_add(a, low2(e));
    b = wasm_f64x2_add(b, high2(e));
  }
  a = wasm_f64x2_add(a, b);
  return wasm_f64x2_extract_lane(a, 0) + wasm_f64x2_extract_lane(a, 1);
}
int can_soft_max(const struct tensor *dst) {
  const struct tensor *x = dst->src[0], *mask = dst->src[1];
  if (!floats(dst) || !floats(x) || !same_shape(dst, x) || float_param(dst, 1) > 0 || dst->src[2] != 0) return 0;
  if (mask == 0) return 1;
  return mask->ne[0] >= x->ne[0] && mask->ne[1] >= x->ne[1] && (floats(mask) || (mask->type == F16 && mask->nb[0] == 2));
}
void soft_max(const struct params *p, struct tensor *dst) {
  const struct tensor *x = dst->src[0], *mask = dst->src[1];
  const struct share s = share_rows(p, rows_of(dst), dst->ne[0]);
  for (int64_t i = s.first; i < s.last; i++) {
    float *z = (float *)row_at(dst, dst, i);
    const float most = masked_row(s.to, z, (const float *)row_at(x, dst, i), float_param(dst, 0), mask == 0 ? 0 : row_at(mask, dst, i), mask != 0 && mask->type == F16);
    norm_row(s.to, z, z, 0, (float)(1 / exp_row(s.to, z, most)), 0, 0);
  }
}

// ---- rows by number ----

// The engine's functions that make a row of blocks floats.
#define DEQUANTIZE(name) HOST(name) void host_##name(const void *, float *, int64_t);
DEQUANTIZE(dequantize_row_q4_0)
DEQUANTIZE(dequantize_row_q4_1)
DEQUANTIZE(dequantize_row_q5_0)
DEQUANTIZE(dequantize_row_q5_1)
DEQUANTIZE(dequantize_row_q8_0)
DEQUANTIZE(dequantize_row_q2_K)
DEQUANTIZE(dequantize_row_q3_K)
DEQUANTIZE(dequantize_row_q4_K)
DEQUANTIZE(dequantize_row_q5_K)
DEQUANTIZE(dequantize_row_q6_K)
DEQUANTIZE(dequantize_row_iq4_nl)
DEQUANTIZE(dequantize_row_iq4_xs)
DEQUANTIZE(dequantize_row_mxfp4)
DEQUANTIZE(ggml_fp16_to_fp32_row)
DEQUANTIZE(ggml_bf16_to_fp32_row)

APART static void copy_row(int n, float *z, const float *x) {
  for (int i = 0; i < n; i += 4) store_some(z + i, load_some(x + i, n - i), n - i);
}
static int has_floats(int type) {
  return is_float(type) || is_simple(type) || is_k(type) || type == Q2_K || type == Q3_K || type == IQ4_NL || type == IQ4_XS || type == MXFP4 || type == BF16;
}
static void floats_of(int type, int n, const void *row, float *out) {
  if (type == F32) copy_row(n, out, row);
  else if (type == F16) host_ggml_fp16_to_fp32_row(row, out, n);
  else if (type == BF16) host_ggml_bf16_to_fp32_row(row, out, n);
  else if (type == Q4_0) host_dequantize_row_q4_0(row, out, n);
  else if (type == Q4_1) host_dequantize_row_q4_1(row, out, n);
  else if (type == Q5_0) host_dequantize_row_q5_0(row, out, n);
  else if (type == Q5_1) host_dequantize_row_q5_1(row, out, n);
  else if (type == Q8_0) host_dequantize_row_q8_0(row, out, n);
  else if (type == Q2_K) host_dequantize_row_q2_K(row, out, n);
  else if (type == Q3_K) host_dequantize_row_q3_K(row, out, n);
  else if (type == Q4_K) host_dequantize_row_q4_K(row, out, n);
  else if (type == Q5_K) host_dequantize_row_q5_K(row, out, n);
  else if (type == Q6_K) host_dequantize_row_q6_K(row, out, n);
  else if (type == IQ4_NL) host_dequantize_row_iq4_nl(row, out, n);
  else if (type == IQ4_XS) host_dequantize_row_iq4_xs(row, out, n);
  else host_dequantize_row_mxfp4(row, out, n);
}
int can_get_rows(const struct tensor *dst) {
  const struct tensor *from = dst->src[0], *numbers = dst->src[1];
  if (!floats(dst) || !has_floats(from->type) || from->extra != 0 || (from->type == F32 && from->nb[0] != 4) || from->ne[0] != dst->ne[0]) return 0;
  return numbers->type == I32 && numbers->ne[3] == 1 && dst->ne[1] == numbers->ne[0] && dst->ne[2] == numbers->ne[1] && dst->ne[3] == numbers->ne[2];
}
void get_rows(const struct params *p, struct tensor *dst) {
  const struct tensor *from = dst->src[0], *numbers = dst->src[1];
  const struct share s = share_rows(p, rows_of(dst), dst->ne[0]);
  for (int64_t i = s.first; i < s.last; i++) {
    const int64_t i0 = i % dst->ne[1], above = i / dst->ne[1], i1 = above % dst->ne[2], i2 = above / dst->ne[2];
    const int32_t row = *(const int32_t *)(numbers->data + (size_t)i0 * numbers->nb[0] + (size_t)i1 * numbers->nb[1] + (size_t)i2 * numbers->nb[2]);
    if (row < 0 || row >= from->ne[1]) __builtin_trap();
    const char *at = from->data + (size_t)row * from->nb[1] + (size_t)i1 * from->nb[2] + (size_t)i2 * from->nb[3];
    floats_of(from->type, s.to, at, (float *)row_at(dst, dst, i));
  }
}

APART static void halves_row(int n, uint16_t *z, const float *x) {
  int i = 0;
  for (; i + 8 <= n; i += 8) store(z + i, wasm_i16x8_shuffle(to_half4(load(x + i)), to_half4(load(x + i + 4)), 0, 2, 4, 6, 8, 10, 12, 14));
  for (; i < n; i++) z[i] = (uint16_t)wasm_i32x4_extract_lane(to_half4(splat(x[i])), 0);
}
int can_set_rows(const struct tensor *dst) {
  const struct tensor *x = dst->src[0], *numbers = dst->src[1];
  if (!floats(x) || !(floats(dst) || (dst->type == F16 && dst->nb[0] == 2)) || !(numbers->type == I64 || numbers->type == I32)) return 0;
  return x->ne[0] == dst->ne[0] && x->ne[2] == dst->ne[2] && x->ne[3] == dst->ne[3] && !is_empty(numbers);
}
void set_rows(const struct params *p, struct tensor *dst) {
  const struct tensor *x = dst->src[0], *numbers = dst->src[1];
  const struct share s = share_rows(p, x->ne[1], x->ne[0]);
  for (int64_t above = 0; above < x->ne[2] * x->ne[3]; above++) {
    const int64_t i2 = above % x->ne[2], i3 = above / x->ne[2], n1 = i2 % numbers->ne[1], n2 = i3 % numbers->ne[2];
    for (int64_t i = s.first; i < s.last; i++) {
      const char *number = numbers->data + (size_t)i * numbers->nb[0] + (size_t)n1 * numbers->nb[1] + (size_t)n2 * numbers->nb[2];
      const int64_t row = numbers->type == I64 ? *(const int64_t *)number : *(const int32_t *)number;
      if (row < 0 || row >= dst->ne[1]) __builtin_trap();
      char *to = dst->data + (size_t)row * dst->nb[1] + (size_t)i2 * dst->nb[2] + (size_t)i3 * dst->nb[3];
      const float *values = (const float *)(x->data + (size_t)i * x->nb[1] + (size_t)i2 * x->nb[2] + (size_t)i3 * x->nb[3]);
      if (dst->type == F16) halves_row(s.to, (uint16_t *)to, values);
      else copy_row(s.to, (float *)to, values);
    }
  }
}
