import { get, StoreError, type Scope } from './stores.ts';

export interface Tag {
  key: string;
  type?: string;
  value: string | number | boolean;
}

/** Span is one span of a trace. Times are microseconds. */
export interface Span {
  id: string;
  parent?: string;
  name: string;
  service: string;
  start: number;
  duration: number;
  tags: Tag[];
  process: Tag[];
  events: Array<{ time: number; fields: Tag[] }>;
  links: Array<{ trace: string; span: string }>;
  warnings: string[];
}

export interface Trace {
  id: string;
  spans: Span[];
}

interface RawTrace {
  traceID: string;
  processes: Record<string, { serviceName: string; tags?: Tag[] }>;
  spans: Array<{
    traceID: string;
    spanID: string;
    operationName: string;
    startTime: number;
    duration: number;
    processID: string;
    references?: Array<{ refType: string; traceID: string; spanID: string }>;
    tags?: Tag[];
    logs?: Array<{ timestamp: number; fields: Tag[] }>;
    warnings?: string[] | null;
  }>;
}

function decode(raw: RawTrace): Trace {
  const spans = raw.spans.map((s): Span => {
    const references = s.references ?? [];
    const parent = references.find((r) => r.refType === 'CHILD_OF' && r.traceID === s.traceID);
    const process = raw.processes[s.processID];
    return {
      id: s.spanID, parent: parent?.spanID, name: s.operationName, service: process?.serviceName ?? '', start: s.startTime, duration: s.duration,
      tags: s.tags ?? [], process: process?.tags ?? [],
      events: (s.logs ?? []).map((l) => ({ time: l.timestamp, fields: l.fields })),
      links: references.filter((r) => r !== parent).map((r) => ({ trace: r.traceID, span: r.spanID })),
      warnings: s.warnings ?? [],
    };
  });
  return { id: raw.traceID, spans: spans.sort((a, b) => a.start - b.start) };
}

/** trace returns one trace, or undefined where Jaeger does not know it. */
export async function trace(id: string, signal?: AbortSignal): Promise<Trace | undefined> {
  try {
    const answer = await get<{ data: RawTrace[] | null }>('jaeger', `/api/traces/${encodeURIComponent(id)}`, {}, signal);
    return answer.data?.[0] && decode(answer.data[0]);
  } catch (error) {
    if (error instanceof StoreError && error.status === 404) {
      return undefined;
    }
    throw error;
  }
}

/** Search is what traces to look for. */
export interface Search {
  service: string;
  operation?: string;
  tags?: string; // logfmt: key=value key2=value2
  minDuration?: string;
  maxDuration?: string;
  limit?: number;
}

/** search returns the newest traces that match. */
export async function search(s: Search, scope: Scope): Promise<Trace[]> {
  const answer = await get<{ data: RawTrace[] | null }>(
    'jaeger', '/api/traces',
    {
      service: s.service, operation: s.operation || undefined, tags: s.tags ? JSON.stringify(parseTags(s.tags)) : undefined,
      minDuration: s.minDuration || undefined, maxDuration: s.maxDuration || undefined, limit: s.limit ?? 20,
      start: scope.from * 1000, end: scope.to * 1000,
    },
    scope.signal
  );
  return (answer.data ?? []).map(decode).sort((a, b) => (b.spans[0]?.start ?? 0) - (a.spans[0]?.start ?? 0));
}

/** parseTags reads key=value pairs; a value may be quoted. */
export function parseTags(text: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [, key, quoted, plain] of text.matchAll(/([^\s=]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))/g)) {
    out[key] = quoted !== undefined ? quoted.replace(/\\(.)/g, '$1') : plain;
  }
  return out;
}

/** services lists every service that has sent a trace. */
export async function services(signal?: AbortSignal): Promise<string[]> {
  const answer = await get<{ data: string[] | null }>('jaeger', '/api/services', {}, signal);
  return (answer.data ?? []).sort();
}

/** operations lists a service's operations. */
export async function operations(service: string, signal?: AbortSignal): Promise<string[]> {
  const answer = await get<{ data: string[] | null }>('jaeger', `/api/services/${encodeURIComponent(service)}/operations`, {}, signal);
  return (answer.data ?? []).sort();
}

/** tagOf finds a span's own tag. */
export function tagOf(span: Span, key: string): string | undefined {
  const tag = span.tags.find((t) => t.key === key);
  return tag === undefined ? undefined : String(tag.value);
}

/** failed reports whether a span ended in an error. */
export function failed(span: Span): boolean {
  return tagOf(span, 'error') === 'true' || tagOf(span, 'otel.status_code') === 'ERROR';
}

/** rootOf is the span that the others hang from: the first without a parent in the trace. */
export function rootOf(trace: Trace): Span {
  const ids = new Set(trace.spans.map((s) => s.id));
  return trace.spans.find((s) => !s.parent || !ids.has(s.parent)) ?? trace.spans[0];
}

/** traceDuration is how long a trace took from its first moment to its last, in microseconds. */
export function traceDuration(trace: Trace): number {
  return Math.max(...trace.spans.map((s) => s.start + s.duration)) - Math.min(...trace.spans.map((s) => s.start));
}
