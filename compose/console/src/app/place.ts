import { dateMath, rangeUtil, type RawTimeRange, type TimeRange } from '@grafana/data';
import { useSyncExternalStore } from 'react';

// Where in the console somebody is: its address says all of it, so that every
// view can be linked to and the browser's back button works.

const changed = new EventTarget();

function subscribe(listener: () => void): () => void {
  changed.addEventListener('change', listener);
  window.addEventListener('popstate', listener);
  return () => {
    changed.removeEventListener('change', listener);
    window.removeEventListener('popstate', listener);
  };
}

/** Place is a path and the parameters after it. */
export interface Place {
  path: string;
  query: URLSearchParams;
}

/** usePlace returns where the console is, anew whenever that changes. */
export function usePlace(): Place {
  const address = useSyncExternalStore(subscribe, () => window.location.pathname + window.location.search);
  const url = new URL(address, window.location.origin);
  return { path: url.pathname, query: url.searchParams };
}

/** go opens an address of the console. */
export function go(address: string, replace = false): void {
  if (replace) {
    window.history.replaceState(null, '', address);
  } else {
    window.history.pushState(null, '', address);
    window.scrollTo(0, 0);
  }
  changed.dispatchEvent(new Event('change'));
}

/** change sets parameters of the present address; undefined removes one. What changes nothing is no step to go back from. */
export function change(parameters: Record<string, string | string[] | undefined>): void {
  const url = new URL(window.location.href);
  for (const [name, value] of Object.entries(parameters)) {
    url.searchParams.delete(name);
    for (const one of [value ?? []].flat()) {
      url.searchParams.append(name, one);
    }
  }
  if (url.href === window.location.href) {
    return;
  }
  window.history.pushState(null, '', url.pathname + url.search);
  changed.dispatchEvent(new Event('change'));
}

/** followLinks lets links to the console's own views open without loading the page again. */
export function followLinks(): void {
  document.addEventListener('click', (event) => {
    const link = (event.target as Element | null)?.closest?.('a[href]') as HTMLAnchorElement | null;
    if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) {
      return;
    }
    const url = new URL(link.href, window.location.href);
    if (url.origin === window.location.origin && (!link.target || link.target === '_self') && !link.hasAttribute('download')) {
      event.preventDefault();
      go(url.pathname + url.search);
    }
  });
}

/** rawRange reads a time range from parameters: relative like now-1h, or milliseconds. */
export function rawRange(query: URLSearchParams, otherwise: RawTimeRange): RawTimeRange {
  const read = (name: string, value: RawTimeRange['from']) => {
    const text = query.get(name);
    if (!text) {
      return value;
    }
    if (/^\d{10,}$/.test(text)) {
      return text;
    }
    return dateMath.isValid(text) ? text : value;
  };
  return { from: read('from', otherwise.from), to: read('to', otherwise.to) };
}

/** timeRange makes a range of now out of a raw one. */
export function timeRange(raw: RawTimeRange): TimeRange {
  const number = (v: RawTimeRange['from']) => (typeof v === 'string' && /^\d+$/.test(v) ? new Date(Number(v)).toISOString() : v);
  const range = rangeUtil.convertRawToRange({ from: number(raw.from), to: number(raw.to) });
  return { ...range, raw: { from: typeof raw.from === 'string' && /^\d+$/.test(raw.from) ? range.from : raw.from, to: typeof raw.to === 'string' && /^\d+$/.test(raw.to) ? range.to : raw.to } };
}

/** rangeQuery writes a range as parameters of an address. */
export function rangeQuery(range: TimeRange): { from: string; to: string } {
  const write = (raw: RawTimeRange['from'], at: number) => (typeof raw === 'string' ? raw : String(at));
  return { from: write(range.raw.from, range.from.valueOf()), to: write(range.raw.to, range.to.valueOf()) };
}
