// Takes the place of ggml's product of a matrix with columns. It sees whole matrices, so rows and columns are tiled and activations have a layout of
// our own. Threads share nothing and wait for nothing: each has a share of the rows.
#include "kernels.h"

ORIGINAL(ggml_compute_forward_mul_mat) void original_mul_mat(const struct params *, struct tensor *);
HOST(emscripten_builtin_malloc) void *host_malloc(size_t);

// A WebAssembly global, so one for each thread: each has an instance of the module.
static __attribute__((address_space(1))) size_t scratch_bytes;
static __attribute__((address_space(1))) size_t scratch_at;

// Ends the engine where there is no memory, as its own allocations do: a thread that left this product to the engine would wait at a barrier for ever.
APART char *scratch(size_t bytes) {
  if (scratch_bytes < bytes) { // what was smaller stays behind: it at most doubles the sum
    const size_t grown = bytes + bytes / 2 + 64;
    char *p = host_malloc(grown);
    if (p == 0) __builtin_trap();
    scratch_at = ((size_t)p + 63) & ~(size_t)63;
    scratch_bytes = grown - 64;
  }
  return (char *)scratch_at;
}

enum {
  COLUMNS = 32,     // made into integers at a time
  TILE_FROM = 3,    // fewer columns go one by one
  LONGEST = 1 << 16 // weights of a row
};

INLINE int fits(const struct tensor *w, const struct tensor *x, const struct tensor *dst) {
  const int type = w->type;
  return dst->op_params[1] == 0 && w->ne[2] == 1 && w->ne[3] == 1 && x->nb[0] == 4 && dst->nb[0] == 4 && w->nb[0] == (size_t)block_bytes(type) &&
         w->ne[0] % block_weights(type) == 0 && w->ne[0] <= LONGEST;
}

struct job {
  int type, k, first, last; // rows of this thread
  const uint8_t *rows;      // its first
  size_t stride;
};

// `n` columns, at most COLUMNS.
static void quantized(struct job job, const float *const *x, float *const *out, int n, char *room) {
  const int type = job.type, k = job.k, count = job.last - job.first, bytes = has_bytes();
  struct tile *t = (struct tile *)room;
  struct byte_tile *bt = (struct byte_tile *)room;
  float *d = (float *)(t + k / 32), *s = d + n * (k / 32);
  int16_t *q = (int16_t *)(s + n * (k / 32)), *sums = q + (size_t)n * k;
  struct column c[COLUMNS];
  for (int j = 0; j < n; j++) {
    const struct column one = { q + (size_t)j * k, sums + j * (k / 16), d + j * (k / 32), s + j * (k / 32) };
    c[j] = one;
    if (bytes) quantize_bytes(type, x[j], k, one);
    else quantize(type, x[j], k, one);
    if (n >= TILE_FROM) continue;
    if (bytes) column_bytes(type, job.rows, job.stride, count, k, one, out[j] + job.first);
    else column_any(type, job.rows, job.stride, count, k, one, out[j] + job.first);
  }
  if (n < TILE_FROM) return;
  for (int r = 0; r < count; r += 4) {
    const uint8_t *p0 = job.rows + (size_t)r * job.stride, *p1 = r + 1 < count ? p0 + job.stride : p0;
    const uint8_t *p2 = r + 2 < count ? p0 + 2 * job.stride : p0, *p3 = r + 3 < count ? p0 + 3 * job.stride : p0;
    if (bytes) unpack_bytes(type, p0, p1, p2, p3, k, bt);
    else unpack_any(type, p0, p1, p2, p3, k, t);
    const int whole = r + 4 <= count;
    for (int j = 0; j < n; j += 4) {
      struct column four[4];
      float *o[4], spare[16];
      for (int i = 0; i < 4; i++) {
        const int at = j + i < n ? j + i : n - 1;
        four[i] = c[at];
        o[i] = whole ? out[at] + job.first + r : spare + 4 * i;
      }
      if (bytes) tile_bytes(type, bt, k / 32, four, o);
      else tile_4x4(t, k / 32, four, o);
      if (whole) continue;
      for (int i = 0; i < 4 && j + i < n; i++)
        for (int row = r; row < count; row++) out[j + i][job.first + row] = spare[4 * i + row - r];
    }
  }
}
static size_t room_for(int type, int k, int n) {
  if (is_float(type)) return (size_t)4 * k * sizeof(float);
  // 16: sums are read eight at a time
  return (size_t)(k / 32) * (sizeof(struct tile) + (size_t)n * 2 * sizeof(float)) + (size_t)n * (k + k / 16) * sizeof(int16_t) + 16;
}

REPLACE(ggml_compute_forward_mul_mat) void mul_mat(const struct params *p, struct tensor *dst) {
  const struct tensor *w = dst->src[0], *x = dst->src[1];
  const int type = w->type;
  if (!(is_float(type) || is_simple(type) || is_k(type)) || x->type != F32 || !fits(w, x, dst)) {
#ifdef STRICT // for tests: a usual model must not come here; if it does, ggml's structures are not as engine.h says
    if (is_simple(type) || is_k(type)) __builtin_trap();
#endif
    original_mul_mat(p, dst);
    return;
  }
  const int rows = (int)w->ne[1], columns = (int)(x->ne[1] * x->ne[2] * x->ne[3]);
  const int share = ((rows + p->nth - 1) / p->nth + 3) & ~3, first = share * p->ith, last = first + share < rows ? first + share : rows;
  if (first >= last) return;
  const struct job job = { type, (int)w->ne[0], first, last, (const uint8_t *)w->data + (size_t)first * w->nb[1], w->nb[1] };
  char *room = scratch(room_for(type, job.k, columns < COLUMNS ? columns : COLUMNS));

  for (int from = 0; from < columns; from += COLUMNS) {
    const int n = columns - from < COLUMNS ? columns - from : COLUMNS;
    const float *in[COLUMNS];
    float *out[COLUMNS];
    for (int j = 0; j < n; j++) {
      const int64_t i = from + j, i1 = i % x->ne[1], i2 = i / x->ne[1] % x->ne[2], i3 = i / (x->ne[1] * x->ne[2]);
      in[j] = (const float *)(x->data + i1 * x->nb[1] + i2 * x->nb[2] + i3 * x->nb[3]);
      out[j] = (float *)(dst->data + i1 * dst->nb[1] + i2 * dst->nb[2] + i3 * dst->nb[3]);
    }
    if (!is_float(type)) quantized(job, in, out, n, room);
    else {
      for (int j = 0; j < n; j++) out[j] += first;
      floats_any(type, job.rows, job.stride, last - first, job.k, in, n, out, (float *)room);
    }
  }
}
