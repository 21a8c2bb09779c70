/** A thread with onnxruntime-node of its own: opens and runs sessions as onnx-apart.ts asks, while the other thread does something else. */
import { parentPort } from "node:worker_threads";
import { messageOf } from "../../core/errors.ts";
import type { OrtModule, OrtSession, OrtTensor } from "../../engines/ort/driver.ts";
import type { Answer, Ask, PlainTensor } from "./onnx-apart.ts";
import { requirePackage } from "./packages.ts";

const ort = requirePackage("onnxruntime-node") as OrtModule;
const sessions = new Map<number, OrtSession>();

const plain = ({ type, data, dims }: OrtTensor): PlainTensor => ({ type, data: data as PlainTensor["data"], dims });

async function work(ask: Ask): Promise<Answer["value"]> {
  if (ask.kind === "open") {
    const session = await ort.InferenceSession.create(ask.model, ask.options);
    sessions.set(ask.session, session);
    return { inputNames: session.inputNames, outputNames: session.outputNames };
  }
  const session = sessions.get(ask.session);
  if (session === undefined) throw new Error("no such session");
  if (ask.kind === "release") {
    sessions.delete(ask.session);
    await session.release();
    return undefined;
  }
  const feeds = Object.entries(ask.feeds).map(([name, { type, data, dims }]) => [name, new ort.Tensor(type, data as never, dims)]);
  const outputs = Object.entries(await session.run(Object.fromEntries(feeds) as Record<string, OrtTensor>, ask.outputs));
  return Object.fromEntries(outputs.map(([name, tensor]) => [name, plain(tensor)]));
}

/** Memory that goes over to the other thread in place of a copy: all of it is the tensor's. */
function buffersOf(value: Answer["value"]): ArrayBuffer[] {
  const values = Object.values(value ?? {}) as readonly Partial<PlainTensor>[];
  return values.flatMap(({ data }) =>
    data?.buffer instanceof ArrayBuffer && data.buffer.byteLength === data.byteLength ? [data.buffer] : [],
  );
}

parentPort?.on("message", (ask: Ask) => {
  work(ask).then(
    (value) => parentPort?.postMessage({ id: ask.id, value } satisfies Answer, buffersOf(value)),
    (error: unknown) => parentPort?.postMessage({ id: ask.id, error: messageOf(error) } satisfies Answer),
  );
});
