import type { Span, Trace } from '../api/jaeger.ts';

/** Node is a span in its place of the tree. */
export interface Node {
  span: Span;
  depth: number;
  children: number;
  /** Ids of the spans above it, the nearest last. */
  above: string[];
}

/** tree orders spans as they called each other; those whose parent is not stored stand at the top. */
export function tree(trace: Trace): Node[] {
  const ids = new Set(trace.spans.map((s) => s.id));
  const children = new Map<string, Span[]>();
  const tops: Span[] = [];
  for (const span of trace.spans) {
    if (span.parent && ids.has(span.parent) && span.parent !== span.id) {
      children.set(span.parent, [...(children.get(span.parent) ?? []), span]);
    } else {
      tops.push(span);
    }
  }
  const out: Node[] = [];
  const seen = new Set<string>();
  const visit = (span: Span, above: string[]) => {
    if (seen.has(span.id)) {
      return; // the same id twice
    }
    seen.add(span.id);
    const below = children.get(span.id) ?? [];
    out.push({ span, depth: above.length, children: below.length, above });
    for (const child of below) {
      visit(child, [...above, span.id]);
    }
  };
  tops.forEach((s) => visit(s, []));
  return out;
}
