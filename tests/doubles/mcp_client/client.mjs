// Lists the tools of an MCP server and calls one, with the AI SDK's client; writes JSON.
import { createMCPClient } from "@ai-sdk/mcp";

const [url, token, name, given] = process.argv.slice(2);
const client = await createMCPClient({ transport: { type: "http", url, headers: { Authorization: `Bearer ${token}` } } });
const tools = await client.tools();
const names = Object.keys(tools);
const result = name ? await tools[name].execute(JSON.parse(given), { toolCallId: "1", messages: [] }) : null;
console.log(JSON.stringify({ names, result }));
await client.close();
