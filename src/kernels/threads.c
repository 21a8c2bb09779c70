// How many threads compute a graph, and how they wait for each other. The engine's helpers spin where they wait: on a processor that other programs keep
// busy, two threads then take many times as long as one. Here they sleep after a moment, and graphs that are computed tell how many of the threads are worth
// having: some steps are computed with fewer and with more, and the better number stays for a while.
#include "operations.h"

ORIGINAL(ggml_graph_compute) int original_graph_compute(struct graph *, struct plan *);
HOST(ggml_graph_compute_thread) void host_compute_thread(struct thread *);
HOST(ggml_time_us) int64_t host_time_us(void);
HOST(emscripten_builtin_malloc) void *host_malloc(size_t);

enum {
  SPINS = 1000000,     // looks at the barrier before a thread sleeps: about a millisecond; to wake one costs far more than to look
  LONGEST_NS = 1 << 25, // of one sleep
  SLEEPER = 1 << 16
};

// Functions of their own: V8's quick compiler, in Node 20, forgets what the caller's variables were.
APART static int sleep_while(int32_t *at, int is) { return __builtin_wasm_memory_atomic_wait32(at, is, LONGEST_NS); }
APART static int wake(int32_t *at, unsigned many) { return (int)__builtin_wasm_memory_atomic_notify(at, many); }

// The engine's own, but that threads sleep.
REPLACE(ggml_barrier) void barrier(struct threadpool *pool) {
  const int n = __atomic_load_n(&pool->threads, __ATOMIC_RELAXED) & 0xffff;
  if (n == 1) return;
  const int passed = __atomic_load_n(&pool->barriers_passed, __ATOMIC_SEQ_CST);
  if ((__atomic_fetch_add(&pool->barrier, 1, __ATOMIC_SEQ_CST) & 0xffff) == n - 1) {
    __atomic_fetch_sub(&pool->barrier, n, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&pool->barriers_passed, 1, __ATOMIC_SEQ_CST);
    // who sleeps from here on sees that it need not
    if (__atomic_load_n(&pool->barrier, __ATOMIC_SEQ_CST) >= SLEEPER) wake(&pool->barriers_passed, (unsigned)n);
    return;
  }
  for (int i = 0; i < SPINS; i++)
    if (__atomic_load_n(&pool->barriers_passed, __ATOMIC_ACQUIRE) != passed) return;
  __atomic_fetch_add(&pool->barrier, SLEEPER, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&pool->barriers_passed, __ATOMIC_SEQ_CST) == passed)
    sleep_while(&pool->barriers_passed, passed);
  __atomic_fetch_sub(&pool->barrier, SLEEPER, __ATOMIC_SEQ_CST);
}

enum { CHOICES = 3, ROUNDS = 3 };

// The choice for one kind of graphs. Times are of a step, or of a column.
struct pace {
  int best, left, gap;     // the choice; steps until numbers are compared again, and between the next two comparisons
  int round, at, ready;    // of a comparison: its round, the number in turn, and whether a step was computed with it already
  int is_trial, is_first;
  int slow;                // steps that took much longer than is usual
  float usual;
  float times[CHOICES][ROUNDS];
};
struct paces {
  int count, threads[CHOICES]; // rising
  struct pace decode, prompt;
  char text[32];
};

// Of the thread that hands out graphs; none until the engine is asked to choose.
static __attribute__((address_space(1))) size_t paces_at;

static void start(struct paces *s, int most) {
  for (size_t i = 0; i < sizeof *s; i++) ((volatile char *)s)[i] = 0;
  if (most == 0) return;
  for (int i = 0; i < CHOICES; i++) {
    const int threads = i == 0 ? 1 : i == 1 ? most / 2 : most;
    if (s->count == 0 || threads > s->threads[s->count - 1]) s->threads[s->count++] = threads;
  }
  s->decode.best = s->count > 2 ? 1 : 0;
  s->decode.gap = 16;
  s->prompt.best = s->count - 1;
  s->prompt.gap = 8;
  s->decode.left = s->prompt.left = 2; // their code is compiled meanwhile
  s->decode.is_first = s->prompt.is_first = 1;
}

INLINE float middle(const float *t, int n) {
  if (n == 1) return t[0];
  const float low = t[0] < t[1] ? t[0] : t[1], high = t[0] < t[1] ? t[1] : t[0];
  if (n == 2) return (low + high) / 2;
  return t[2] < low ? low : t[2] > high ? high : t[2];
}
// The fewest threads that are not worth adding to: more must win by a share, as they take processors from others.
static int fewest(const struct pace *pace, int first, int count) {
  float fastest = 0;
  for (int i = first; i < count; i++) {
    const float t = middle(pace->times[i], pace->round);
    if (fastest == 0 || t < fastest) fastest = t;
  }
  for (int i = first; i < count; i++)
    if (middle(pace->times[i], pace->round) <= fastest * 1.08f) return i;
  return pace->best;
}
// Whether one number is faster than every other by more than a late moment explains, after one round.
static int is_clear(const struct pace *pace, int first, int count) {
  float fastest = 0, second = 0;
  for (int i = first; i < count; i++) {
    const float t = pace->times[i][0];
    if (fastest == 0 || t < fastest) second = fastest, fastest = t;
    else if (second == 0 || t < second) second = t;
  }
  return second > fastest * 1.3f;
}
static void settle(struct pace *pace, int best, int longest) {
  const int stays = best == pace->best && !pace->is_first;
  pace->gap = !stays ? 16 : pace->gap < longest ? pace->gap * 2 : longest;
  pace->usual = middle(pace->times[best], pace->round);
  pace->best = best;
  pace->left = pace->gap;
  pace->slow = pace->is_trial = pace->is_first = 0;
}
// A step took so long. `first`: the first number that is tried.
APART static void learn(struct pace *pace, int first, int count, float time, int warm, int longest) {
  if (first >= count - 1) return;
  if (!pace->is_trial) {
    if (pace->usual > 0 && time > pace->usual * 1.5f) pace->slow++;
    else if (pace->slow > 0) pace->slow--;
    pace->left--;
    if (pace->left > 0 && !(pace->slow >= 4 && pace->left < pace->gap - 8)) return;
    if (pace->slow >= 4) pace->gap = 8;
    pace->is_trial = 1;
    pace->round = pace->ready = 0;
    pace->at = first;
    return;
  }
  if (warm && !pace->ready) { // helpers were asleep
    pace->ready = 1;
    return;
  }
  pace->ready = 0;
  pace->times[pace->at][pace->round] = time;
  const int has_lost = pace->round > 0;
  do {
    pace->at++;
    // who took three times as long as the best keeps its time
    if (pace->at >= count || !has_lost) break;
    pace->times[pace->at][pace->round] = pace->times[pace->at][0];
  } while (pace->times[pace->at][0] > pace->times[pace->best][0] * 3);
  if (pace->at < count) return;
  pace->at = first;
  pace->round++;
  const int fits = fewest(pace, first, count);
  // a prompt takes long: two of its steps have to do where they can
  const int is_told = pace->round == 1 && ((!pace->is_first && fits == pace->best) || (longest < 512 && is_clear(pace, first, count)));
  if (pace->round == ROUNDS || is_told) settle(pace, fits, longest);
}

static int columns_of(const struct graph *g) {
  for (int i = 0; i < g->n_nodes; i++) {
    const struct tensor *t = g->nodes[i];
    if (t->op == OP_MUL_MAT) return (int)(t->src[1]->ne[1] * t->src[1]->ne[2] * t->src[1]->ne[3]);
  }
  return 0;
}

// One thread needs no other: they sleep on.
static int compute_alone(struct threadpool *pool, struct graph *g, struct plan *plan) {
  pool->graph = g;
  pool->plan = plan;
  pool->status = 0;
  __atomic_store_n(&pool->chunk, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->abort_at, -1, __ATOMIC_RELAXED);
  const int threads = __atomic_load_n(&pool->threads, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->threads, (int)(((unsigned)threads & 0xffff0000u) + 0x10000u) | 1, __ATOMIC_SEQ_CST);
  host_compute_thread(pool->workers);
  return pool->status;
}
static int compute_with(int threads, struct graph *g, struct plan *plan) {
  const int planned = plan->n_threads;
  plan->n_threads = threads;
  const int status = threads == 1 ? compute_alone(plan->threadpool, g, plan) : original_graph_compute(g, plan);
  plan->n_threads = planned;
  return status;
}

REPLACE(ggml_graph_compute) int graph_compute(struct graph *g, struct plan *plan) {
  if (plan == 0 || plan->n_threads < 2 || plan->threadpool == 0) return original_graph_compute(g, plan);
  plan->threadpool->poll = 1;
  struct paces *s = (struct paces *)paces_at;
  if (s == 0) return original_graph_compute(g, plan);
  if (s->count == 0 || s->threads[s->count - 1] != plan->n_threads) start(s, plan->n_threads);
  const int columns = columns_of(g), is_decode = columns == 1;
  struct pace *pace = is_decode ? &s->decode : &s->prompt;
  // A prompt is computed by all, or by half of them where that is no slower; by one alone only where one decodes alone.
  const int first = is_decode ? 0 : s->count < 3 && s->decode.best > 0 ? 1 : s->count < 3 ? 0 : 1;
  if (pace->best < first) pace->best = first; // decoding took up more threads since
  const int counts = is_decode || columns >= 32;
  const int in_turn = pace->is_trial && counts ? pace->at : pace->best;
  const int64_t started = host_time_us();
  const int status = compute_with(s->threads[in_turn], g, plan);
  if (counts) {
    const float us = (float)(host_time_us() - started);
    learn(pace, first, s->count, is_decode ? us : us / (float)columns, is_decode && us < 5000, is_decode ? 512 : 64);
  }
  return status;
}

static char *write_number(char *to, int n) {
  if (n > 9) to = write_number(to, n / 10);
  *to = (char)('0' + n % 10);
  return to + 1;
}
// Asks the engine to choose from now on; what it gives, as JSON: threads for prompts, for decoding, and at most; nothing before the first graph.
REPLACE(wllama_debug) const char *debug(void) {
  struct paces *s = (struct paces *)paces_at;
  if (s == 0) {
    s = host_malloc(sizeof *s);
    if (s == 0) return 0;
    start(s, 0);
    paces_at = (size_t)s;
  }
  char *to = s->text;
  *to++ = '[';
  if (s->count > 0) {
    to = write_number(to, s->threads[s->prompt.best]);
    *to++ = ',';
    to = write_number(to, s->threads[s->decode.best]);
    *to++ = ',';
    to = write_number(to, s->threads[s->count - 1]);
  }
  *to++ = ']';
  *to = 0;
  return s->text;
}
