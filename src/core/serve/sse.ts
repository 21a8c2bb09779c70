/** Events as a body that is pulled: the model is asked for a part when the reader wants one, and a reader that leaves frees it. */
import { abortedError } from "../errors.ts";
import type { Begun } from "./answers.ts";
import type { Call } from "./call.ts";
import { endOf, safeHeaders, type Told, told } from "./refusals.ts";

export interface EventForm {
  /** the last event; default: none */
  readonly end?: string | undefined;
  /** Each event has a line with its `type`. */
  readonly isNamed?: boolean | undefined;
  /** Lines of JSON alone, as Ollama has them. */
  readonly isLines?: boolean | undefined;
  readonly error: (failure: Told) => object;
}

/** @param begun what the events are made of @param events each is one JSON value */
export function eventStream(call: Call, begun: Begun, events: AsyncGenerator<object, void, undefined>, form: EventForm): Response {
  const encoder = new TextEncoder();
  const ended = call.record.streams();
  const line = (event: object, type?: unknown): Uint8Array =>
    encoder.encode(
      form.isLines === true
        ? `${JSON.stringify(event)}\n`
        : `${typeof type === "string" ? `event: ${type}\n` : ""}data: ${JSON.stringify(event)}\n\n`,
    );
  const typeOf = (event: object): unknown => (form.isNamed === true ? (event as { readonly type?: unknown }).type : undefined);

  const stop = async (): Promise<void> => {
    await events.return();
    await begun.stop();
  };
  let onAbort = (): void => undefined;
  const over = (hasLeft = false): void => {
    // a signal that is made of others is kept as long as somebody listens to it
    call.signal.removeEventListener("abort", onAbort);
    ended(hasLeft);
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // a reader that gave up, and neither reads nor cancels, frees the model too
        onAbort = () => {
          if (endOf(call.signal) !== undefined) return;
          call.record.fail(abortedError());
          over(true);
          controller.error(call.signal.reason);
          void stop().catch(() => undefined);
        };
        if (call.signal.aborted) onAbort();
        else call.signal.addEventListener("abort", onAbort);
      },
      async pull(controller) {
        try {
          const next = await events.next();
          if (next.done !== true) return controller.enqueue(line(next.value, typeOf(next.value)));
          if (form.end !== undefined) controller.enqueue(encoder.encode(`data: ${form.end}\n\n`));
          over();
          controller.close();
        } catch (thrown) {
          const cause = endOf(call.signal) ?? thrown;
          const hasLeft = call.signal.aborted && cause === thrown;
          call.record.fail(cause);
          over(hasLeft);
          // a reader that gave up is told its own reason
          if (hasLeft) return controller.error(call.signal.reason);
          const event = form.error(told(cause, call.pathname));
          controller.enqueue(line(event, typeOf(event)));
          controller.close();
        }
      },
      async cancel() {
        call.record.fail(abortedError());
        call.leave();
        over(true);
        await stop();
      },
    },
    { highWaterMark: 1 },
  );
  const type = form.isLines === true ? "application/x-ndjson" : "text/event-stream; charset=utf-8";
  return new Response(body, { headers: { "content-type": type, "x-accel-buffering": "no", ...safeHeaders } });
}
