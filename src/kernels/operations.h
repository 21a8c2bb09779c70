// Operations of a graph beside the products of matrices. `can_…`: whether the operation is of a kind that is computed here; what is not goes to the
// engine with its whole graph. Each thread has a share of the rows.
#pragma once
#include "kernels.h"

enum {
  OP_NONE = 0, OP_DUP = 1, OP_ADD = 2, OP_SUB = 6, OP_MUL = 7, OP_DIV = 8, OP_SQR = 9, OP_SQRT = 10, OP_NORM = 24, OP_RMS_NORM = 25, OP_MUL_MAT = 29,
  OP_SCALE = 32, OP_CPY = 34, OP_CONT = 35, OP_RESHAPE = 36, OP_VIEW = 37, OP_PERMUTE = 38, OP_TRANSPOSE = 39, OP_GET_ROWS = 40, OP_SET_ROWS = 42,
  OP_SOFT_MAX = 46, OP_ROPE = 48, OP_FLASH_ATTN_EXT = 74, OP_UNARY = 92, OP_GLU = 101
};

INLINE int64_t rows_of(const struct tensor *t) { return t->ne[1] * t->ne[2] * t->ne[3]; }
INLINE int is_empty(const struct tensor *t) { return t->ne[0] == 0 || rows_of(t) == 0; }
INLINE int floats(const struct tensor *t) { return t->type == F32 && t->nb[0] == 4; }
INLINE int same_shape(const struct tensor *a, const struct tensor *b) {
  return a->ne[0] == b->ne[0] && a->ne[1] == b->ne[1] && a->ne[2] == b->ne[2] && a->ne[3] == b->ne[3];
}
INLINE float float_param(const struct tensor *t, int i) { float f; __builtin_memcpy(&f, &t->op_params[i], 4); return f; }
// Row `i` of all rows of `shape`, in `t`, which has it again and again where it is smaller.
INLINE char *row_at(const struct tensor *t, const struct tensor *shape, int64_t i) {
  const int64_t i1 = i % shape->ne[1], above = i / shape->ne[1], i2 = above % shape->ne[2], i3 = above / shape->ne[2];
  return t->data + (size_t)(i1 % t->ne[1]) * t->nb[1] + (size_t)(i2 % t->ne[2]) * t->nb[2] + (size_t)(i3 % t->ne[3]) * t->nb[3];
}
// What a thread computes: rows, and of each the values `from` up to `to`.
struct share { int64_t first, last; int from, to; };
INLINE struct share share_rows(const struct params *p, int64_t rows, int64_t columns) {
  const int64_t each = (rows + p->nth - 1) / p->nth, first = each * p->ith, last = first + each < rows ? first + each : rows;
  const struct share s = { first, last, 0, (int)columns };
  return s;
}
// Where values of a row do not depend on each other, few long rows are shared too.
INLINE struct share share_values(const struct params *p, int64_t rows, int64_t columns) {
  if (rows >= p->nth || columns < 512) return share_rows(p, rows, columns);
  const int each = (int)((columns + p->nth - 1) / p->nth + 15) & ~15, from = each * p->ith, to = from + each < columns ? from + each : (int)columns;
  const struct share s = { 0, from < to ? rows : 0, from, to };
  return s;
}

int can_binary(const struct tensor *dst);
void binary(const struct params *p, struct tensor *dst);
int can_activate(const struct tensor *dst);
void activate(const struct params *p, struct tensor *dst);
int can_gate(const struct tensor *dst);
void gate(const struct params *p, struct tensor *dst);
int can_scale(const struct tensor *dst);
void scale(const struct params *p, struct tensor *dst);
int can_norm(const struct tensor *dst);
void norm(const struct params *p, struct tensor *dst);
// A norm whose result is multiplied in place: both at once.
int can_norm_mul(const struct tensor *dst, const struct tensor *mul);
void norm_mul(const struct params *p, struct tensor *dst, struct tensor *mul);
int can_soft_max(const struct tensor *dst);
void soft_max(const struct params *p, struct tensor *dst);
int can_get_rows(const struct tensor *dst);
void get_rows(const struct params *p, struct tensor *dst);
int can_set_rows(const struct tensor *dst);
void set_rows(const struct params *p, struct tensor *dst);
int can_attend(const struct tensor *dst);
void attend(const struct params *p, struct tensor *dst);
