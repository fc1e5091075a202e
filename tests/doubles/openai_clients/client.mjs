// OpenAI's npm client: what one call gives, as JSON lines. BASE_URL and API_KEY are in the environment.
import OpenAI from "openai";

const client = new OpenAI({ apiKey: process.env.API_KEY, baseURL: process.env.BASE_URL, maxRetries: 1 });
const [what, ...words] = process.argv.slice(2);
const messages = [{ role: "user", content: words.join(" ") }];
const tell = (value) => console.log(JSON.stringify(value));

const ways = {
  async models() {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    tell(names);
  },
  async chat() {
    const { data, response } = await client.chat.completions
      .create({ model: "assent", messages })
      .withResponse();
    tell({
      text: data.choices[0].message.content,
      finish: data.choices[0].finish_reason,
      usage: data.usage ?? null,
      conversation: response.headers.get("x-assent-conversation"),
      assent: data.assent,
    });
  },
  async stream() {
    const stream = client.chat.completions.stream(
      { model: "assent", messages, stream_options: { include_usage: true } },
      { headers: { "X-Assent-Wait": "60" } },
    );
    for await (const chunk of stream) {
      const piece = chunk.choices[0]?.delta?.content;
      if (piece) tell({ piece });
    }
    const done = await stream.finalChatCompletion();
    tell({ text: done.choices[0].message.content, finish: done.choices[0].finish_reason, usage: done.usage ?? null });
  },
  async responses() {
    const stream = client.responses.stream({ model: "assent", input: words.join(" ") });
    const types = [];
    for await (const event of stream) types.push(event.type);
    const done = await stream.finalResponse();
    const again = await client.responses.retrieve(done.id);
    const next = await client.responses.create({ model: "assent", input: "And?", previous_response_id: done.id });
    tell({ types, text: done.output_text, again: again.output_text, next: next.output_text });
  },
  async errors() {
    const kinds = [];
    for (const body of [
      { model: "gpt-4", messages },
      { model: "assent", messages, n: 2 },
    ]) {
      try {
        await client.chat.completions.create(body);
      } catch (error) {
        kinds.push([error.constructor.name, error.status, error.code]);
      }
    }
    tell(kinds);
  },
};

await ways[what]();
