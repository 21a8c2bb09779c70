/** Files that are dragged over the page and dropped on it. */
import { find } from "./elements.ts";
import { filesOfDrop, type GivenFiles } from "./sources.ts";

export function onDrop(take: (given: GivenFiles) => void): void {
  const drop = find("drop", HTMLDivElement);
  let dragged = 0;
  addEventListener("dragenter", (event) => {
    if (event.dataTransfer?.types.includes("Files") !== true) return;
    dragged += 1;
    drop.hidden = false;
  });
  addEventListener("dragleave", () => {
    dragged = Math.max(0, dragged - 1);
    drop.hidden = dragged === 0;
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    dragged = 0;
    drop.hidden = true;
    if (event.dataTransfer !== null) void filesOfDrop(event.dataTransfer).then(take);
  });
}
