// Operations on floats one by one: sums and products of tensors, scale, activation functions.
#include "operations.h"

HOST(erff) float host_erff(float);

// ---- two tensors, of which the second may be smaller ----

// `step`: 1 where y is a row, 0 where it is one number for the whole row.
#define BINARY(name, of) \
  APART static void name(int n, float *z, const float *x, const float *y, int step) { \
    const v one = splat(y[0]); \
    for (int i = 0; i < n; i += 4) { \
      const v a = load_some(x + i, n - i), b = step ? load_some(y + i, n - i) : one; \
      store_some(z + i, of(a, b), n - i); \
    } \
  }
BINARY(add_row, wasm_f32x4_add)
BINARY(sub_row, wasm_f32x4_sub)
BINARY(mul_row, wasm_f32x4_mul)
BINARY(div_row, wasm_f32x4_div)

int can_binary(const struct tensor *dst) {
  const struct tensor *x = dst->src[0], *y = dst->src[1];
  if (!floats(dst) || !floats(x) || !floats(y) || !same_shape(dst, x) || is_empty(y)) return 0;
  return (y->ne[0] == x->ne[0] || y->ne[0] == 1) && x->ne[1] % y->ne[1] == 0 && x->ne[2] % y->ne[2] == 0 && x->ne[3] % y->ne[3] == 0;
}
void binary(const struct params *p, struct tensor *dst) {
  const struct tensor *x = dst->src[0], *y = dst->src[1];
  const struct share s = share_values(p, rows_of(dst), dst->ne[0]);
  const int step = y->ne[0] == x->ne[0], n = s.to - s.from;
  for (int64_t i = s.first; i < s.last; i++) {
    float *z = (float *)row_at(dst, dst, i) + s.from;
    const float *a = (const float *)row_at(x, dst, i) + s.from, *b = (const float *)row_at(y, dst, i) + (step ? s.from : 0);
    if (dst->op == OP_ADD) add_row(n, z, a, b, step);
    else if (dst->op == OP_MUL) mul_row(n, z, a, b, step);
    else if (dst->op == OP_SUB) sub_row(n, z, a, b, step);
    else div_row(n, z, a, b, step);
  }
}

APART static void scale_row(int n, float *z, const float *x, float by, float plus) {
  for (int i = 0; i < n; i += 4) store_some(z + i, fadd(fmul(load_some(x + i, n - i), splat(by)), splat(plus)), n - i);
}
int can_scale(const struct tensor *dst) { return floats(dst) && floats(dst->src[0]) && same_shape(dst, dst->src[0]); }
void scale(const struct params *p, struct tensor *dst) {
  const struct share s = share_values(p, rows_of(dst), dst->ne[0]);
  const float by = float_param(dst, 0), plus = float_param(dst, 1);
  for (int64_t i = s.first; i < s.last; i++)
    scale_row(s.to - s.from, (float *)row_at(dst, dst, i) + s.from, (const float *)row_at(dst->src[0], dst, i) + s.from, by, plus);
}

// ---- activation functions, of which the result may be multiplied by a gate ----

INLINE v sigmoid4(v x) { return wasm_f32x4_div(splat(1), fadd(splat(1), exp4(wasm_f32x4_neg(x)))); }
INLINE v times_sigmoid(v x, v of) { return wasm_f32x4_div(x, fadd(splat(1), exp4(wasm_f32x4_neg(of)))); }
INLINE v relu4(v x) { return wasm_v128_and(x, wasm_f32x4_gt(x, zero())); }
INLINE v silu4(v x) { return times_sigmoid(x, x); }
// The form with the hyperbolic tangent, which is a sigmoid of twice its argument.
INLINE v gelu4(v x) { return times_sigmoid(x, fmul(fmul(x, splat(2 * 0.79788456f)), fadd(splat(1), fmul(fmul(x, x), splat(0.044715f))))); }
INLINE v gelu_quick4(v x) { return times_sigmoid(x, fmul(x, splat(1.702f))); }
INLINE v gelu_erf4(v x) {
  const v s = fmul(x, splat(0.70710678f));
  const v e = wasm_f32x4_make(host_erff(wasm_f32x4_extract_lane(s, 0)), host_erff(wasm_f32x4_extract_lane(s, 1)),
                              host_erff(wasm_f32x4_extract_lane(s, 2)), host_erff(wasm_f32x4_extract_lane(s, 3)));
  return fmul(fmul(x, splat(0.5f)), fadd(splat(1), e));
}
INLINE v square4(v x) { return fmul(x, x); }
INLINE v abs4(v x) { return wasm_f32x4_abs(x); }
INLINE v neg4(v x) { return wasm_f32x4_neg(x); }
INLINE v sqrt4(v x) { return wasm_f32x4_sqrt(x); }

// No gate: 0.
#define ACTIVATION(name, of) \
  APART static void name(int n, float *z, const float *x, const float *gate) { \
    for (int i = 0; i < n; i += 4) { \
      v r = of(load_some(x + i, n - i)); \
      if (gate != 0) r = fmul(r, load_some(gate + i, n - i)); \
      store_some(z + i, r, n - i); \
    } \
  }
ACTIVATION(relu_row, relu4)
ACTIVATION(silu_row, silu4)
ACTIVATION(gelu_row, gelu4)
ACTIVATION(gelu_quick_row, gelu_quick4)
ACTIVATION(gelu_erf_row, gelu_erf4)
ACTIVATION(sigmoid_row, sigmoid4)
ACTIVATION(tanh_row, tanh4)
ACTIVATION(exp_row, exp4)
ACTIVATION(abs_row, abs4)
ACTIVATION(neg_row, neg4)
ACTIVATION(square_row, square4)
ACTIVATION(sqrt_row, sqrt4)

// Numbers of ggml's unary operations; squares and roots are operations of their own.
enum { ABS = 0, NEG = 2, TANH = 4, RELU = 6, SIGMOID = 7, GELU = 8, GELU_QUICK = 9, SILU = 10, EXP = 13, GELU_ERF = 16, SQUARE = 64, ROOT = 65 };
INLINE int kind_of(const struct tensor *dst) { return dst->op == OP_SQR ? SQUARE : dst->op == OP_SQRT ? ROOT : dst->op_params[0]; }
static int known(int kind) {
  return kind == RELU || kind == SILU || kind == GELU || kind == GELU_QUICK || kind == GELU_ERF || kind == SIGMOID || kind == TANH || kind == EXP ||
         kind == ABS || kind == NEG || kind == SQUARE || kind == ROOT;
}
static void activation(int kind, int n, float *z, const float *x, const float *gate) {
  if (kind == SILU) silu_row(n, z, x, gate);
  else if (kind == GELU) gelu_row(n, z, x, gate);
  else if (kind == RELU) relu_row(n, z, x, gate);
  else if (kind == GELU_QUICK) gelu_quick_row(n, z, x, gate);
  else if (kind == GELU_ERF) gelu_erf_row(n, z, x, gate);
  else if (kind == SIGMOID) sigmoid_row(n, z, x, gate);
  else if (kind == TANH) tanh_row(n, z, x, gate);
  else if (kind == EXP) exp_row(n, z, x, gate);
  else if (kind == ABS) abs_row(n, z, x, gate);
  else if (kind == NEG) neg_row(n, z, x, gate);
  else if (kind == SQUARE) square_row(n, z, x, gate);
  else sqrt_row(n, z, x, gate);
}

int can_activate(const struct tensor *dst) { return can_scale(dst) && known(kind_of(dst)); }
void activate(const struct params *p, struct tensor *dst) {
  const struct share s = share_values(p, rows_of(dst), dst->ne[0]);
  for (int64_t i = s.first; i < s.last; i++)
    activation(kind_of(dst), s.to - s.from, (float *)row_at(dst, dst, i) + s.from, (const float *)row_at(dst->src[0], dst, i) + s.from, 0);
}

// Which activation a gated one has: relu, gelu, silu, one that is not here, gelu_erf, gelu_quick. One byte each: no table.
INLINE int kind_of_gate(const struct tensor *dst) {
  const int n = dst->op_params[0];
  return n < 0 || n > 5 || n == 3 ? -1 : (int)(0x0910000a0806ULL >> (8 * n) & 255);
}
int can_gate(const struct tensor *dst) {
  const struct tensor *x = dst->src[0], *g = dst->src[1];
  if (kind_of_gate(dst) < 0 || !floats(dst) || !floats(x)) return 0;
  if (x->ne[1] != dst->ne[1] || x->ne[2] != dst->ne[2] || x->ne[3] != dst->ne[3]) return 0;
  return g == 0 ? x->ne[0] == 2 * dst->ne[0] : x->ne[0] == dst->ne[0] && floats(g) && same_shape(g, dst);
}
void gate(const struct params *p, struct tensor *dst) {
  const struct tensor *x = dst->src[0], *g = dst->src[1];
  const struct share s = share_values(p, rows_of(dst), dst->ne[0]);
  const int is_swapped = dst->op_params[1] != 0, n = (int)dst->ne[0];
  for (int64_t i = s.first; i < s.last; i++) {
    const float *a = (const float *)row_at(x, dst, i), *b = g == 0 ? a : (const float *)row_at(g, dst, i);
    if (g == 0 && is_swapped) a += n;
    else if (g == 0) b += n;
    activation(kind_of_gate(dst), s.to - s.from, (float *)row_at(dst, dst, i) + s.from, a + s.from, b + s.from);
  }
}
