// Blocks of weights as ggml stores them (ggml-common.h): how long they are, and 32 weights of one as integers.
#pragma once
#include "engine.h"
#include "simd.h"

INLINE int is_k(int type) { return type == Q4_K || type == Q5_K || type == Q6_K; }
INLINE int is_simple(int type) { return type == Q4_0 || type == Q4_1 || type == Q5_0 || type == Q5_1 || type == Q8_0; }
INLINE int is_float(int type) { return type == F32 || type == F16; }
INLINE int block_weights(int type) { return is_float(type) ? 1 : is_k(type) ? 256 : 32; }
// One byte a type: a switch would become a table in memory, and the kernels have none.
INLINE int block_bytes(int type) { return (int)((type < 8 ? 0x1816000014120204ULL : 0x00d2b09000000022ULL) >> (type % 8 * 8) & 255); }

// 32 weights as four vectors of 16-bit integers. Those packed in nibbles or bytes come as even and odd ones of the first 16, then of the
// second 16: so they need no widening, a mask and a shift give them. Activations are stored in the same order.
struct q32 { v a, b, c, d; };

INLINE v low_nibble(v x) { return wasm_v128_and(x, wasm_i16x8_splat(15)); }
INLINE v right(v x, int n) { return wasm_u16x8_shr(x, (uint32_t)n); }
// Low or high nibbles, in bytes.
INLINE v nibble_bytes(v x, int high) { return wasm_v128_and(high ? right(x, 4) : x, wasm_i8x16_splat(15)); }
// 32 weights as bytes.
struct b32 { v first, second; };
INLINE struct q32 from_bytes(struct b32 w) {
  const v byte = wasm_i16x8_splat(255);
  const struct q32 q = { wasm_v128_and(w.first, byte), right(w.first, 8), wasm_v128_and(w.second, byte), right(w.second, 8) };
  return q;
}

// ---- simple formats: 32 weights with a scale d and an offset m: value = d * q + m ----

// With fewer shifts: the parts are 1, 256, 16 and 1 times the weights; activations are 256, 1, 16 and 256 times as large.
INLINE struct q32 nibbles_in_place(const uint8_t *p) {
  const v x = load(p);
  const struct q32 q = { low_nibble(x), wasm_v128_and(x, wasm_i16x8_splat(0x0f00)), wasm_v128_and(x, wasm_i16x8_splat(0xf0)), right(x, 12) };
  return q;
}
// 16 in byte i where bit i is set.
INLINE v fifth_bits(const uint8_t *bits) {
  const v x = wasm_v128_load16_splat(bits), mask = wasm_u8x16_const(1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128);
  const v spread = wasm_i8x16_shuffle(x, x, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  return wasm_v128_and(wasm_i8x16_eq(wasm_v128_and(spread, mask), mask), wasm_i8x16_splat(16));
}
INLINE struct b32 nibbles_and_fifth(const uint8_t *p, const uint8_t *bits) {
  const v x = load(p);
  const struct b32 w = { wasm_v128_or(nibble_bytes(x, 0), fifth_bits(bits)), wasm_v128_or(nibble_bytes(x, 1), fifth_bits(bits + 2)) };
  return w;
}
// These come as they are.
INLINE struct q32 signed_bytes(const uint8_t *p) {
  const struct q32 q = { wasm_i16x8_load8x8(p), wasm_i16x8_load8x8(p + 8), wasm_i16x8_load8x8(p + 16), wasm_i16x8_load8x8(p + 24) };
  return q;
}
INLINE struct q32 unpack_simple(int type, const uint8_t *p) {
  switch (type) {
    case Q4_0: return nibbles_in_place(p + 2);
    case Q4_1: return nibbles_in_place(p + 4);
    case Q5_0: return from_bytes(nibbles_and_fifth(p + 6, p + 2));
    case Q5_1: return from_bytes(nibbles_and_fifth(p + 8, p + 4));
    default: return signed_bytes(p + 2); // Q8_0
  }
}
INLINE struct b32 bytes_simple(int type, const uint8_t *p) {
  if (type == Q5_0) return nibbles_and_fifth(p + 6, p + 2);
  if (type == Q5_1) return nibbles_and_fifth(p + 8, p + 4);
  const v x = load(p + (type == Q4_1 ? 4 : 2));
  struct b32 w = { x, x };
  if (type == Q8_0) w.second = load(p + 18);
  else {
    w.first = nibble_bytes(x, 0);
    w.second = nibble_bytes(x, 1);
  }
  return w;
}
// Scales and offsets of a block in each of four rows. Q8_0 has no offsets.
INLINE void scales_simple(int type, const uint8_t *p0, const uint8_t *p1, const uint8_t *p2, const uint8_t *p3, v *d, v *m) {
  if (type == Q4_1 || type == Q5_1) {
    const v both = wasm_i32x4_make((int)u32(p0), (int)u32(p1), (int)u32(p2), (int)u32(p3));
    *d = half4(both);
    *m = half4_high(both);
  } else {
    *d = half4(wasm_i32x4_make(u16(p0), u16(p1), u16(p2), u16(p3)));
    *m = type == Q8_0 ? zero() : fmul(*d, splat(type == Q4_0 ? -8 : -16));
  }
}

// ---- formats with 256 weights a block, in eight parts of 32 ----

// Eight 6-bit scales and eight 6-bit offsets out of twelve bytes (Q4_K, Q5_K).
INLINE void scales_k(const uint8_t *p, uint32_t *scales, uint32_t *offsets) {
  const uint32_t a = u32(p), b = u32(p + 4), c = u32(p + 8);
  scales[0] = a & 0x3f3f3f3f;
  scales[1] = (c & 0x0f0f0f0f) | ((a >> 2) & 0x30303030);
  offsets[0] = b & 0x3f3f3f3f;
  offsets[1] = ((c >> 4) & 0x0f0f0f0f) | ((b >> 2) & 0x30303030);
}
// 0…15 or 0…31.
INLINE struct b32 bytes_k45(int type, const uint8_t *p, int part) {
  const uint8_t *qs = p + (type == Q5_K ? 48 : 16) + 32 * (part >> 1);
  const int high = part & 1;
  struct b32 w = { nibble_bytes(load(qs), high), nibble_bytes(load(qs + 16), high) };
  if (type == Q5_K) {
    const v bit = wasm_i8x16_splat((char)(1 << part)), sixteen = wasm_i8x16_splat(16);
    w.first = wasm_v128_or(w.first, wasm_v128_and(wasm_i8x16_eq(wasm_v128_and(load(p + 16), bit), bit), sixteen));
    w.second = wasm_v128_or(w.second, wasm_v128_and(wasm_i8x16_eq(wasm_v128_and(load(p + 32), bit), bit), sixteen));
  }
  return w;
}
INLINE struct q32 unpack_k45(int type, const uint8_t *p, int part) {
  if (type == Q5_K) return from_bytes(bytes_k45(type, p, part));
  const uint8_t *qs = p + 16 + 32 * (part >> 1);
  const int high = part & 1;
  const v x = load(qs), y = load(qs + 16);
  const struct q32 q = { low_nibble(high ? right(x, 4) : x), high ? right(x, 12) : low_nibble(right(x, 8)),
                         low_nibble(high ? right(y, 4) : y), high ? right(y, 12) : low_nibble(right(y, 8)) };
  return q;
}
// 0…63, to be lowered by 32. Two halves of 128: low nibbles of 64 bytes, high nibbles, and two bits each of 32 bytes.
INLINE struct b32 bytes_q6(const uint8_t *p, int part) {
  const uint8_t *ql = p + 64 * (part >> 2) + 32 * (part & 1), *qh = p + 128 + 32 * (part >> 2);
  const int quarter = part & 3;
  const v two_bits = wasm_i8x16_splat(48);
  v h0 = load(qh), h1 = load(qh + 16);
  if (quarter < 2) {
    h0 = wasm_i16x8_shl(h0, quarter == 0 ? 4 : 2);
    h1 = wasm_i16x8_shl(h1, quarter == 0 ? 4 : 2);
  } else if (quarter == 3) {
    h0 = right(h0, 2);
    h1 = right(h1, 2);
  }
  const struct b32 w = { wasm_v128_or(nibble_bytes(load(ql), quarter > 1), wasm_v128_and(h0, two_bits)),
                         wasm_v128_or(nibble_bytes(load(ql + 16), quarter > 1), wasm_v128_and(h1, two_bits)) };
  return w;
}
INLINE struct q32 unpack_q6(const uint8_t *p, int part) { return from_bytes(bytes_q6(p, part)); }

// ---- of four rows ----

// Byte `at` of each.
INLINE v bytes4(const uint32_t *r0, const uint32_t *r1, const uint32_t *r2, const uint32_t *r3, int at) {
  const v x = wasm_i32x4_make((int)r0[at >> 2], (int)r1[at >> 2], (int)r2[at >> 2], (int)r3[at >> 2]);
  return to_float(wasm_v128_and(wasm_u32x4_shr(x, 8 * (at & 3)), wasm_i32x4_splat(255)));
}
INLINE void interleave(v a, v b, v c, v d, v *out) { // transposed, 32 bits at a time
  const v ab0 = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), ab1 = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7);
  const v cd0 = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), cd1 = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
  out[0] = wasm_i64x2_shuffle(ab0, cd0, 0, 2);
  out[1] = wasm_i64x2_shuffle(ab0, cd0, 1, 3);
  out[2] = wasm_i64x2_shuffle(ab1, cd1, 0, 2);
  out[3] = wasm_i64x2_shuffle(ab1, cd1, 1, 3);
}
