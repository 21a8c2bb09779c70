/** Products of matrices, as graphs of several architectures write them. */
import type { OnnxGraphBuilder, Value } from "./graph-builder.ts";

/** x [… , T, K] · y [… , S, K] turned → [… , T, S], in one node: for runtimes with `fusedProducts`. */
export function byRows(graph: OnnxGraphBuilder, x: Value, y: Value, output?: string): Value {
  return graph.node("FusedMatMul", [x, y], { attributes: { transB: 1, alpha: { float: 1 } }, domain: "com.microsoft", output });
}
