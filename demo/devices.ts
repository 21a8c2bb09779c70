/** The panel of devices: the device in use, those tried before it, and why they were not used. */
import { pageAdapter } from "../src/browser/engines/adapter.ts";
import type { DeviceAttempt, DeviceReason, DeviceReport } from "../src/browser/index.ts";
import { find, make } from "./elements.ts";
import { plural } from "./format.ts";

const panel = find("devices", HTMLDivElement);

const names: Readonly<Record<string, string>> = {
  webgpu: "WebGPU",
  wasm: "WebAssembly",
  cpu: "CPU",
  cuda: "CUDA",
  metal: "Metal",
  vulkan: "Vulkan",
};

const reasons: Readonly<Record<DeviceReason, string>> = {
  ok: "works",
  "no-adapter": "no adapter",
  "software-adapter": "software adapter",
  "missing-feature": "a feature is missing",
  "missing-kernel": "a kernel is missing",
  "buffer-too-small": "its buffers are too small",
  "driver-missing": "its driver is missing",
  "package-missing": "its package is missing",
  "self-test-failed": "failed its self-test",
  "out-of-memory": "not enough memory",
  "not-on-this-platform": "not available on this platform",
  "not-configured": "not tried",
};

export function nameOfDevice(device: string): string {
  return names[device] ?? device;
}

/** Shows what this browser offers, while no model is loaded. @param isWanted checked after the browser has answered */
export async function showBrowser(isWanted: () => boolean): Promise<void> {
  const adapter = await pageAdapter();
  if (!isWanted()) return;
  panel.replaceChildren(
    make("p", { text: "A model's device is chosen when it loads. This browser offers:" }),
    list([
      row(adapter !== undefined, "WebGPU", adapter?.label ?? "no adapter"),
      row(true, "WebAssembly", crossOriginIsolated ? plural(navigator.hardwareConcurrency || 1, "thread") : oneThread),
    ]),
  );
}

const oneThread = "1 thread because the page is not cross-origin isolated";

export function showReport(report: DeviceReport | undefined, notes: readonly string[]): void {
  if (report === undefined) return;
  const { chosen, runtime, threads, tried } = report;
  const through = runtime === undefined ? "" : ` through ${runtime}`;
  const count = threads === undefined ? "" : `, ${plural(threads.decode, "thread")}`;
  panel.replaceChildren(
    make("p", { class: "chosen" }, make("strong", { text: nameOfDevice(chosen) }), make("span", { text: `${through}${count}` })),
    list(tried.map(attempt)),
    ...[...new Set([...notes, ...(crossOriginIsolated ? [] : [oneThread])])].map((text) => make("p", { class: "note", text })),
  );
}

function attempt({ device, ok, reason, hint }: DeviceAttempt): HTMLElement {
  const words = [ok ? undefined : reasons[reason], hint].filter((word) => word !== undefined);
  return row(ok, nameOfDevice(device), words.join(": ") || reasons[reason]);
}

function list(rows: readonly HTMLElement[]): HTMLElement {
  return make("ul", { class: "attempts" }, ...rows);
}

function row(ok: boolean, name: string, text: string): HTMLElement {
  return make(
    "li",
    { class: ok ? "ok" : "not-ok" },
    make("span", { class: "mark", text: ok ? "✓" : "–", attributes: { "aria-hidden": "true" } }),
    make("span", { class: "name", text: name }),
    make("span", { class: "visually-hidden", text: ok ? " works: " : " not used: " }),
    make("span", { class: "why", text }),
  );
}
