import { FieldType, renderLegendFormat, type DataFrame, type Labels } from '@grafana/data';
import { number } from './prometheus.ts';
import { get, type Scope } from './stores.ts';

/** Line is one line of a log, with the labels of its stream and of itself. */
export interface Line {
  time: number; // milliseconds
  nanos: string; // the exact time, nanoseconds
  text: string;
  labels: Labels;
}

interface Answer {
  data: {
    resultType: 'streams' | 'matrix' | 'vector';
    result: Array<{ stream?: Labels; metric?: Labels; values?: Array<[string, string]>; value?: [number, string] }>;
  };
}

/** lines runs a log query and returns its lines, newest first. */
export async function lines(expr: string, limit: number, scope: Scope): Promise<Line[]> {
  const answer = await get<Answer>(
    'loki', '/loki/api/v1/query_range', { query: expr, limit, start: `${scope.from}000000`, end: `${scope.to}000000` }, scope.signal
  );
  const all = answer.data.result.flatMap((s) =>
    (s.values ?? []).map(([nanos, text]) => ({ time: Math.floor(Number(nanos) / 1e6), nanos, text, labels: s.stream ?? {} }))
  );
  return all.sort((a, b) => (a.nanos.length - b.nanos.length || (a.nanos < b.nanos ? -1 : Number(a.nanos > b.nanos))) * -1);
}

/** metrics runs a metric query of LogQL, over the range or at its end. */
export async function metrics(
  q: { refId: string; expr: string; legend?: string; instant: boolean; step: number }, scope: Scope
): Promise<DataFrame[]> {
  const answer = q.instant
    ? await get<Answer>('loki', '/loki/api/v1/query', { query: q.expr, time: `${scope.to}000000` }, scope.signal)
    : await get<Answer>(
        'loki', '/loki/api/v1/query_range',
        { query: q.expr, step: q.step / 1000, start: `${scope.from}000000`, end: `${scope.to}000000` }, scope.signal
      );
  return answer.data.result.map((s) => {
    const labels = s.metric ?? {};
    const points = (s.values ?? (s.value ? [s.value] : [])) as unknown as Array<[number, string]>;
    const name = q.legend ? renderLegendFormat(q.legend, labels) : Object.values(labels).join(' ') || 'Value';
    return {
      refId: q.refId, name, length: points.length,
      fields: [
        { name: 'Time', type: FieldType.time, config: q.instant ? {} : { interval: q.step }, values: points.map(([t]) => t * 1000) },
        { name: 'Value', type: FieldType.number, labels, config: { displayNameFromDS: name }, values: points.map(([, v]) => number(v)) },
      ],
    };
  });
}

/** isMetric reports whether a LogQL expression asks for numbers rather than lines. */
export function isMetric(expr: string): boolean {
  return /^\s*[a-z_]+\s*(by|without|\()/i.test(expr);
}
