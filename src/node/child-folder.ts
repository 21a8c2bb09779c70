/** Where child processes start: none starts in a working folder that was deleted. @returns undefined where it is there */
export function childFolder(): string | undefined {
  try {
    process.cwd();
    return undefined;
  } catch {
    return "/";
  }
}
