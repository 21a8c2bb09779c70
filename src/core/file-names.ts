/** Names of a model's files, without the folders they lie in. */

/** The one file of a folder of its own: beside config.json it could not be told from that. */
export const poolingFile = "1_Pooling/config.json";

/** @param path in a repository, with forward slashes @returns the name that other files of the model know it by */
export function baseName(path: string): string {
  if (path === poolingFile || path.endsWith(`/${poolingFile}`)) return poolingFile;
  return path.slice(path.lastIndexOf("/") + 1);
}
