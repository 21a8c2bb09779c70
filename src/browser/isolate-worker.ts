/** Web Worker entry: runs isolated tasks (core's text/isolated-tasks.ts), one after another. Ended from outside. */
import { runIsolatedTask } from "../core/text/isolated-tasks.ts";

const scope = self as unknown as DedicatedWorkerGlobalScope;
scope.onmessage = ({ data }: MessageEvent<{ readonly id: number; readonly task: string; readonly payload: unknown }>) => {
  scope.postMessage({ id: data.id, answer: runIsolatedTask(data.task, data.payload) });
};
scope.postMessage({ id: 0 });
