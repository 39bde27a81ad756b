import { GoogleGenAI } from '@google/genai';
import { apiKey } from '../../src/index.js';
import { describeClient, json } from './suite.js';

const failing = (code: number, status: string, reason: string, message = 'no') =>
  json(code, {
    error: {
      code,
      message,
      status,
      details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain: 'googleapis.com' }],
    },
  });

// Its errors bear no headers, and the body in place of a message.
describeClient({
  name: 'Google Gen AI',
  provider: 'gemini',
  credential: apiKey('key-of-google', { header: 'x-goog-api-key' }),
  connect: (url) => {
    const client = new GoogleGenAI({ apiKey: 'placeholder', httpOptions: { baseUrl: url } });
    return ({ headers, signal, timeoutMs }) =>
      client.models.generateContent({
        model: 'm',
        contents: 'ping',
        config: { ...(signal && { abortSignal: signal }), httpOptions: { headers, ...(timeoutMs && { timeout: timeoutMs }) } },
      });
  },
  good: json(200, { candidates: [{ content: { role: 'model', parts: [{ text: 'pong' }] } }] }),
  rejected: (secret) => failing(400, 'INVALID_ARGUMENT', 'API_KEY_INVALID', `API key not valid: ${secret}`),
  denied: [failing(403, 'PERMISSION_DENIED', 'SERVICE_DISABLED'), failing(403, 'PERMISSION_DENIED', 'API_KEY_SERVICE_BLOCKED')],
  keepsHeaders: false,
  tellsAborts: false,
  tellsBrokenBodies: true,
});
