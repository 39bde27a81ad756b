/** What the background work asks of each provider. */
export interface Prompt {
  readonly path: string;
  readonly body: object;
}

/** A call that costs next to nothing and keeps the provider's prompt cache warm. */
export function warmingPrompt(provider: string): Prompt {
  return promptFor(provider, 'ping', 1);
}

export function distillingPrompt(provider: string, text: string): Prompt {
  return promptFor(provider, `Sum this up in a sentence: ${text}`, 100);
}

function promptFor(provider: string, content: string, tokens: number): Prompt {
  const messages = [{ role: 'user', content }];
  return provider === 'anthropic'
    ? { path: '/v1/messages', body: { model: 'claude-example', max_tokens: tokens, messages } }
    : { path: '/v1/chat/completions', body: { model: 'gpt-example', max_completion_tokens: tokens, messages } };
}
