import { DataFrameType, FieldType, renderLegendFormat, type DataFrame, type Field, type Labels } from '@grafana/data';
import { form, get, StoreError, type Scope } from './stores.ts';

type Sample = [seconds: number, value: string];
/** Bucket is one bucket of a native histogram: which bounds are part of it, lower, upper, count. */
type Bucket = [boundaries: number, lower: string, upper: string, count: string];
type HistogramSample = [seconds: number, histogram: { count: string; sum: string; buckets?: Bucket[] }];

interface Series {
  metric: Labels;
  values?: Sample[];
  value?: Sample;
  histograms?: HistogramSample[];
  histogram?: HistogramSample;
}

interface Answer<T> {
  status: string;
  error?: string;
  data: T;
}

interface Result {
  resultType: 'matrix' | 'vector' | 'scalar' | 'string';
  result: Series[] | Sample;
}

/** Ask is one query of a panel, with every variable put in. */
export interface Ask {
  refId: string;
  expr: string;
  legend?: string;
  instant: boolean;
  format: 'time_series' | 'table' | 'heatmap';
  step: number; // milliseconds
  /** Whether the panel has several queries, whose value columns must be told apart. */
  several: boolean;
}

async function ask(path: string, parameters: Record<string, string | number>, scope: Scope): Promise<Series[]> {
  const answer = await form<Answer<Result>>('prometheus', path, parameters, scope.signal);
  if (answer.status !== 'success') {
    throw new StoreError('prometheus', answer.error ?? 'no reason given');
  }
  const { resultType, result } = answer.data;
  return resultType === 'scalar' || resultType === 'string' ? [{ metric: {}, value: result as Sample }] : (result as Series[]);
}

/** query runs one query and returns its frames. */
export async function query(q: Ask, scope: Scope): Promise<DataFrame[]> {
  const seconds = q.step / 1000;
  const series = q.instant
    ? await ask('/api/v1/query', { query: q.expr, time: scope.to / 1000 }, scope)
    : await ask(
        '/api/v1/query_range',
        // Multiples of the step: the points stay where they are from one refresh to the next.
        { query: q.expr, step: seconds, start: Math.floor(scope.from / q.step) * seconds, end: Math.floor(scope.to / q.step) * seconds },
        scope
      );
  switch (q.format) {
    case 'table':
      return [tableFrame(q, series)];
    case 'heatmap':
      return [heatmapFrame(q, series)];
    default:
      return series.map((s) => seriesFrame(q, s));
  }
}

function samples(series: Series): Sample[] {
  return series.values ?? (series.value ? [series.value] : []);
}

function seriesFrame(q: Ask, series: Series): DataFrame {
  const points = samples(series);
  const name = legend(q.legend, series.metric);
  const time: Field = {
    name: 'Time', type: FieldType.time, config: q.instant ? {} : { interval: q.step },
    values: points.map(([t]) => Math.round(t * 1000)),
  };
  const value: Field = {
    name: 'Value', type: FieldType.number, labels: series.metric, config: { displayNameFromDS: name },
    // A point of a line that is not a number is a gap.
    values: points.map(([, v]) => (q.instant || v !== 'NaN' ? number(v) : null)),
  };
  return { refId: q.refId, name, length: points.length, fields: [time, value], meta: { executedQueryString: q.expr } };
}

/** legend names a series: by its format, else as PromQL would write it. */
function legend(format: string | undefined, labels: Labels): string {
  if (format && format !== '__auto') {
    return renderLegendFormat(format, labels);
  }
  const { __name__: metric = '', ...rest } = labels;
  const inner = Object.entries(rest).map(([name, value]) => `${name}="${value}"`);
  return inner.length > 0 ? `${metric}{${inner.join(', ')}}` : metric || 'Value';
}

/** number reads a value as Prometheus writes it. */
export function number(text: string): number {
  return text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);
}

/** tableFrame has a column for the time, one for each label, and one for the value. */
function tableFrame(q: Ask, series: Series[]): DataFrame {
  const names = [...new Set(series.flatMap((s) => Object.keys(s.metric)))].sort();
  const rows = series.flatMap((s) => samples(s).map(([t, v]) => ({ metric: s.metric, t: Math.round(t * 1000), v: number(v) })));
  const fields: Field[] = [
    { name: 'Time', type: FieldType.time, config: {}, values: rows.map((r) => r.t) },
    ...names.map((name) => ({ name, type: FieldType.string, config: { filterable: true }, values: rows.map((r) => r.metric[name] ?? '') })),
    { name: q.several ? `Value #${q.refId}` : 'Value', type: FieldType.number, config: {}, values: rows.map((r) => r.v) },
  ];
  return { refId: q.refId, length: rows.length, fields: rows.length > 0 ? fields : [], meta: { executedQueryString: q.expr } };
}

/**
 * heatmapFrame has a row for each cell: when, from what value to what value,
 * how many. Native histograms come as they are; classic ones as cumulative
 * series by their upper bound le.
 */
function heatmapFrame(q: Ask, series: Series[]): DataFrame {
  const cells: Array<[number, number, number, number]> = [];
  for (const s of series) {
    for (const [t, histogram] of s.histograms ?? (s.histogram ? [s.histogram] : [])) {
      for (const [, lower, upper, count] of histogram.buckets ?? []) {
        cells.push([Math.round(t * 1000), number(lower), number(upper), number(count)]);
      }
    }
  }
  cells.push(...classicCells(series.filter((s) => 'le' in s.metric && s.values)));
  const column = (name: string, type: FieldType, i: number): Field => ({ name, type, config: {}, values: cells.map((c) => c[i]) });
  const time = column('xMax', FieldType.time, 0);
  time.config.interval = q.step;
  return {
    refId: q.refId, length: cells.length, meta: { type: DataFrameType.HeatmapCells, executedQueryString: q.expr },
    fields: [time, column('yMin', FieldType.number, 1), column('yMax', FieldType.number, 2), column('count', FieldType.number, 3)],
  };
}

function classicCells(series: Series[]): Array<[number, number, number, number]> {
  const byBound = [...series].sort((a, b) => number(a.metric.le) - number(b.metric.le));
  const below = new Map<number, number>();
  const cells: Array<[number, number, number, number]> = [];
  let lower = 0;
  for (const s of byBound) {
    const upper = number(s.metric.le);
    for (const [t, v] of s.values ?? []) {
      const ms = Math.round(t * 1000);
      const count = number(v) - (below.get(ms) ?? 0);
      below.set(ms, number(v));
      if (count > 0 && Number.isFinite(upper)) {
        cells.push([ms, lower, upper, count]);
      }
    }
    lower = upper;
  }
  return cells;
}

/** Exemplar is one measured request of a histogram, with the labels that lead to its trace. */
export interface Exemplar {
  time: number;
  value: number;
  labels: Labels;
  series: Labels;
}

/** Columns is how many groups of exemplars a panel shows, and PerColumn how many in each: as many as can be told apart. */
const Columns = 40;
const PerColumn = 2;

/**
 * exemplars returns the exemplars of an expression's series, thinned out: over
 * the range in 40 columns the largest of each, because the slow ones are what
 * people look for, and one from the middle.
 */
export async function exemplars(expr: string, scope: Scope): Promise<Exemplar[]> {
  const answer = await form<Answer<Array<{ seriesLabels: Labels; exemplars: Array<{ labels: Labels; value: string; timestamp: number }> }>>>(
    'prometheus', '/api/v1/query_exemplars', { query: expr, start: scope.from / 1000, end: scope.to / 1000 }, scope.signal
  );
  const all = (answer.data ?? []).flatMap((s) =>
    s.exemplars.map((e) => ({ time: Math.round(e.timestamp * 1000), value: number(e.value), labels: e.labels, series: s.seriesLabels }))
  );
  return thin(all, (scope.to - scope.from) / Columns);
}

/** thin keeps at most PerColumn exemplars of each stretch of so many milliseconds. */
export function thin(all: Exemplar[], stretch: number): Exemplar[] {
  const byStretch = new Map<number, Map<string, Exemplar>>();
  for (const e of all) {
    const at = Math.floor(e.time / stretch);
    const own = byStretch.get(at) ?? new Map<string, Exemplar>();
    own.set(JSON.stringify(e.labels), e); // native and classic series have the same ones
    byStretch.set(at, own);
  }
  const out: Exemplar[] = [];
  for (const own of byStretch.values()) {
    const ordered = [...own.values()].sort((a, b) => b.value - a.value);
    out.push(...(ordered.length <= PerColumn ? ordered : [ordered[0], ordered[Math.floor(ordered.length / 2)]]));
  }
  return out.sort((a, b) => a.time - b.time);
}

/** labelValues lists the values of a label, of the series that match if there is a selector. */
export async function labelValues(label: string, selector: string | undefined, scope: Scope): Promise<string[]> {
  const answer = await get<Answer<string[]>>(
    'prometheus', `/api/v1/label/${encodeURIComponent(label)}/values`,
    { 'match[]': selector, start: scope.from / 1000, end: scope.to / 1000 }, scope.signal
  );
  return answer.data ?? [];
}

/** querySeries lists the series of an instant query as text, for query_result(...). */
export async function querySeries(expr: string, scope: Scope): Promise<string[]> {
  const series = await ask('/api/v1/query', { query: expr, time: scope.to / 1000 }, scope);
  return series.map((s) => `${legend(undefined, s.metric)} ${s.value?.[1] ?? ''} ${(s.value?.[0] ?? 0) * 1000}`);
}
