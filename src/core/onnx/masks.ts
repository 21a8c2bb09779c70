/** Masks of graphs: int64, 1 = a token, 0 = padding. */
import type { OnnxGraphBuilder, Value } from "./graph-builder.ts";

/**
 * One value where a mask has a token, another one where it has padding, in the mask's shape. Not a Cast: in WebAssembly that is one function of 490 KB for
 * all pairs of types, which V8 optimises once it has run four times. That takes seconds of a processor and 200 MB and more (docs/benchmarks-history.md).
 */
export function byMask(graph: OnnxGraphBuilder, mask: Value, ofToken: Value, ofPadding: Value): Value {
  return graph.node("Where", [graph.node("Greater", [mask, graph.int64([0], [])]), ofToken, ofPadding]);
}
