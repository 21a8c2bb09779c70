// Which tokens a form leaves. Where a draw does not fit, the engine puts the text of each token of the vocabulary to the form, with some room of its own
// for each: milliseconds for tens of thousands. Most fail by their first letter, which is looked up here; the engine gets what is left.
#include "engine.h"

#define APART __attribute__((noinline))
// A std::string as Emscripten's library lays it out: a short text lies in it, and its length in the last byte; of a long one, whose length has the highest
// bit of that byte set, its address and length.
#define STRING (3 * sizeof(void *))

struct token {
  int32_t id;
  float logit, p;
};
struct tokens {
  struct token *data;
  size_t size;
  int64_t selected;
  _Bool is_sorted;
};
// A std::vector.
struct list {
  char *begin, *end, *room;
};
// Of a rule: END, ALT, …; characters follow each other in a set.
struct element {
  uint32_t type, value;
};
enum { CHAR = 3, CHAR_NOT = 4, CHAR_UPPER = 5, CHAR_ALT = 6, CHAR_ANY = 7 };
// Each stack is a list of pointers to elements; the last is the next to match. `remain`: bytes of a character that is begun.
struct grammar {
  void *vocabulary;
  struct list rules, stacks;
  uint32_t partial;
  int32_t remain;
  _Bool is_lazy, is_waiting;
};
struct grammar_state {
  void *vocabulary;
  char texts[2 * STRING];
  struct grammar *grammar;
};
struct sampler {
  void *functions;
  struct grammar_state *state;
};
AT(tokens, selected, 8, 16);
AT(grammar, stacks, 16, 32);
AT(grammar, remain, 32, 60);
AT(grammar, is_waiting, 37, 65);
AT(grammar_state, grammar, 28, 56);

HOST(emscripten_builtin_malloc) void *host_malloc(size_t);
ORIGINAL(llama_sampler_grammar_apply) void original_apply(struct sampler *, struct tokens *);
ORIGINAL(decode_utf8) void original_decode(void *, const char *, uint32_t, int32_t);

// One word in a thread's own memory, as everything that is kept must be.
#define OWN static __attribute__((address_space(1)))
OWN size_t text_at;    // the text that was decoded last, and the first character of it
OWN size_t character;
OWN size_t letters_at; // of each token, its first letter, or 0 where the engine has to look; behind them, room for tokens
OWN size_t known;      // whose letters they are
OWN size_t count;      // tokens

REPLACE(decode_utf8) void decode(void *result, const char *text, uint32_t partial, int32_t remain) {
  original_decode(result, text, partial, remain);
  text_at = (size_t)text;
  character = ((const uint32_t *const *)result)[0][0];
}

// Where the text of a token lies, which is asked of the engine; 0 where it has none.
APART static size_t text_of(struct sampler *sampler, int32_t id) {
  struct token one = {id, 0, 0};
  struct tokens only = {&one, 1, -1, 0};
  text_at = 0;
  original_apply(sampler, &only);
  return text_at;
}

// 0 where there is none below 128
static uint8_t first_letter(const char *text) {
  const uint8_t last = (uint8_t)text[STRING - 1];
  const _Bool is_long = last >> 7;
  const size_t length = is_long ? ((const size_t *)text)[1] : last;
  const uint8_t first = length == 0 ? 0 : (uint8_t)(is_long ? ((const char *const *)text)[0][0] : text[0]);
  return first < 128 ? first : 0;
}

enum { TRIALS = 64, AGREE = 16 };

// Texts of tokens lie in one list. Some of them, asked for, must agree about where it begins, and with what the engine reads.
APART static void learn(struct sampler *sampler, const struct tokens *all) {
  known = (size_t)sampler->state->vocabulary;
  count = 0;
  const size_t n = all->size;
  for (size_t i = 0; i < n; i++)
    if (all->data[i].id != (int32_t)i) return;
  size_t base = 0;
  int agree = 0;
  for (size_t i = 0; i < TRIALS && agree < AGREE; i++) {
    const size_t id = (n / 3 + i * 97) % n;
    const size_t at = text_of(sampler, (int32_t)id);
    if (at == 0) continue;
    if (agree > 0 && at - id * STRING != base) return;
    if (first_letter((const char *)at) != (character < 128 ? character : 0)) return;
    base = at - id * STRING;
    agree++;
  }
  uint8_t *letters = agree < AGREE ? NULL : host_malloc((n + 15) / 16 * 16 + n * sizeof(struct token));
  if (letters == NULL) return;
  for (size_t id = 0; id < n; id++) letters[id] = first_letter((const char *)(base + id * STRING));
  letters_at = (size_t)letters;
  count = n;
}

// Letters below 128 that a text may begin with. @returns whether these are all that can be said: a form that may end here allows more than letters
static _Bool allowed_letters(const struct grammar *grammar, uint64_t allowed[2]) {
  for (const struct list *stack = (const struct list *)grammar->stacks.begin; (const char *)stack != grammar->stacks.end; stack++) {
    if (stack->begin == stack->end) return 0;
    const struct element *at = ((const struct element *const *)stack->end)[-1];
    const uint32_t type = at->type;
    if (type != CHAR && type != CHAR_NOT && type != CHAR_ANY) return 0;
    uint64_t set[2] = {0, 0};
    do {
      const _Bool is_range = at[1].type == CHAR_UPPER;
      const uint32_t first = at->type == CHAR_ANY && !is_range ? 0 : at->value;
      const uint32_t last = is_range ? at[1].value : at->type == CHAR_ANY ? 127 : at->value;
      for (uint32_t letter = first; letter <= last && letter < 128; letter++) set[letter >> 6] |= 1ull << (letter & 63);
      at += is_range ? 2 : 1;
    } while (at->type == CHAR_ALT);
    for (int i = 0; i < 2; i++) allowed[i] |= type == CHAR_NOT ? ~set[i] : set[i];
  }
  return 1;
}

enum { FEW = 256 };

REPLACE(llama_sampler_grammar_apply) void apply(struct sampler *sampler, struct tokens *all) {
  const struct grammar *grammar = sampler->state->grammar;
  uint64_t allowed[2] = {0, 0};
  if (all->size < FEW || grammar == NULL || grammar->vocabulary != sampler->state->vocabulary || grammar->is_waiting || grammar->remain != 0 ||
      !allowed_letters(grammar, allowed)) {
    original_apply(sampler, all);
    return;
  }
  if (known != (size_t)sampler->state->vocabulary) learn(sampler, all);
  if (all->size > count) {
    original_apply(sampler, all);
    return;
  }
  const uint8_t *letters = (const uint8_t *)letters_at;
  struct tokens kept = {(struct token *)(letters + (count + 15) / 16 * 16), 0, -1, 0};
#define MAY(id) ((uint32_t)(id) >= count || letters[id] == 0 || (allowed[letters[id] >> 6] >> (letters[id] & 63) & 1))
  for (size_t i = 0; i < all->size; i++)
    if (MAY(all->data[i].id)) kept.data[kept.size++] = all->data[i];
  original_apply(sampler, &kept);
  size_t next = 0;
  for (size_t i = 0; i < all->size; i++) all->data[i].logit = MAY(all->data[i].id) ? kept.data[next++].logit : -__builtin_inff();
}
