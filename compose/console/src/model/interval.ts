import { rangeUtil, type TimeRange } from '@grafana/data';

/** ScrapeSeconds is the lab's scrape interval; a test of the repository compares it with Prometheus' configuration. */
export const ScrapeSeconds = 5;

/** MaxPoints is how many points of one series Prometheus returns at most. */
const MaxPoints = 11000;

/** Steps are the intervals that a panel's queries are made with, in milliseconds. */
export interface Steps {
  interval: number;
  rate: number;
}

/** steps computes $__interval and $__rate_interval as Grafana's Prometheus source does. */
export function steps(range: TimeRange, points: number, minimum?: string): Steps {
  const scrape = ScrapeSeconds * 1000;
  const least = minimum ? rangeUtil.intervalToMs(minimum.replace(/^>/, '')) : scrape;
  const wanted = rangeUtil.calculateInterval(range, Math.max(points, 1), `${least}ms`).intervalMs;
  const safe = Math.ceil((range.to.valueOf() - range.from.valueOf()) / MaxPoints / 1000) * 1000;
  const interval = Math.max(wanted, safe, 1000);
  return { interval, rate: Math.max(interval + scrape, 4 * scrape) };
}

/** duration writes milliseconds as PromQL does. */
export function duration(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}
