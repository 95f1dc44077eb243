// The floor: writes an event of a given size to every reader once a second.
import { createServer } from "node:http";

const [port, size] = process.argv.slice(2).map(Number);
const open = new Set();
const server = createServer((asked, answer) => {
  if (asked.url === "/ready") return answer.end("ok\n");
  answer.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  answer.write(": hello\n\n");
  open.add(answer);
  answer.on("close", () => open.delete(answer));
});
server.listen(port, "127.0.0.1");
let id = 0;
setInterval(() => {
  const head = `event: cells\nid: ${(id += 1)}\ndata: `;
  const event = `${head}${"x".repeat(Math.max(0, size - head.length - 2))}\n\n`;
  for (const answer of open) answer.write(event);
}, 1000);
