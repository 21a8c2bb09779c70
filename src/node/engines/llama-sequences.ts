/** The sequences of one model: each conversation keeps the tokens it has computed, so that two of them do not throw each other's away. */

/** Sequences at once; each takes the memory of a whole context. */
const maxSequences = 4;

/**
 * @param first the sequence that came with the model
 * @param more makes another one; undefined, or an error, where there is no memory for it
 * @returns gives a conversation its sequence: its own, a new one, or that of the conversation that has waited longest
 */
export function sequencePool<Sequence>(
  first: Sequence,
  more: () => Promise<Sequence | undefined>,
): { readonly take: (session: string | undefined) => Promise<Sequence>; readonly all: () => readonly Sequence[] } {
  // least recently used first
  let kept: readonly { readonly session: string | undefined; readonly sequence: Sequence }[] = [];
  let most = maxSequences;
  const another = async (): Promise<Sequence | undefined> => {
    if (kept.length === 0) return first;
    if (kept.length >= most) return undefined;
    try {
      return await more();
    } catch {
      most = kept.length;
      return undefined;
    }
  };
  return {
    async take(session) {
      const own = kept.find((entry) => entry.session === session);
      const sequence = own?.sequence ?? (await another());
      // where no new one can be had, the oldest changes hands
      const taken = sequence ?? kept[0]?.sequence ?? first;
      kept = [...kept.filter((entry) => entry.sequence !== taken), { session, sequence: taken }];
      return taken;
    },
    all: () => (kept.length === 0 ? [first] : kept.map(({ sequence }) => sequence)),
  };
}
