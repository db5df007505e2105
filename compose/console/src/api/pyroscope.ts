import { FieldType, type DataFrame, type Labels } from '@grafana/data';
import { post, type Scope } from './stores.ts';

/** CPU is the profile of processor time. */
export const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

interface FlameBearer {
  names?: string[];
  levels?: Array<{ values?: Array<string | number> }>;
  total?: string | number;
  leftTicks?: string | number;
  rightTicks?: string | number;
}

const service = '/querier.v1.QuerierService';

/** Profile is what is merged into a flame graph: one type of the series that match, or of single spans. */
export interface Profile {
  type: string;
  selector: string;
  spans?: string[];
  maxNodes?: number;
}

/** flame merges profiles into the frame that the flame graph draws. */
export async function flame(p: Profile, scope: Scope): Promise<DataFrame> {
  const answer = await post<{ flamegraph?: FlameBearer }>(
    'pyroscope', p.spans ? `${service}/SelectMergeSpanProfile` : `${service}/SelectMergeStacktraces`,
    {
      profile_typeID: p.type, label_selector: p.selector || '{}', start: scope.from, end: scope.to, max_nodes: p.maxNodes ?? 16384,
      ...(p.spans ? { span_selector: p.spans } : {}),
    },
    scope.signal
  );
  return frameOf(answer.flamegraph ?? {}, unitOf(p.type), false);
}

/** diff compares two sets of profiles; the frame has the second one's values on the right. */
export async function diff(left: Profile, leftScope: Scope, right: Profile, rightScope: Scope): Promise<DataFrame> {
  const side = (p: Profile, s: Scope) => ({
    profile_typeID: p.type, label_selector: p.selector || '{}', start: s.from, end: s.to, max_nodes: p.maxNodes ?? 16384,
  });
  const answer = await post<{ flamegraph?: FlameBearer }>(
    'pyroscope', `${service}/Diff`, { left: side(left, leftScope), right: side(right, rightScope) }, leftScope.signal
  );
  return frameOf(answer.flamegraph ?? {}, unitOf(left.type), true);
}

/** unitOf is Grafana's unit for a profile type, whose second part from the end names it. */
function unitOf(type: string): string {
  const unit = type.split(':')[2] ?? '';
  return { nanoseconds: 'ns', bytes: 'bytes', seconds: 's' }[unit] ?? 'short';
}

interface Node {
  x: number;
  level: number;
  value: number;
  self: number;
  valueRight: number;
  selfRight: number;
  name: number;
}

/**
 * frameOf turns levels, whose numbers are [gap, total, self, name] or, in a
 * diff, [gap, total, self, gap, total, self, name], into nested sets: every
 * node before its children.
 */
export function frameOf(f: FlameBearer, unit: string, isDiff: boolean): DataFrame {
  const width = isDiff ? 7 : 4;
  const levels = (f.levels ?? []).map((l, level) => {
    const values = (l.values ?? []).map(Number);
    const nodes: Node[] = [];
    let x = 0;
    for (let i = 0; i + width <= values.length; i += width) {
      const [gap, value, self] = values.slice(i, i + 3);
      const [gapRight, valueRight, selfRight] = isDiff ? values.slice(i + 3, i + 6) : [0, 0, 0];
      x += gap + gapRight;
      nodes.push({ x, level, value, self, valueRight, selfRight, name: values[i + width - 1] });
      x += value + valueRight;
    }
    return nodes;
  });
  const ordered: Node[] = [];
  const next = levels.map(() => 0);
  const visit = (node: Node) => {
    ordered.push(node);
    const end = node.x + node.value + node.valueRight;
    const below = levels[node.level + 1] ?? [];
    while (next[node.level + 1] < below.length && below[next[node.level + 1]].x < end) {
      visit(below[next[node.level + 1]++]);
    }
  };
  (levels[0] ?? []).forEach(visit);
  const column = (name: string, of: (n: Node) => number) => ({ name, type: FieldType.number, config: { unit }, values: ordered.map(of) });
  const names = f.names ?? [];
  return {
    length: ordered.length,
    fields: [
      column('level', (n) => n.level),
      column('value', (n) => n.value),
      column('self', (n) => n.self),
      ...(isDiff ? [column('valueRight', (n) => n.valueRight), column('selfRight', (n) => n.selfRight)] : []),
      { name: 'label', type: FieldType.string, config: {}, values: ordered.map((n) => names[n.name] ?? '') },
    ],
  };
}

/** totals is how much a profile has in all; right is the second side's of a diff, else zero. */
export function totals(frame: DataFrame): { left: number; right: number } {
  const first = (name: string): number => frame.fields.find((f) => f.name === name)?.values[0] ?? 0;
  return { left: first('value'), right: first('valueRight') };
}

/** types lists the profile types that have samples. */
export async function types(scope: Scope): Promise<string[]> {
  const answer = await post<{ profileTypes?: Array<{ ID: string }> }>('pyroscope', `${service}/ProfileTypes`, { start: scope.from, end: scope.to }, scope.signal);
  return (answer.profileTypes ?? []).map((t) => t.ID).sort();
}

/** labelValues lists the values of a label. */
export async function labelValues(name: string, scope: Scope): Promise<string[]> {
  const answer = await post<{ names?: string[] }>('pyroscope', `${service}/LabelValues`, { name, start: scope.from, end: scope.to }, scope.signal);
  return (answer.names ?? []).sort();
}

/** series asks for the sum of a profile type over time. */
export async function series(
  q: { refId: string; type: string; selector: string; groupBy: string[]; step: number }, scope: Scope
): Promise<DataFrame[]> {
  const answer = await post<{ series?: Array<{ labels?: Array<{ name: string; value: string }>; points?: Array<{ value?: number; timestamp: string }> }> }>(
    'pyroscope', `${service}/SelectSeries`,
    { profile_typeID: q.type, label_selector: q.selector || '{}', group_by: q.groupBy, start: scope.from, end: scope.to, step: q.step / 1000 },
    scope.signal
  );
  return (answer.series ?? []).map((s) => {
    const labels: Labels = Object.fromEntries((s.labels ?? []).map((l) => [l.name, l.value]));
    const points = s.points ?? [];
    const name = Object.values(labels).join(' ') || 'Value';
    return {
      refId: q.refId, name, length: points.length,
      fields: [
        { name: 'Time', type: FieldType.time, config: { interval: q.step }, values: points.map((p) => Number(p.timestamp)) },
        { name: 'Value', type: FieldType.number, labels, config: { displayNameFromDS: name, unit: unitOf(q.type) }, values: points.map((p) => p.value ?? 0) },
      ],
    };
  });
}
