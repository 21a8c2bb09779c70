// What the kernels know of the engine: ggml's structures as far as they are used (ggml.h and ggml-cpu-impl.h of llama.cpp b12211),
// and how a function here takes the place of one of the engine's (tools/merge-kernels.mjs).
#pragma once
#include <stddef.h>
#include <stdint.h>

#define REPLACE(name) __attribute__((export_name("replace:" #name), used, visibility("default")))
#define HOST(name) __attribute__((import_module("host"), import_name(#name)))
#define ORIGINAL(name) __attribute__((import_module("original"), import_name(#name)))

enum { F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8, Q2_K = 10, Q3_K = 11, Q4_K = 12, Q5_K = 13, Q6_K = 14 };
enum { IQ4_NL = 20, IQ4_XS = 23, I32 = 26, I64 = 27, BF16 = 30, MXFP4 = 39 };

// Rows of `ne[0]` values; `nb[i]`: bytes from one to the next in dimension i.
struct tensor {
  int32_t type;
  void *buffer;
  int64_t ne[4];
  size_t nb[4];
  int32_t op;
  int32_t op_params[16];
  int32_t flags;
  struct tensor *src[10];
  struct tensor *view_src;
  size_t view_offs;
  char *data;
  char name[64];
  void *extra;
};

// Thread `ith` of `nth`.
struct params {
  int32_t ith, nth;
  size_t wsize;
  char *wdata;
  struct threadpool *threadpool;
  _Bool use_ref;
};

struct graph {
  int32_t size, n_nodes, n_leafs;
  struct tensor **nodes;
};
struct plan {
  size_t work_size;
  char *work_data;
  int32_t n_threads;
  struct threadpool *threadpool;
  void *abort_callback, *abort_callback_data;
  _Bool use_ref;
};
// `threads`: in its low 16 bits, how many compute this graph; above them, the number of the graph. `barrier`: how many are there; above 16 bits, how many
// of them sleep. `abort_at`: number of the node that no thread computes any more. `poll`: how long threads look for the next graph before they sleep.
struct threadpool {
  char lock[sizeof(void *) == 8 ? 88 : 72];
  struct graph *graph;
  struct plan *plan;
  int32_t threads;
  _Alignas(64) int32_t barrier;
  _Alignas(64) int32_t barriers_passed;
  _Alignas(64) int32_t chunk;
  _Bool stop, pause;
  int32_t abort_at;
  struct thread *workers;
  int32_t size, priority, poll, status;
};
struct thread {
  void *handle;
  int32_t last_graph;
  _Bool pending, cpus[512];
  struct threadpool *threadpool;
  int32_t ith;
};

// Fields are where the engine's code has them.
#define AT(type, field, at32, at64) _Static_assert(offsetof(struct type, field) == (sizeof(void *) == 8 ? at64 : at32), #type "." #field)
AT(tensor, src, 128, 152);
AT(tensor, data, 176, 248);
AT(tensor, extra, 244, 320);
AT(params, use_ref, 20, 32);
AT(graph, nodes, 12, 16);
AT(plan, abort_callback, 16, 32);
AT(plan, use_ref, 24, 48);
AT(threadpool, graph, 72, 88);
AT(threadpool, threads, 80, 104);
AT(threadpool, barrier, 128, 128);
AT(threadpool, chunk, 256, 256);
AT(threadpool, barriers_passed, 192, 192);
AT(threadpool, abort_at, 264, 264);
AT(threadpool, workers, 268, 272);
AT(threadpool, status, 284, 292);
AT(thread, threadpool, 524, 528);
AT(thread, ith, 528, 536);
