// What the kernels know of the engine: ggml's structures as far as they are used (ggml.h and ggml-cpu-impl.h of llama.cpp b12211),
// and how a function here takes the place of one of the engine's (tools/merge-kernels.mjs).
#pragma once
#include <stddef.h>
#include <stdint.h>

#define REPLACE(name) __attribute__((export_name("replace:" #name), used, visibility("default")))
#define HOST(name) __attribute__((import_module("host"), import_name(#name)))
#define ORIGINAL(name) __attribute__((import_module("original"), import_name(#name)))

enum { F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8, Q4_K = 12, Q5_K = 13, Q6_K = 14 };

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
};

// Thread `ith` of `nth`.
struct params {
  int32_t ith, nth;
  size_t wsize;
  char *wdata;
  void *threadpool;
};
