// Addresses of the console's own views.

/** Window is the time around something that happened, in milliseconds. */
export interface Window {
  from: number;
  to: number;
}

const minutes = 60_000;

export function traceLink(id: string, span?: string): string {
  return `/trace/${encodeURIComponent(id)}${span ? `?span=${encodeURIComponent(span)}` : ''}`;
}

export function logsLink(expr: string, window?: Window): string {
  const query = new URLSearchParams({ expr });
  if (window) {
    query.set('from', String(Math.floor(window.from - 5 * minutes)));
    query.set('to', String(Math.ceil(window.to + 5 * minutes)));
  }
  return `/logs?${query}`;
}

export function flameLink(parameters: { type?: string; selector: string; spans?: string[] }, window?: Window): string {
  const query = new URLSearchParams({ selector: parameters.selector });
  if (parameters.type) {
    query.set('type', parameters.type);
  }
  for (const span of parameters.spans ?? []) {
    query.append('span', span);
  }
  if (window) {
    // Profiles are uploaded every 15 s, and a sample counts from where its upload began.
    query.set('from', String(Math.floor(window.from - minutes)));
    query.set('to', String(Math.ceil(window.to + minutes)));
  }
  return `/profiles?${query}`;
}
