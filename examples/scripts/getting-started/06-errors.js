// What went wrong, and what to do.
//   llmspell run examples/scripts/getting-started/06-errors.js

try {
  await LocalLLM.generate("tiny-storys", "Once");
} catch (fault) {
  console.log(fault.code);
  console.log(fault.message);
  for (const command of fault.commands ?? []) console.log(`  ${command}`);
}
