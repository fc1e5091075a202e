"""The door that OpenAI's clients already speak: /v1/models, /v1/chat/completions, /v1/responses. See docs/openai.md."""
