/** Web Worker entry: runs isolated tasks (core's text/isolated-tasks.ts), one after another. Ended from outside. */
import { answerOf, loadIsolatedTask } from "../core/text/isolated-tasks.ts";

const scope = self as unknown as DedicatedWorkerGlobalScope;
scope.onmessage = async ({ data }: MessageEvent<{ readonly id: number; readonly task: string; readonly payload: unknown }>) => {
  const task = await loadIsolatedTask(data.task).catch((error: unknown) => () => Promise.reject(error));
  scope.postMessage({ id: data.id, answer: await answerOf(() => task(data.payload)) });
};
scope.postMessage({ id: 0 });
