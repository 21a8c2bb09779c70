// Translates every .txt beside the script; the variable lets scripts read there.
//   LLMSPELL_RUNTIME_SECURITY_ALLOW_FILE_ACCESS=true llmspell run -p candle examples/scripts/cookbook/translate-folder.js

const translator = Agent.builder().model("tiny-t5-en-fr").build();
for (const entry of await Utils.list_dir(".")) {
  const name = entry.name ?? entry;
  if (!name.endsWith(".txt")) continue;
  for (const line of (await Utils.read_file(name)).split("\n").filter((text) => text !== "")) {
    console.log(name, await translator.complete(`translate English to French: ${line}`));
  }
}
