/** What the make-believe providers say, in the shapes of the real ones. */
interface Provider {
  /** The answer to a dead or missing token. */
  readonly refusal: { readonly headers: Record<string, string>; readonly body: unknown };
  readonly models: unknown;
  /** `POST` here talks to the model. */
  readonly talkPath: string;
  reply(text: string): unknown;
  /** The events of a streamed reply, one a word. */
  stream(words: readonly string[]): readonly string[];
}

const event = (name: string, data: object): string => `event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n`;

const anthropic: Provider = {
  refusal: {
    headers: {},
    body: { type: 'error', error: { type: 'authentication_error', message: 'OAuth token has expired' } },
  },
  models: {
    data: [{ type: 'model', id: 'claude-example', display_name: 'Claude Example', created_at: '2026-01-01T00:00:00Z' }],
    has_more: false,
    first_id: 'claude-example',
    last_id: 'claude-example',
  },
  talkPath: '/v1/messages',
  reply: (text) => ({ ...message, content: [{ type: 'text', text }], stop_reason: 'end_turn' }),
  stream: (words) => [
    event('message_start', { message: { ...message, content: [], stop_reason: null } }),
    event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
    ...words.map((text) => event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } })),
    event('content_block_stop', { index: 0 }),
    event('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: words.length } }),
    event('message_stop', {}),
  ],
};

const message = {
  id: 'msg_example',
  type: 'message',
  role: 'assistant',
  model: 'claude-example',
  stop_sequence: null,
  usage: { input_tokens: 1, output_tokens: 1 },
};

const openai: Provider = {
  refusal: {
    headers: { 'www-authenticate': 'Bearer realm="OpenAI API"' },
    body: { error: { message: 'Incorrect API key provided.', type: 'invalid_request_error', param: null, code: 'invalid_api_key' } },
  },
  models: { object: 'list', data: [{ id: 'gpt-example', object: 'model', created: 1_767_225_600, owned_by: 'example' }] },
  talkPath: '/v1/chat/completions',
  reply: (content) => ({
    ...completion,
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop', logprobs: null }],
  }),
  stream: (words) => [
    ...words.map((content) => chunk({ delta: { role: 'assistant', content }, finish_reason: null })),
    chunk({ delta: {}, finish_reason: 'stop' }),
    'data: [DONE]\n\n',
  ],
};

const completion = { id: 'chatcmpl-example', created: 1_767_225_600, model: 'gpt-example' };

const chunk = (choice: object): string =>
  `data: ${JSON.stringify({ ...completion, object: 'chat.completion.chunk', choices: [{ index: 0, ...choice }] })}\n\n`;

export const PROVIDERS: Readonly<Record<string, Provider>> = { anthropic, openai };
