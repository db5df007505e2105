import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';

/** useSize measures an element, and again whenever it changes. */
export function useSize<E extends HTMLElement>(): [(element: E | null) => void, { width: number; height: number }] {
  const [element, setElement] = useState<E | null>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    if (!element) {
      return;
    }
    const measure = () => setSize({ width: Math.floor(element.clientWidth), height: Math.floor(element.clientHeight) });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [element]);
  return [setElement, size];
}

/** Loaded is what a task has come to so far. While a newer one runs, value is still the older one's. */
export interface Loaded<T> {
  value?: T;
  error?: Error;
  loading: boolean;
}

/** useTask runs a task whenever one of its keys changes, and gives up the run before. */
export function useTask<T>(task: ((signal: AbortSignal) => Promise<T>) | undefined, keys: unknown[]): Loaded<T> {
  const [state, setState] = useState<Loaded<T>>({ loading: true });
  const latest = useRef(task);
  latest.current = task;
  const runs = task !== undefined;
  useEffect(() => {
    if (!latest.current) {
      return;
    }
    const controller = new AbortController();
    setState((s) => ({ ...s, loading: true }));
    latest.current(controller.signal).then(
      (value) => !controller.signal.aborted && setState({ value, loading: false }),
      (error) => !controller.signal.aborted && setState({ error: error instanceof Error ? error : new Error(String(error)), loading: false })
    );
    return () => controller.abort();
    // The keys are the task's own; the linter of hooks cannot see them.
  }, [runs, ...keys]);
  return state;
}

/** useTick counts up every so many milliseconds; none stops it. It rests while the page is not seen. */
export function useTick(every: number | undefined): [number, () => void] {
  const [tick, setTick] = useState(0);
  const next = useCallback(() => setTick((t) => t + 1), []);
  useEffect(() => {
    if (!every) {
      return;
    }
    const timer = window.setInterval(() => document.visibilityState === 'visible' && next(), every);
    return () => window.clearInterval(timer);
  }, [every, next]);
  return [tick, next];
}
