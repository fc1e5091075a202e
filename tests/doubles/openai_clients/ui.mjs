// A chat UI's server as the AI SDK's guides write it: a route that takes the UI's messages and streams UI events back.
import { createServer } from "node:http";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { convertToModelMessages, pipeUIMessageStreamToResponse, streamText, toUIMessageStream } from "ai";

const assent = createOpenAICompatible({
  name: "assent",
  apiKey: process.env.API_KEY,
  baseURL: process.env.BASE_URL,
  headers: { "X-Assent-Wait": "60" },
  includeUsage: true,
});

const server = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const { messages } = JSON.parse(Buffer.concat(parts).toString());
  const result = streamText({
    model: assent.chatModel("assent"),
    system: "You are the assistant of a shop.",
    messages: await convertToModelMessages(messages),
  });
  pipeUIMessageStreamToResponse({ response, stream: toUIMessageStream({ stream: result.stream }) });
});
server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
