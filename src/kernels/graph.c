// Takes the place of the loop over a graph's operations, into which the engine's compiler put most operations themselves: 350 kB, which JavaScript
// engines take seconds to compile well, and until then all of it is slow. Here each operation is a function of its own. A graph with one that is not
// known here goes to the engine as a whole.
#include "operations.h"

ORIGINAL(ggml_graph_compute_thread) void original_compute(struct thread *);
HOST(ggml_barrier) void host_barrier(struct threadpool *);
HOST(ggml_compute_forward_dup) void host_copy(const struct params *, struct tensor *);
__attribute__((import_module("host"), import_name("void ggml_compute_forward_rope_flt<float>"))) void host_rope(const struct params *, struct tensor *, int forward);

enum { COMPUTE = 16 }; // a flag of tensors

INLINE int does_nothing(const struct tensor *t) {
  return t->op == OP_NONE || (t->op >= OP_RESHAPE && t->op <= OP_TRANSPOSE) || (t->flags & COMPUTE) == 0;
}
static int can(const struct tensor *t) {
  switch (t->op) {
  case OP_MUL_MAT: return t->src[0]->extra == 0;
  case OP_ADD: case OP_SUB: case OP_MUL: case OP_DIV: return can_binary(t);
  case OP_SQR: case OP_SQRT: case OP_UNARY: return can_activate(t);
  case OP_GLU: return can_gate(t);
  case OP_SCALE: return can_scale(t);
  case OP_NORM: case OP_RMS_NORM: return can_norm(t);
  case OP_SOFT_MAX: return can_soft_max(t);
  case OP_GET_ROWS: return can_get_rows(t);
  case OP_SET_ROWS: return can_set_rows(t);
  case OP_FLASH_ATTN_EXT: return can_attend(t);
  case OP_ROPE: return t->src[0]->type == F32;
  case OP_DUP: case OP_CPY: case OP_CONT: return 1;
  default: return 0;
  }
}
APART static void compute(const struct params *p, struct tensor *t) {
  switch (t->op) {
  case OP_MUL_MAT: mul_mat(p, t); return;
  case OP_ADD: case OP_SUB: case OP_MUL: case OP_DIV: binary(p, t); return;
  case OP_SQR: case OP_SQRT: case OP_UNARY: activate(p, t); return;
  case OP_GLU: gate(p, t); return;
  case OP_SCALE: scale(p, t); return;
  case OP_NORM: case OP_RMS_NORM: norm(p, t); return;
  case OP_SOFT_MAX: soft_max(p, t); return;
  case OP_GET_ROWS: get_rows(p, t); return;
  case OP_SET_ROWS: set_rows(p, t); return;
  case OP_FLASH_ATTN_EXT: attend(p, t); return;
  case OP_ROPE: host_rope(p, t, 1); return;
  default: host_copy(p, t);
  }
}
// All threads decide alike: nothing of what is looked at changes meanwhile.
APART static int can_all(const struct graph *g) {
  for (int i = 0; i < g->n_nodes; i++) {
    const struct tensor *t = g->nodes[i];
    // empty: where a batch of a prompt ends before its last token, nothing is wanted of the last layer
    if (!does_nothing(t) && !is_empty(t) && !can(t)) return 0;
  }
  return 1;
}

REPLACE(ggml_graph_compute_thread) void compute_graph(struct thread *thread) {
  struct threadpool *pool = thread->threadpool;
  const struct graph *g = pool->graph;
  const struct plan *plan = pool->plan;
  if (plan->abort_callback != 0 || plan->use_ref || !can_all(g)) {
#ifdef STRICT
    __builtin_trap();
#endif
    original_compute(thread);
    return;
  }
  const struct params p = { thread->ith, pool->threads & 0xffff, plan->work_size, plan->work_data, pool, 0 };
  for (int i = 0; i < g->n_nodes && *(volatile int32_t *)&pool->abort_at != i; i++) {
    struct tensor *t = g->nodes[i];
    if (does_nothing(t)) continue;
    if (t->op == OP_RMS_NORM && i + 1 < g->n_nodes && !does_nothing(g->nodes[i + 1]) && can_norm_mul(t, g->nodes[i + 1])) {
      i++;
      if (!is_empty(t)) norm_mul(&p, t, g->nodes[i]);
    } else if (!is_empty(t)) compute(&p, t);
    if (i + 1 < g->n_nodes) host_barrier(pool);
  }
  host_barrier(pool);
}
