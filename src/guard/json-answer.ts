import { Buffer } from 'node:buffer';
import type { Answer } from '../signals/answer.js';

/** An answer that nobody keeps. */
export function jsonAnswer(status: number, headers: Readonly<Record<string, string>>, content: object): Answer {
  const body = JSON.stringify(content);
  const length = String(Buffer.byteLength(body));
  return {
    status,
    headers: { ...headers, 'Cache-Control': 'no-store', 'Content-Type': 'application/json', 'Content-Length': length },
    body,
  };
}
