/** Serves one file with byte ranges on loopback, from memory pages. Prints its address. Its own process, so that nobody measured pays for it. */
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";

const [path = ""] = process.argv.slice(2);
const { size } = statSync(path);
const server = createServer((request, response) => {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  const start = Number(from ?? 0);
  const end = to === undefined || to === "" ? size - 1 : Number(to);
  response.writeHead(from === undefined ? 200 : 206, {
    "content-length": end - start + 1,
    "accept-ranges": "bytes",
    etag: '"1"',
    ...(from === undefined ? {} : { "content-range": `bytes ${start}-${end}/${size}` }),
  });
  if (request.method === "HEAD") response.end();
  else createReadStream(path, { start, end, highWaterMark: 1024 * 1024 }).pipe(response);
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/file`));
