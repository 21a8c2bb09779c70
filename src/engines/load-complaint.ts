/** @returns what llama.cpp says is wrong with a file that it does not load, such as "tensor 'blk.3.ffn_down.weight' not found"; else undefined */
export function loadComplaint(line: string): string | undefined {
  return /error loading (?:model|model hyperparameters|model vocabulary|model architecture): (.{1,300})/.exec(line)?.[1];
}
