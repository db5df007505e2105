import { dateTime, FieldType, rangeUtil, type DataFrame, type ScopedVars, type TimeRange } from '@grafana/data';
import { rootOf, search, trace, traceDuration, type Trace } from '../api/jaeger.ts';
import { isMetric, lines, metrics, type Line } from '../api/loki.ts';
import { exemplars, query as askPrometheus, type Exemplar } from '../api/prometheus.ts';
import { diff, flame, series, type Profile } from '../api/pyroscope.ts';
import type { Scope } from '../api/stores.ts';
import type { Panel, Query, SourceRef } from './dashboard.ts';
import { interpolate, type Language, type Values } from './interpolate.ts';
import { duration, steps } from './interval.ts';
import type { Target } from './supported.ts';
import { sourceOf } from './variables.ts';

/** Data is what a panel draws. Each store has a form of its own. */
export interface Data {
  frames: DataFrame[];
  exemplars: Exemplar[];
  lines: Line[];
  traces: Trace[];
  /** Whether the traces are one that was asked for by its id. */
  single?: boolean;
  flame?: DataFrame;
  range: TimeRange;
}

/** Context is what the queries of a dashboard have in common. */
export interface Context {
  values: Values;
  range: TimeRange;
  signal?: AbortSignal;
}

/** typeOf is the type of a query's data source. */
export function typeOf(panel: Panel, query: Query): string {
  const source = (query.datasource ?? panel.datasource) as SourceRef | undefined;
  return source?.type ?? Object.keys(sourceOf).find((type) => sourceOf[type] === source?.uid) ?? '';
}

/** builtin are the variables that every query may use. */
export function builtin(range: TimeRange, step: { interval: number; rate: number }): ScopedVars {
  const from = range.from.valueOf();
  const to = range.to.valueOf();
  const whole = Math.max(Math.round((to - from) / 1000), 1);
  const value = (v: unknown) => ({ text: String(v), value: v });
  return {
    __interval: value(duration(step.interval)),
    __auto: value(duration(step.interval)),
    __interval_ms: value(step.interval),
    __rate_interval: value(duration(step.rate)),
    __rate_interval_ms: value(step.rate),
    __range: value(`${whole}s`),
    __range_s: value(whole),
    __range_ms: value(to - from),
    __from: value(from),
    __to: value(to),
  };
}

/** panelRange is the time range of a panel, which may have one of its own, or be about an earlier time. */
export function panelRange(panel: Panel, range: TimeRange, values: Values = {}): TimeRange {
  const own = panel.timeFrom ? rangeUtil.convertRawToRange({ from: `now-${interpolate(panel.timeFrom, values)}`, to: 'now' }) : range;
  if (!panel.timeShift) {
    return own;
  }
  const shift = rangeUtil.intervalToMs(interpolate(panel.timeShift, values));
  const from = dateTime(own.from.valueOf() - shift);
  const to = dateTime(own.to.valueOf() - shift);
  return { from, to, raw: { from, to } };
}

/** run asks everything that a panel wants to know. Width is in pixels and decides how many points it gets. */
export async function run(panel: Panel, width: number, context: Context): Promise<Data> {
  const range = panelRange(panel, context.range, context.values);
  const scope: Scope = { from: range.from.valueOf(), to: range.to.valueOf(), signal: context.signal };
  const targets = (panel.targets ?? []).filter((t) => !t.hide);
  const data: Data = { frames: [], exemplars: [], lines: [], traces: [], range };
  const profiles: Profile[] = [];
  const results = await Promise.all(
    targets.map(async (target) => {
      const step = steps(range, panel.maxDataPoints ?? width, (target.interval as string) || panel.interval);
      const put = (text: unknown, language: Language) => interpolate(String(text ?? ''), context.values, builtin(range, step), language);
      switch (typeOf(panel, target)) {
        case 'prometheus':
          return prometheus(target as unknown as Target<'prometheus'>, targets.length > 1, step.interval, put, scope);
        case 'loki':
          return loki(target as unknown as Target<'loki'>, step.interval, put, scope);
        case 'jaeger':
          return jaeger(target as unknown as Target<'jaeger'>, put, scope);
        case 'grafana-pyroscope-datasource': {
          const t = target as unknown as Target<'grafana-pyroscope-datasource'>;
          const p: Profile = { type: put(t.profileTypeId, 'text'), selector: put(t.labelSelector, 'promql'), spans: t.spanSelector, maxNodes: t.maxNodes };
          if (t.queryType === 'metrics') {
            return { frames: await series({ refId: t.refId, type: p.type, selector: p.selector, groupBy: t.groupBy ?? [], step: Math.max(step.interval, 15000) }, scope) };
          }
          profiles.push(p);
          return {};
        }
        default:
          throw new Error(`queries of the type "${typeOf(panel, target)}" are not supported`);
      }
    })
  );
  for (const result of results as Array<Partial<Data>>) {
    data.frames.push(...(result.frames ?? []));
    data.exemplars.push(...(result.exemplars ?? []));
    data.lines.push(...(result.lines ?? []));
    data.traces.push(...(result.traces ?? []));
    data.single ||= result.single;
  }
  if (profiles.length > 0) {
    data.flame = profiles.length > 1 ? await diff(profiles[0], scope, profiles[1], scope) : await flame(profiles[0], scope);
  }
  return data;
}

type Put = (text: unknown, language: Language) => string;

async function prometheus(t: Target<'prometheus'>, several: boolean, step: number, put: Put, scope: Scope): Promise<Partial<Data>> {
  const expr = put(t.expr, 'promql');
  const instant = Boolean(t.instant) && !t.range;
  const ask = { refId: t.refId, expr, legend: put(t.legendFormat, 'text'), instant, format: t.format || 'time_series', step, several };
  const [frames, dots] = await Promise.all([
    askPrometheus(ask, scope),
    // Exemplars are an addition: a panel without them is still right.
    t.exemplar ? exemplars(expr, scope).catch(() => []) : [],
  ]);
  return { frames, exemplars: dots };
}

async function loki(t: Target<'loki'>, step: number, put: Put, scope: Scope): Promise<Partial<Data>> {
  const expr = put(t.expr, 'logql');
  if (isMetric(expr)) {
    return { frames: await metrics({ refId: t.refId, expr, legend: put(t.legendFormat, 'text'), instant: t.queryType === 'instant', step }, scope) };
  }
  return { lines: await lines(expr, t.maxLines ?? 1000, scope) };
}

/** jaeger finds traces, or gets the one whose id the query is. */
async function jaeger(t: Target<'jaeger'>, put: Put, scope: Scope): Promise<Partial<Data>> {
  if (t.queryType !== 'search') {
    const one = await trace(put(t.query, 'text'), scope.signal);
    return { traces: one ? [one] : [], single: true };
  }
  const traces = await search(
    {
      service: put(t.service, 'text'), operation: put(t.operation, 'text'), tags: put(t.tags, 'text'),
      minDuration: put(t.minDuration, 'text'), maxDuration: put(t.maxDuration, 'text'), limit: t.limit,
    },
    scope
  );
  return { traces, frames: [traceTable(t.refId, traces)] };
}

/** traceTable lists traces in the columns of Grafana's Jaeger source, for tables. */
function traceTable(refId: string, traces: Trace[]): DataFrame {
  const roots = traces.map(rootOf);
  const links = [{ title: 'Open the trace', url: '/trace/${__value.raw}' }];
  return {
    refId, length: traces.length,
    fields: [
      { name: 'traceID', type: FieldType.string, config: { displayNameFromDS: 'Trace ID', links }, values: traces.map((t) => t.id) },
      { name: 'traceName', type: FieldType.string, config: { displayNameFromDS: 'Trace name' }, values: roots.map((r) => `${r.service}: ${r.name}`) },
      { name: 'startTime', type: FieldType.time, config: { displayNameFromDS: 'Start time' }, values: roots.map((r) => r.start / 1000) },
      { name: 'duration', type: FieldType.number, config: { displayNameFromDS: 'Duration', unit: 'µs' }, values: traces.map(traceDuration) },
    ],
  };
}
