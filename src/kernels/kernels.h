// The parts of the product of a matrix of weights with columns of activations. Rows are rows of weights, `stride` bytes apart.
#pragma once
#include "blocks.h"

// Activations of one column: signed 16-bit numbers (-127…127, in the order that the weights have when they are unpacked), per 16 their sum, per 32 their
// scale, and scale times sum.
struct column {
  int16_t *q, *sums;
  float *d, *s;
};
// `k` is a multiple of 256 for formats with blocks of 256, else of 32.
void quantize(int type, const float *x, int k, struct column c);

// One column (decoding): out[row] for `count` rows.
void column_any(int type, const uint8_t *rows, size_t stride, int count, int k, struct column c, float *out);

// Tiles (prompts): 32 weights of each of four rows; pairs of four rows side by side.
struct tile { v q[16], d, m; };
// Four rows as k / 32 tiles.
void unpack_any(int type, const uint8_t *p0, const uint8_t *p1, const uint8_t *p2, const uint8_t *p3, int k, struct tile *t);
// Four rows times four columns: out[column][row].
void tile_4x4(const struct tile *t, int blocks, const struct column *c, float *const *out);

// F16 and F32 weights times columns of floats. `spare`: room for 4 * k floats. out[column][row]
void floats_any(int type, const uint8_t *rows, size_t stride, int count, int k, const float *const *x, int columns, float *const *out, float *spare);

// The same with activations in bytes, where four products of bytes are added up in one instruction (bytes.c). Sums of integers are exact, so
// results are equal to the bit. A column's `q` then holds signed bytes, in the order of the weights.
#ifdef RELAXED
int has_bytes(void);
#else
INLINE int has_bytes(void) { return 0; }
#endif
void quantize_bytes(int type, const float *x, int k, struct column c);
void column_bytes(int type, const uint8_t *rows, size_t stride, int count, int k, struct column c, float *out);
// 32 weights of each of four rows; fours of four rows side by side. Q6_K has two scales of integers.
struct byte_tile { v q[8], d, m, scales[2]; };
void unpack_bytes(int type, const uint8_t *p0, const uint8_t *p1, const uint8_t *p2, const uint8_t *p3, int k, struct byte_tile *t);
void tile_bytes(int type, const struct byte_tile *t, int blocks, const struct column *c, float *const *out);

// Room of this thread, kept until it asks again.
char *scratch(size_t bytes);

// ggml's product of a matrix of weights with columns.
void mul_mat(const struct params *p, struct tensor *dst);
