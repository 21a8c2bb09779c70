/** Names of a model's files, without the folders they lie in. */

/** Of sentence-transformers, in folders of their own: beside config.json and weights they could not be told from those. */
export const poolingFile = "1_Pooling/config.json";
export const denseFile = "2_Dense/config.json";
export const denseWeightsFile = "2_Dense/model.safetensors";
export const partFiles: readonly string[] = [poolingFile, denseFile, denseWeightsFile];

/** @param path in a repository, with forward slashes @returns the name that other files of the model know it by */
export function baseName(path: string): string {
  const part = partFiles.find((name) => path === name || path.endsWith(`/${name}`));
  return part ?? path.slice(path.lastIndexOf("/") + 1);
}
