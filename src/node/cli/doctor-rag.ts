/** Whether the index opens and its embedder answers, where `rag.monitoring.enable_health_checks` asks for it. */
import { openRag } from "../../core/api/open-rag.ts";
import { SpellError } from "../../core/errors.ts";
import type { RagPlace } from "../../core/rag/types.ts";
import type { Context } from "./context.ts";
import { type Check, toCheck } from "./doctor-checks.ts";
import { formatBytes, plural } from "./format.ts";

export async function checkRag({ config: read, openSpell }: Context): Promise<readonly Check[]> {
  const { rag: settings } = (await read()).config;
  if (!settings.enabled || !settings.monitoring.enable_health_checks) return [];
  const place: RagPlace = { tenantId: settings.tenants.default_tenant_id };
  try {
    const rag = await openRag(await openSpell());
    const { documents, chunks, bytes, place: where } = await rag.stats(place);
    const index = toCheck(
      "stores",
      "rag index",
      "ok",
      `${plural(documents, "document")}, ${plural(chunks, "passage")}, ${formatBytes(bytes)} in ${where}`,
    );
    return [index, await checkEmbedder(() => rag.search("doctor", { ...place, topK: 1 }), settings.embedding)];
  } catch (error) {
    return [failed("rag index", error)];
  }
}

async function checkEmbedder(
  ask: () => Promise<unknown>,
  { default_provider, model }: { readonly default_provider: string; readonly model: string },
): Promise<Check> {
  try {
    await ask();
    return toCheck("stores", "rag embedder", "ok", [default_provider, model].filter((part) => part !== "").join(", "));
  } catch (error) {
    return failed("rag embedder", error);
  }
}

function failed(id: string, error: unknown): Check {
  if (!(error instanceof SpellError)) throw error;
  const pull = error.actions.find(({ kind }) => kind === "pull");
  const command = pull?.kind === "pull" ? `llmspell model pull ${pull.model}` : undefined;
  return toCheck("stores", id, "fail", error.message, { fix: error.hint, command });
}
