// A device that is not there is told; then the next one.
//   llmspell run examples/scripts/cookbook/another-device.js

for (const device of ["cuda", "cpu"]) {
  try {
    const result = await LocalLLM.generate("tiny-stories", "Once", { device, max_tokens: 10, seed: 1 });
    console.log(result.device.chosen, result.text);
    break;
  } catch (error) {
    console.log(device, error.code);
  }
}
