/** Store is one of the lab's servers that hold telemetry. */
export type Store = 'prometheus' | 'loki' | 'jaeger' | 'pyroscope';

const titles: Record<Store, string> = { prometheus: 'Prometheus', loki: 'Loki', jaeger: 'Jaeger', pyroscope: 'Pyroscope' };

/** storeTitle is a store's name as people write it. */
export function storeTitle(store: Store): string {
  return titles[store];
}

/** StoreError is a store that did not answer, or answered with an error. Its text starts with the store's name. */
export class StoreError extends Error {
  constructor(
    readonly store: Store,
    reason: string,
    /** The status of the answer; none where there was no answer. */
    readonly status?: number
  ) {
    super(`${titles[store]}: ${reason}`);
  }
}

/** Scope bounds a query: its time, and how long anybody waits for it. */
export interface Scope {
  from: number; // milliseconds
  to: number;
  signal?: AbortSignal;
}

/** AtOnce is how many queries of this page run at a time; the others wait for their turn. */
export const AtOnce = 6;

/** Turns lets a bounded number of tasks run at a time, first come, first served. */
export class Turns {
  private running = 0;
  private waiting: Array<() => void> = [];
  /** The most that ever ran together. */
  peak = 0;

  constructor(private readonly limit: number) {}

  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.running >= this.limit) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    } else {
      this.running++;
    }
    this.peak = Math.max(this.peak, this.running);
    try {
      signal?.throwIfAborted(); // nobody waits for it any more
      return await task();
    } finally {
      const next = this.waiting.shift();
      if (next) {
        next(); // the turn is handed on
      } else {
        this.running--;
      }
    }
  }
}

const turns = new Turns(AtOnce);

/** peak is the most queries that ran together since the page was opened. */
export function peak(): number {
  return turns.peak;
}

type Parameters = Record<string, string | number | string[] | undefined>;

function encode(parameters: Parameters): URLSearchParams {
  const out = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value ?? []].flat()) {
      out.append(name, String(one));
    }
  }
  return out;
}

/** get asks a store by address. */
export function get<T>(store: Store, path: string, parameters: Parameters, signal?: AbortSignal): Promise<T> {
  const query = encode(parameters).toString();
  return send<T>(store, query ? `${path}?${query}` : path, { signal });
}

/** form asks a store with a form, whose text may be longer than an address. */
export function form<T>(store: Store, path: string, parameters: Parameters, signal?: AbortSignal): Promise<T> {
  return send<T>(store, path, { method: 'POST', body: encode(parameters), signal });
}

/** post asks a store with JSON. */
export function post<T>(store: Store, path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  return send<T>(store, path, { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' }, signal });
}

function send<T>(store: Store, path: string, init: RequestInit): Promise<T> {
  return turns.run(async () => {
    let response: Response;
    try {
      response = await fetch(`/api/stores/${store}${path}`, init);
    } catch (error) {
      if (init.signal?.aborted) {
        throw error;
      }
      throw new StoreError(store, 'the console itself does not answer');
    }
    const text = await response.text();
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch {
      throw new StoreError(store, text.trim().slice(0, 300) || `status ${response.status}`, response.status);
    }
    if (!response.ok) {
      throw new StoreError(store, reason(answer) || `status ${response.status}`, response.status);
    }
    return answer as T;
  }, init.signal ?? undefined);
}

/** reason finds the error's text in a store's answer: each has a form of its own. */
function reason(answer: unknown): string {
  const a = answer as { error?: unknown; message?: unknown; errors?: Array<{ msg?: string }> };
  if (typeof a?.error === 'string') {
    return a.error;
  }
  if (typeof a?.message === 'string') {
    return a.message;
  }
  return a?.errors?.map((e) => e.msg).filter(Boolean).join('; ') ?? '';
}

/** fetchJSON asks the console itself. */
export async function fetchJSON<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await fetch(path, { signal });
  const answer = (await response.json()) as T & { error?: string };
  if (!response.ok) {
    throw new Error(answer.error ?? `status ${response.status}`);
  }
  return answer;
}
